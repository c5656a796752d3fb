/* Keys that xl reads and that mean nothing here: named in a warning, not an error. */
#ifndef TOOLS_BULKHEAD_XLKEYS_H
#define TOOLS_BULKHEAD_XLKEYS_H

/* Ends with NULL. Source: xl.cfg(5) of Xen 4.17. */
extern const char *const xl_keys[];

#endif

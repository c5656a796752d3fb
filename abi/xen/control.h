/*
 * The control interface, as far as a domain without rights meets it: one
 * number covers all operations of each family and is looked at first.
 *
 * Source: Xen 4.17 public/domctl.h, public/sysctl.h, public/platform.h.
 */
#ifndef ABI_XEN_CONTROL_H
#define ABI_XEN_CONTROL_H

#include <xen/xen.h>

#define XEN_DOMCTL_INTERFACE_VERSION 0x15
#define XEN_SYSCTL_INTERFACE_VERSION 0x15
#define XENPF_INTERFACE_VERSION 0x03000001
#define XENPF_settime64 62

#endif

/* System registers of the model machine, by name: a test that links a driver of theirs has fake_sysreg(). */
#ifndef ARCH_SYSREG_H
#define ARCH_SYSREG_H

#include <stdbool.h>
#include <stdint.h>

uint64_t fake_sysreg(const char *name, bool write, uint64_t v);

#define sysreg_read(r) fake_sysreg(#r, false, 0)
#define sysreg_write(r, v) ((void)fake_sysreg(#r, true, (v)))
#define isb() ((void)0)
#define dsb(o) ((void)0)
#define yield() ((void)0)

#endif

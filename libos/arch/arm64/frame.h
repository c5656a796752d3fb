/*
 * Register frames, shared with assembly (offsets below are checked in fault.c).
 */
#ifndef LIBOS_ARCH_FRAME_H
#define LIBOS_ARCH_FRAME_H

/* After the image: translation tables grow up from here, the boot stack down from its end. */
#define BOOT_SCRATCH_SIZE 0x10000
#define BOOT_STACK_SIZE 0x2000
#define BOOT_INFO_SIZE 688 /* struct boot_info */
#define BOOT_FREE_PA 64    /* boot_info.free_pa */

#define FRAME_X29 152
#define FRAME_ELR 168
#define FRAME_SPSR 176
#define FRAME_SIZE 192

#define CRASH_SP 248
#define CRASH_ELR 256
#define CRASH_SIZE 304

#define CONTEXT_SP 96
#define CONTEXT_V 128

#ifndef __ASSEMBLER__
#include <stdint.h>

/* What a system call saves on the caller's stack: all it might clobber. x19-x28 and
 * FP/SIMD survive because the library OS is compiled not to touch the latter. */
struct syscall_frame {
    uint64_t x[19]; /* x0..x18 */
    uint64_t x29;
    uint64_t x30;
    uint64_t elr;
    uint64_t spsr;
    uint64_t spare;
};

/* Everything, for the crash report. */
struct crash_frame {
    uint64_t x[31];
    uint64_t sp;
    uint64_t elr;
    uint64_t spsr;
    uint64_t esr;
    uint64_t far;
    uint64_t slot; /* vector taken, 0..15 */
    uint64_t spare;
};

/* What survives a thread switch: callee-saved registers, and all of FP/SIMD because
 * musl's inline system calls leave values in any of them. */
struct context {
    uint64_t x19_x30[12];
    uint64_t sp;
    uint64_t tpidr;
    uint64_t fpcr;
    uint64_t fpsr;
    unsigned __int128 v[32];
};

/** Save into `from`, load `to`. Returns when somebody switches back. */
void context_switch(struct context *from, const struct context *to);

/* Where a new thread starts: pops the syscall_frame at sp and returns from the exception. */
void syscall_return(void);
#endif
#endif

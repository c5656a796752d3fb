/*
 * The crash report. Prints numbers the offline decoder understands ("bulkhead app decode"):
 * every code address as image+offset, so that the random base does not matter.
 */
#include "arch/arm64/frame.h"
#include "arch/arm64/tables.h"
#include "libos/boot.h"
#include "libos/platform.h"
#include "libos/thread.h"

_Static_assert(sizeof(struct syscall_frame) == FRAME_SIZE, "frame.h");
_Static_assert(offsetof(struct syscall_frame, elr) == FRAME_ELR, "frame.h");
_Static_assert(offsetof(struct syscall_frame, x29) == FRAME_X29, "frame.h");
_Static_assert(sizeof(struct crash_frame) == CRASH_SIZE, "frame.h");
_Static_assert(offsetof(struct crash_frame, elr) == CRASH_ELR, "frame.h");
_Static_assert(offsetof(struct context, sp) == CONTEXT_SP, "frame.h");
_Static_assert(offsetof(struct context, v) == CONTEXT_V, "frame.h");

#define BACKTRACE_MAX 24

extern const unsigned char image_build_id[16];

/* ESR_EL1.EC (DDI 0487 D17.2.37). */
static const char *cause(unsigned int class)
{
    switch (class) {
    case 0x00:
        return "undefined instruction";
    case 0x20:
    case 0x21:
        return "jump to an address that is not code";
    case 0x22:
    case 0x26:
        return "misaligned program counter or stack";
    case 0x24:
    case 0x25:
        return "access to memory that is not there or not allowed";
    case 0x2c:
        return "floating-point exception";
    case 0x3c:
        return "deliberate trap (BRK)";
    default:
        return "unexpected exception";
    }
}

static bool readable(uintptr_t at)
{
    uintptr_t direct_end = boot.direct_va + (boot.direct_end - boot.direct_pa);
    return !(at & 7) && ((at >= boot.direct_va && at < direct_end - 16) ||
                         (at >= (uintptr_t)image_start && at < (uintptr_t)image_end - 16));
}

static void print_code(const char *what, uint64_t address)
{
    uint64_t offset = address - (uintptr_t)image_start;
    if (offset < (uint64_t)(text_end - image_start)) {
        libos_log("  %s image+0x%lx", what, offset);
    } else {
        libos_log("  %s 0x%lx (not code)", what, address);
    }
}

static void backtrace(const struct crash_frame *frame)
{
    print_code("at", frame->elr);
    print_code("by", frame->x[30]);
    uintptr_t link = frame->x[29];
    for (int depth = 0; depth < BACKTRACE_MAX && readable(link); depth++) {
        const uint64_t *record = (const uint64_t *)link;
        if (record[1] == 0) {
            break;
        }
        print_code("by", record[1]);
        if (record[0] <= link) {
            break; /* frames only grow upwards; anything else is damage */
        }
        link = record[0];
    }
}

void fault_report(const struct crash_frame *frame);
void fault_report(const struct crash_frame *frame)
{
    static bool reporting;
    if (reporting) {
        platform_exit(126); /* a fault while reporting: better short than never */
    }
    reporting = true;
    unsigned int class = (unsigned int)(frame->esr >> 26) & 63;
    libos_log("CRASH: %s", cause(class));
    if (class == 0x24 || class == 0x25) {
        libos_log("  %s of address 0x%lx", frame->esr & 64 ? "write" : "read", frame->far);
        if (frame->far - frame->sp + 65536 < 65536 + 4096) {
            libos_log("  just below the stack pointer: the stack is full (manifest: stack)");
        }
    } else if (class == 0x20 || class == 0x21) {
        libos_log("  jump to address 0x%lx", frame->far);
    }
    libos_log("  thread %d, vector %lu, ESR 0x%lx, SP 0x%lx", thread_id(), frame->slot, frame->esr,
              frame->sp);
    for (int i = 0; i < 28; i += 4) {
        libos_log("  x%02d %016lx %016lx %016lx %016lx", i, frame->x[i], frame->x[i + 1],
                  frame->x[i + 2], frame->x[i + 3]);
    }
    libos_log("  x28 %016lx %016lx %016lx", frame->x[28], frame->x[29], frame->x[30]);
    uint64_t id = 0;
    for (int i = 0; i < 8; i++) {
        id = id << 8 | image_build_id[i];
    }
    libos_log("backtrace of image %016lx:", id);
    backtrace(frame);
    platform_exit(139);
}

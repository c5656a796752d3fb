/* Exceptions: caught when a test asked for them, otherwise the end with a report. */
#include "kit-internal.h"

struct fault last_fault[KIT_CPUS];
u64 fault_count[KIT_CPUS];
bool (*sync_hook)(struct frame *frame);
void (*irq_hook)(u32 intid);
void (*irq_raw_hook)(struct frame *frame);
void (*serror_hook)(struct frame *frame);

static const char *const kinds[] = {"synchronous", "irq", "fiq", "serror"};

static void record(struct frame *frame)
{
    unsigned cpu = cpu_id();
    last_fault[cpu] = (struct fault){true, frame->esr, frame->far, frame->elr, frame->spsr};
    fault_count[cpu]++;
}

static bool handle_sync(struct frame *frame)
{
    struct kit_cpu *cpu = this_cpu();
    if (sync_hook && sync_hook(frame)) {
        return true;
    }
    if (cpu->skipping) {
        record(frame);
        /* SVC, HVC and SMC come back behind the instruction already. */
        u64 ec = ESR_EC(frame->esr);
        if (ec != EC_SVC64 && ec != EC_HVC64 && ec != EC_SMC64) {
            frame->elr += 4;
        }
        return true;
    }
    if (cpu->landing) {
        record(frame);
        frame->x[2] = (u64)cpu->landing;
        frame->elr = (u64)fault_landing;
        /* Keep only the interrupt masks: step and illegal-state bits would fault again. */
        frame->spsr = (frame->spsr & 0x3c0) | 5;
        cpu->landing = NULL;
        return true;
    }
    return false;
}

static void handle_irq(struct frame *frame)
{
    if (irq_raw_hook) {
        irq_raw_hook(frame);
        return;
    }
    u32 intid = gic_ack();
    if ((intid & 0x3ff) >= 1020) {
        return;
    }
    if (irq_hook) {
        irq_hook(intid & 0x3ff);
    }
    gic_eoi(intid);
}

void kit_exception(unsigned kind, struct frame *frame)
{
    switch (kind & 3) {
    case 0:
        if (handle_sync(frame)) {
            return;
        }
        break;
    case 1:
        if (kind >= 4) {
            handle_irq(frame);
            return;
        }
        break;
    case 3:
        if (serror_hook) {
            serror_hook(frame);
            return;
        }
        break;
    }
    note("unexpected %s exception (vector %u) on vCPU %u", kinds[kind & 3], kind, cpu_id());
    note("esr %lx far %lx elr %lx spsr %lx", frame->esr, frame->far, frame->elr, frame->spsr);
    note("x0 %lx x1 %lx x30 %lx sp %lx image %lx", frame->x[0], frame->x[1], frame->x[30],
         frame->sp, (u64)_head);
    guest_die("unexpected exception");
}

struct fault expect_fault(void (*fn)(void *), void *arg)
{
    u64 buffer[13];
    struct kit_cpu *cpu = this_cpu();
    struct fault none = {0};
    last_fault[cpu_id()] = none;
    cpu->landing = buffer;
    barrier();
    int faulted = fault_call(fn, arg, buffer);
    cpu->landing = NULL;
    return faulted ? last_fault[cpu_id()] : none;
}

void skip_faults(bool on)
{
    this_cpu()->skipping = on;
    barrier();
}

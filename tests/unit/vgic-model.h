/*
 * The parts of an interrupt controller that are hardware to the virtual one:
 * each CPU's virtual CPU interface (acknowledge, priority drop, deactivate),
 * physical activity of linked interrupts, the virtual timer's registers; and
 * the way out of a trap. One domain with more vCPUs than CPUs.
 */
#ifndef TESTS_VGIC_MODEL_H
#define TESTS_VGIC_MODEL_H

#include <fake.h>
#include <hyp/domain.h>

enum { MODEL_CPUS = 2, MODEL_VCPUS = 3, MODEL_SPIS = 70 };
#define MODEL_DIST 0x03001000ull
#define MODEL_REDIST 0x03020000ull

extern struct domain *model_domain;
extern unsigned model_traps; /* maintenance interrupts taken */

/* A fresh machine; vCPU n is loaded on CPU n, the last one on none. */
void model_boot(unsigned version, uint32_t nr_spis);
struct vcpu *model_vcpu(unsigned id);
/* Give a CPU its turn, with its banked state. */
struct cpu *model_on(unsigned cpu);
/* The CPU on which it is loaded gets its turn; false: on none. */
bool model_on_vcpu(struct vcpu *v);
/* Save what is loaded on `cpu` and load `v` (NULL: nothing) instead; `v` is taken off its CPU first. */
void model_switch(unsigned cpu, struct vcpu *v);

/* model_boot(), and what an operating system does first: interface on, every interrupt enabled. */
void model_start(unsigned version, uint32_t nr_spis);

/* Everything that is due on all CPUs: IPIs, work, timers, maintenance. Fails the test on a storm. */
void model_settle(void);
/* Let time pass, and what comes of it. */
void model_advance(uint64_t ticks);

#define DIST(r) (MODEL_DIST + (r))
#define RD(v, r) (MODEL_REDIST + (v)*0x20000ull + (r))
#define SGIF(v, r) RD(v, 0x10000 + (r))

/* Accesses by `v`, which is loaded; retried as a guest would. */
uint64_t model_read(struct vcpu *v, uint64_t at, unsigned size);
void model_write(struct vcpu *v, uint64_t at, unsigned size, uint64_t value);

/* One interrupt's state, as of the last fold. False: no such interrupt. */
struct model_info {
    bool enabled, pending, active, hw;
    uint8_t priority, target;
};
bool model_info(struct vcpu *v, uint32_t intid, struct model_info *out);

/* The guest's CPU interface on v's CPU. */
enum { MODEL_GROUP0 = 1, MODEL_GROUP1 = 2, MODEL_SPURIOUS = 1023 };
void model_cpu_interface(struct vcpu *v, unsigned groups, unsigned priority_mask, bool eoi_mode);
/* Acknowledge what is most urgent, of either group: INTID | sender << 10, or MODEL_SPURIOUS. */
unsigned model_ack(struct vcpu *v, unsigned *priority);
/* The next one for vCPU number `vcpu`, after all that is due: INTID, or MODEL_SPURIOUS. */
unsigned model_next(unsigned vcpu);
void model_eoi(struct vcpu *v, unsigned intid); /* drop, and deactivate in mode 0 */
void model_deactivate(struct vcpu *v, unsigned intid);

/* The guest's virtual timer, without a trap. */
void model_timer_set(struct vcpu *v, uint32_t ctl, uint64_t cval);
bool model_timer_phys(unsigned cpu); /* its physical interrupt is active there */

/* A device's physical interrupt: fires, unless it is active. */
void model_device_fire(unsigned physical, unsigned virq);
/* WFI by the current vCPU: true if it blocks. */
bool model_wfi(struct vcpu *v);

#endif

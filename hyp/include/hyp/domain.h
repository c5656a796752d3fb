/*
 * Domains and their vCPUs: the objects and their life.
 *
 *   CREATED --domain_start--> RUNNING --domain_shutdown--> DOWN --+-- policy --> RUNNING (reboot: rebuilt)
 *      |                        |                            |    +-- preserve
 *      +----------------- domain_destroy() ------------------+--> DYING --> (last reference) gone
 *
 * D1  a domain is found by number or name only through domain_get*(), which
 *     counts a reference; its memory goes with the last one.
 * D2  vCPUs of a DOWN or DYING domain are paused and off their CPUs before
 *     anything they use is taken away.
 * D3  tearing down is resumable and bounded per step; it never blocks a CPU.
 */
#ifndef HYP_DOMAIN_H
#define HYP_DOMAIN_H

#include <arch/vcpu.h>
#include <hyp/list.h>
#include <hyp/lock.h>
#include <hyp/p2m.h>
#include <hyp/sched.h>
#include <hyp/timer.h>
#include <hyp/types.h>
#include <hyp/vgic.h>
#include <hyp/vtimer.h>
#include <hyp/vuart.h>

enum domain_state { DOMAIN_CREATED, DOMAIN_RUNNING, DOMAIN_DOWN, DOMAIN_DYING };

/* Why a domain went down. Numbers: public/sched.h, SHUTDOWN_*. */
enum shutdown_reason {
    SHUTDOWN_poweroff = 0,
    SHUTDOWN_reboot = 1,
    SHUTDOWN_suspend = 2,
    SHUTDOWN_crash = 3,
    SHUTDOWN_watchdog = 4,
    SHUTDOWN_soft_reset = 5,
};

enum domain_policy { POLICY_DESTROY, POLICY_RESTART, POLICY_PRESERVE };

/* Bits of vcpu.work: looked at once on the way back to the guest. */
enum vcpu_work {
    WORK_RESCHED = 1u << 0, /* another vCPU should run, or this one must stop */
    WORK_VGIC = 1u << 1,    /* interrupt state changed: load list registers */
    WORK_EVENT = 1u << 2,   /* an event upcall may have to be raised */
    WORK_TIMER = 1u << 3,   /* emulated timer line may have changed */
};

struct vcpu {
    struct arch_vcpu arch; /* first: the vectors find the registers at offset 0 */
    struct domain *domain; /* [const] */
    uint32_t id;           /* [const] */
    uint32_t work;         /* [atomic] enum vcpu_work, set by anybody, cleared on the way out */
    struct cpu *cpu;       /* [atomic] CPU whose registers hold this vCPU, or NULL */
    struct sched_vcpu sched;
    struct vgic_cpu vgic;
    struct vtimer_regs timer_regs;
    struct timer vtimer;   /* virtual timer while the vCPU is not loaded */
    struct timer ptimer;   /* emulated physical timer */
    uint64_t trap_count;   /* [cpu] exits to the hypervisor */
    struct evtchn_vcpu *evtchn; /* Xen interface, owned by core/evtchn.c */
};

struct domain {
    domid_t id;                    /* [const] */
    uint16_t vcpu_count;           /* [const] after domain_add_vcpus */
    char name[DOMAIN_NAME_LEN];    /* [const] */
    lock_t lock;                   /* life cycle */
    uint32_t refs;                 /* [atomic] */
    enum domain_state state;       /* [lock] */
    enum shutdown_reason reason;   /* [lock] valid when DOWN */
    enum domain_policy on_crash, on_reboot, on_poweroff; /* [const] */
    uint32_t reboot_count;         /* [lock] */
    struct vcpu **vcpu;            /* [const] vcpu_count pointers */
    struct sched_domain sched;
    struct p2m p2m;
    struct vgic vgic;
    struct vuart vuart;
    uint64_t max_frames;           /* [const] guest memory limit */
    uint64_t owned_frames;         /* [atomic] */
    uint64_t hyp_frames;           /* [atomic] what the hypervisor spends on it */
    uint64_t hyp_frames_max;       /* [const] */
    const struct domain_config *config; /* [const] what it was built from, and is rebuilt from */
    struct rights *rights;         /* hyp/rights.h */
    uint64_t vtimer_offset_ticks;  /* [const] CNTVOFF */
    uint64_t log_window_ticks;     /* [atomic] dlog() */
    uint32_t log_lines;            /* [atomic] dlog() */
    struct arch_domain arch;
    struct evtchn_domain *evtchn;  /* Xen interface, owned by core/evtchn.c */
    struct grant_domain *grant;    /* owned by core/grant.c */
    struct xen_domain *xen;        /* shared info, hvm params..., owned by core/hypercall*.c */
};

/* Borrowed for the duration of a call; NULL if there is none. Counted: domain_put() it. */
struct domain *domain_get(domid_t id);
struct domain *domain_get_by_name(const char *name);
void domain_put(struct domain *d);
/* Iterate: pass NULL first; drops the reference to `previous`, returns the next one counted. */
struct domain *domain_next(struct domain *previous);

/* Stop all its vCPUs and record why; then the policy for that reason is carried out by the domain worker. */
void domain_shutdown(struct domain *d, enum shutdown_reason reason);
/* Stop with a reason in words, registers kept for the console; reason SHUTDOWN_crash. */
void domain_crash(struct domain *d, const char *format, ...) printf_like(2, 3);
must_check int domain_pause(struct domain *d);
must_check int domain_unpause(struct domain *d);
must_check int domain_destroy(struct domain *d);
must_check int domain_reboot(struct domain *d);

/* Set bits in v->work and make it notice: wake it, or kick the CPU it runs on. Any context. */
void vcpu_notify(struct vcpu *v, uint32_t work_bits);

#endif

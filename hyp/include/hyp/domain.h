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
#include <hyp/mmio.h>
#include <hyp/p2m.h>
#include <hyp/sched.h>
#include <hyp/timer.h>
#include <hyp/types.h>
#include <hyp/vgic.h>
#include <hyp/vtimer.h>
#include <hyp/vuart.h>
#include <xen/sched.h> /* enum shutdown_reason */

enum domain_state { DOMAIN_CREATED, DOMAIN_RUNNING, DOMAIN_DOWN, DOMAIN_DYING };

enum domain_policy { POLICY_DESTROY, POLICY_RESTART, POLICY_PRESERVE };

/* What a domain's worker does next; each step is bounded. */
enum domain_job {
    JOB_NONE,
    JOB_STOP,    /* wait until all vCPUs are off their CPUs */
    JOB_UNLINK,  /* take back interrupts, channels and grants */
    JOB_EMPTY,   /* take back memory */
    JOB_RESET,   /* devices and vCPUs to power-on */
    JOB_BUILD,   /* give it memory and images anew, and start it */
    JOB_RELEASE, /* free the domain itself */
};

/* What is kept of a domain's last crash, also when the domain itself is gone. */
struct crash_record {
    char name[DOMAIN_NAME_LEN];
    const char *why;
    uint64_t at_ticks;
    uint32_t vcpu; /* that said so, or 0 */
    uint64_t pc, pstate, x[31], esr, far;
};

/* Bits of vcpu.work: looked at once on the way back to the guest. */
enum vcpu_work {
    WORK_RESCHED = 1u << 0, /* another vCPU should run, or this one must stop */
    WORK_VGIC = 1u << 1,    /* interrupt state changed: load list registers */
    WORK_EVENT = 1u << 2,   /* an event upcall may have to be raised */
    WORK_TIMER = 1u << 3,   /* emulated timer line may have changed */
    WORK_OFFLINE = 1u << 4, /* PSCI CPU_OFF: turn it off once its state is stored */
    WORK_SUSPEND = 1u << 5, /* PSCI SYSTEM_SUSPEND: reset to resume_entry, then sleep */
    WORK_IO = 1u << 6,      /* a device model has answered: io.value ends the access */
};

/* An access that an IOREQ server answers (hyp/core/control/ioreq.c). */
struct vcpu_io {
    struct ioreq_server *server; /* [ioreq lock] it is waited for; NULL: for none */
    uint64_t value;              /* with WORK_IO: what was read, zero-extended */
    uint8_t size;                /* [ioreq lock] bytes */
};

struct vcpu {
    struct arch_vcpu arch; /* first: the vectors find the registers at offset 0 */
    struct domain *domain; /* [const] */
    uint32_t id;           /* [const] */
    uint32_t work;         /* [atomic] enum vcpu_work, set by anybody, cleared on the way out */
    struct cpu *cpu;       /* [atomic] CPU whose registers hold this vCPU, or NULL */
    struct sched_vcpu sched;
    uint64_t soft_affinity; /* [atomic] as the tools set it */
    struct vgic_cpu vgic;
    struct vtimer_regs timer_regs;
    struct timer vtimer; /* virtual timer while the vCPU is not loaded */
    struct timer ptimer; /* emulated physical timer */
    gpa_t resume_entry;  /* [cpu] with WORK_SUSPEND */
    uint64_t resume_context;
    struct vcpu_io io;
    uint64_t io_syndrome;       /* [cpu] of that access */
    struct evtchn_vcpu *evtchn; /* Xen interface, owned by evtchn.c */
};

struct domain {
    domid_t id;                                          /* [const] */
    uint16_t vcpu_count;                                 /* [const] once it runs; they only come */
    uint16_t vcpu_max;                                   /* [const] */
    char name[DOMAIN_NAME_LEN];                          /* [const] */
    lock_t lock;                                         /* life cycle */
    uint32_t refs;                                       /* [atomic] */
    enum domain_state state;                             /* [lock] */
    enum shutdown_reason reason;                         /* [lock] valid when DOWN */
    enum domain_policy on_crash, on_reboot, on_poweroff; /* [const] */
    uint32_t reboot_count;                               /* [lock] */
    struct vcpu **vcpu;                                  /* [const] vcpu_count pointers */
    struct sched_domain sched;
    struct p2m p2m;
    struct vgic vgic;
    struct vuart vuart;
    struct console *console; /* hyp/console.h; NULL before and after its life */
    uint32_t parked;         /* [frame lock] first frame that frame_park() keeps, its index + 1 */
    uint64_t max_frames;     /* [const] guest memory limit; frame_owned_count() says what it has */
    uint64_t hyp_frames;     /* [atomic] what the hypervisor spends on it */
    uint64_t hyp_frames_max; /* [const] */
    const struct domain_config *config; /* [const] what it was built from, and is rebuilt from */
    struct rights *rights;              /* hyp/rights.h; NULL: none */
    domid_t builder; /* [atomic] who made it at run time; DOMID_INVALID: nobody, or he is gone */
    uint64_t vtimer_offset_ticks; /* [const] CNTVOFF */
    struct timer worker;          /* carries out what a trap cannot: see domain.c */
    enum domain_job job;          /* [lock] what the worker is at */
    struct build *build;          /* how far domain_build() is, NULL when it is not at work */
    bool paused_by_console;       /* [lock] */
    bool working;                 /* [atomic] a step of its job is being made */
    uint32_t pauses;              /* [lock] by domctl; a domain made at run time is born with one */
    uint8_t handle[16];           /* [lock] what the tools call it */
    bool ordered;                 /* [lock] to restart, from outside: no policy is asked */
    uint32_t shutdown_vcpu;       /* [lock] that said so, or 0 */
    uint64_t log_window_ticks;    /* [atomic] dlog() */
    uint32_t log_lines;           /* [atomic] dlog() */
    uint32_t log_doubled;         /* [atomic] dlog() */
    struct arch_domain arch;
    struct evtchn_domain *evtchn; /* Xen interface, owned by evtchn.c */
    struct grant_domain *grant;   /* owned by grant.c */
    struct xen_domain *xen;       /* shared info, hvm params..., owned by core/xen/ */
};

/* Once, before the others: -XEN_ENOMEM. */
must_check int domains_init(void);
/*
 * Make a domain from its configuration: vCPUs, tables, devices, no memory yet.
 * Returns 0 and *out with one reference, the table's; -XEN_ENOMEM, -XEN_EEXIST (number or name taken), ...
 */
must_check int domain_create(const struct domain_config *config, struct domain **out);
/* Build its memory from the configuration and let vCPU 0 go. At boot: it may take long. */
must_check int domain_start(struct domain *d);
/* Make a domain that was destroyed again; its worker builds and starts it. Errors of domain_create(). */
must_check int domain_launch(const struct domain_config *config);
/*
 * Make an empty domain for `builder` to fill: CREATED, paused once. Of `like`, copied, number and
 * name are chosen here unless the number is taken from `wanted` (0: any). Counted for the caller
 * besides the table. -XEN_EEXIST (the number is taken), -XEN_ENOMEM, errors of domain_create().
 */
must_check int domain_make(const struct domain_config *like, domid_t wanted, struct domain *builder,
                           struct domain **out);

/* Its next vCPU, up to vcpu_max: it is born with one, so that no call makes many. CREATED. -XEN_ENOMEM. */
must_check int domain_add_vcpu(struct domain *d) REQUIRES(&d->lock);

/* Borrowed for the duration of a call; NULL if there is none. Counted: domain_put() it. */
struct domain *domain_get(domid_t id);
struct domain *domain_get_by_name(const char *name);
void domain_put(struct domain *d);
/* Iterate: pass NULL first; drops the reference to `previous`, returns the next one counted. */
struct domain *domain_next(struct domain *previous);
/* The first one whose number is `first` or higher, counted; NULL: none. */
struct domain *domain_from(uint32_t first);

/* Stop all its vCPUs and record why; then the policy for that reason is carried out by the domain worker. */
void domain_shutdown(struct domain *d, enum shutdown_reason reason);
/* The n-th record of a crash: one for each name, of the last eight. False if there are fewer. */
bool domain_last_crash(unsigned n, struct crash_record *out);
must_check int domain_pause(struct domain *d);
must_check int domain_unpause(struct domain *d);
/* Its end begins, also if it is on its way up or down; -XEN_EBUSY: it is ending already. */
must_check int domain_destroy(struct domain *d);
/* By domctl; these count. The first unpause of a domain that was made at run time is its start.
 * -XEN_EINVAL: not paused so, or dying; -XEN_EOVERFLOW: paused far too often. */
must_check int domain_pause_counted(struct domain *d);
must_check int domain_unpause_counted(struct domain *d);
/* Make one bounded step of what domain_destroy() has begun, instead of waiting for the worker. The
 * caller holds a reference. */
void domain_hurry(struct domain *d);
/* -XEN_EBUSY: it is on its way up or down. */
must_check int domain_reboot(struct domain *d);

/* Set bits in v->work and make it notice: wake it, or kick the CPU it runs on. Any context. */
void vcpu_notify(struct vcpu *v, uint32_t work_bits);
/* The same for one that is not this CPU's current one. */
void vcpu_notify_other(struct vcpu *v, uint32_t work_bits);

/* An access by the current vCPU to an address that is not memory. */
enum mmio_outcome {
    MMIO_ABSENT, /* nothing there: external abort */
    MMIO_DONE,
    MMIO_RETRY, /* let the guest execute the instruction again */
    MMIO_WAIT, /* the vCPU is paused until a device model answers; WORK_IO finishes the instruction */
};
enum mmio_outcome domain_mmio(struct vcpu *v, struct mmio_access *a);
/* Where that finds nothing: ask the domain's device models. MMIO_ABSENT or MMIO_WAIT. */
enum mmio_outcome ioreq_mmio(struct vcpu *v, const struct mmio_access *a);

#endif

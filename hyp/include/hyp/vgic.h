/*
 * The interrupt controller a guest sees: GICv3, or GICv2 on a GICv2 board.
 *
 * State lives in memory as one bit per interrupt (struct vgic_bank), except
 * while an interrupt is *resident*: held by a list register of the CPU its
 * vCPU is loaded on. Then the list register is the truth and only that CPU can
 * read it; others set bits in memory and ask for a fold.
 *
 *   fold    list registers -> memory        vgic_sync(), vgic_save(), inside vgic_flush()
 *   refill  memory -> list registers        vgic_flush(), on WORK_VGIC only
 *
 * G1  resident implies loaded: a vCPU that is off its CPU has all its state in memory.
 * G2  what is pending outside the list registers has no better priority than
 *     what is pending inside; if there is any, at least one inside is pending
 *     and NPIE is on: overflow makes progress and never storms.
 * G3  pending of a level interrupt is its line or a software latch; it is
 *     computed anew on each fold, never remembered.
 * G4  a hardware-linked interrupt is physically active exactly while it is
 *     pending or active here.
 * G5  nothing a guest writes makes any of this fail: reserved is RAZ/WI.
 *
 * Locks: vgic.lock (RANK_VGIC_DIST) guards the SPIs; vgic_cpu.lock
 * (RANK_VGIC_CPU) the SGIs, PPIs and list registers of one vCPU.
 *
 * Sources: IHI 0069H (GICv3), IHI 0048B.b (GICv2); layout and affinities:
 * public/arch-arm.h, GUEST_GIC*.
 */
#ifndef HYP_VGIC_H
#define HYP_VGIC_H

#include <hyp/lock.h>
#include <hyp/mmio.h>
#include <hyp/types.h>

struct domain;
struct vcpu;

#define VGIC_PRIVATE 32u  /* SGIs and PPIs */
#define VGIC_SPI_MAX 988u /* INTID 32..1019 */
#define VGIC_LR_MAX 16u
#define VGIC_REDIST_SIZE 0x20000u /* per vCPU: RD and SGI frame */

#define VIRQ_PMU 23u    /* as the board's own */
#define VIRQ_VTIMER 27u /* GUEST_TIMER_VIRT_PPI */
#define VIRQ_PTIMER 30u /* GUEST_TIMER_PHYS_NS_PPI */
#define VIRQ_EVTCHN 31u /* GUEST_EVTCHN_PPI */

/*
 * 32 interrupts: one vCPU's SGIs and PPIs, or 32 SPIs. What moves into a list register is cleared
 * here when it is loaded and merged back when it is folded, so that what arrives in between is
 * kept.
 */
struct vgic_bank {
    uint32_t valid; /* [const] implemented; all others are RAZ/WI */
    uint32_t group; /* set: group 1 */
    uint32_t enabled;
    uint32_t edge;     /* configuration */
    uint32_t line;     /* level of the input */
    uint32_t latch;    /* pending by an edge, an SGI or ISPENDR, and not in a list register */
    uint32_t active;   /* active, and not in a list register */
    uint32_t resident; /* in a list register */
    uint32_t lr_pending, lr_active; /* resident: state it was loaded with */
    uint32_t lr_latch;       /* resident: of lr_pending, those by latch rather than by line alone */
    uint32_t squash_pending; /* resident: cleared meanwhile by ICPENDR, dropped at the next fold */
    uint32_t squash_active;  /* resident: likewise by ICACTIVER */
    uint32_t hw;             /* [const] while the vCPUs run: linked to a physical interrupt */
    uint32_t phys;           /* hw: the physical interrupt is active, as far as we know (G4) */
    uint8_t priority[32];    /* 5 bits: 0x00, 0x08 .. 0xf8 */
};

struct vgic_spi_bank {
    struct vgic_bank bank;
    uint32_t route[32];  /* as the guest wrote it: affinity (v3), target mask (v2) */
    uint8_t target[32];  /* vCPU number that follows from it, or VGIC_NOBODY */
    uint8_t holder[32];  /* vCPU in whose list register it is, or on which it is active */
    uint16_t pintid[32]; /* physical interrupt, if linked */
};
#define VGIC_NOBODY 0xffu

/* Virtual CPU interface of a vCPU that is off its CPU (ICH_VMCR_EL2, ICH_AP0R<n>_EL2,
 * ICH_AP1R<n>_EL2). */
struct vgic_vif {
    uint32_t vmcr;
    uint32_t ap0[4], ap1[4];
};

/* Part of struct vcpu. */
struct vgic_cpu {
    lock_t lock;
    uint32_t spi_words; /* [atomic] bit n: SPI bank n may hold something for this vCPU */
    uint32_t refold;    /* [atomic] not only additions: fold everything before refilling */
    bool loaded;        /* [lock] this vCPU's virtual interface is in its CPU's registers */
    uint8_t overflow; /* [lock] groups of which more was pending than fitted, as in GICD_CTLR; NPIE
                         is on */
    uint8_t
        worst; /* [lock] overflow: one with this priority or a less urgent one can wait for NPIE */
    bool asleep;       /* [lock] GICR_WAKER.ProcessorSleep */
    uint16_t lr_all;   /* [lock] list registers there are, one bit each */
    uint16_t lr_used;  /* [lock] list registers that were written and not folded since */
    uint16_t lr_spi;   /* [lock] of these, the ones that hold SPIs */
    uint32_t hcr;      /* [lock] ICH_HCR_EL2 as last written */
    uint64_t wait_at;  /* [cpu] address + 1 of a read that waits for others to fold, or 0 */
    uint64_t wait_for; /* [cpu] vCPUs it waits for */
    struct vgic_bank priv;
    uint16_t lr_intid[VGIC_LR_MAX]; /* [lock] what each used list register holds */
    uint8_t sgi_from[16];           /* [lock] v2: pending, one bit per sending vCPU */
    uint8_t sgi_source[16];         /* [lock] v2: sender of the active one */
    struct vgic_vif vif;            /* [lock] while not loaded */
};

/* Part of struct domain. */
struct vgic {
    lock_t lock;
    uint8_t version;    /* [const] 2 or 3 */
    uint8_t bank_count; /* [const] SPI banks */
    uint16_t nr_spis;   /* [const] */
    gpa_t dist_base;    /* [const] */
    gpa_t redist_base;  /* [const] v3: vcpu_count * VGIC_REDIST_SIZE are there */
    gpa_t cpu_base;     /* [const] v2: where the guest finds GICC, that is the machine's GICV */
    uint64_t dist_size; /* [const] */
    uint32_t ctlr;      /* [lock] EnableGrp0, EnableGrp1 */
    uint64_t folding;   /* [atomic] vCPUs asked to fold that have not yet */
    struct vgic_spi_bank *spi; /* [const] bank_count of them; NULL if none */
};

struct vgic_config {
    unsigned version; /* 2 or 3: as the host's */
    uint32_t nr_spis; /* 0..988 */
    gpa_t dist, redist, cpu;
};

/*
 * Build the distributor and every vCPU's private part (d->vcpu[] is complete).
 * Memory comes from the domain's allowance. Returns 0, -XEN_EINVAL (version, nr_spis,
 * more vCPUs than the version has: 8 for GICv2) or -XEN_ENOMEM.
 */
must_check int vgic_domain_init(struct domain *d, const struct vgic_config *c);
/* That of a vCPU that came later (domain_add_vcpu()). */
void vgic_vcpu_init(struct vcpu *v);
/* Back to power-on state, links to physical interrupts kept; no vCPU is loaded. For a reboot. */
void vgic_domain_reset(struct domain *d);
/* Give the memory back; no vCPU is loaded and no physical interrupt linked any more. */
void vgic_domain_destroy(struct domain *d);
/* One vCPU's redistributor and CPU interface to power-on state (PSCI CPU_ON). It is not loaded. */
void vgic_vcpu_reset(struct vcpu *v);

/* Affinity (MPIDR_EL1 Aff2..Aff0) of a vCPU: 16 per cluster, as Xen numbers them. */
static inline uint32_t vgic_affinity(uint32_t vcpu_id)
{
    return (vcpu_id & 15u) | (vcpu_id >> 4) << 8;
}

enum vgic_outcome {
    VGIC_NOT_MINE, /* not an address of the interrupt controller */
    VGIC_DONE,     /* handled: the guest continues after the instruction */
    VGIC_RETRY,    /* state is on another CPU, which has been asked for it: the guest runs the
                      instruction again (its interrupts may be taken before) */
};

/* A trapped access by `v`, which is current. Any address, value and width. */
enum vgic_outcome vgic_mmio(struct vcpu *v, struct mmio_access *a);

/* Trapped ICC_SGI1R_EL1, ICC_ASGI1R_EL1 and ICC_SGI0R_EL1 writes; v3 only. Any value. */
enum vgic_sgi_reg { VGIC_SGI1R, VGIC_ASGI1R, VGIC_SGI0R };
void vgic_send_sgi(struct vcpu *v, enum vgic_sgi_reg reg, uint64_t value);

/*
 * An edge (or message) arrives: pending until acknowledged. INTIDs below 32 are `v`'s own; SPIs go
 * where the guest routed them, `v` is any vCPU of the domain. Unknown INTIDs are ignored. Any CPU;
 * no lock of rank VGIC_DIST or higher is held.
 */
void vgic_inject(struct vcpu *v, uint32_t intid);

/* The physical interrupt of `v`, which is loaded here, to which private `intid` is linked (VIRQ_VTIMER,
 * VIRQ_PMU) fired: it stays active until the guest ends the virtual one. */
void vgic_linked_fired(struct vcpu *v, uint32_t intid);
/* The input line of an interrupt is now high or low. Otherwise like vgic_inject(). */
void vgic_set_level(struct vcpu *v, uint32_t intid, bool high);

/*
 * Link a virtual SPI to a physical one: vgic_inject() of it then means that the physical one fired,
 * was acknowledged and had its priority dropped; the guest's deactivation ends the physical one.
 * -XEN_EINVAL: no such SPI.
 */
must_check int vgic_link_spi(struct domain *d, uint32_t intid, uint16_t physical);
void vgic_unlink_spi(struct domain *d, uint32_t intid);
/* The vCPU that an SPI goes to just now; VGIC_NOBODY: none, or there is no such SPI. */
uint8_t vgic_spi_target(struct domain *d, uint32_t intid);

/* WORK_VGIC of the current vCPU (the caller has cleared the bit first): bring list registers up to
 * date. */
void vgic_flush(struct vcpu *v);
/* The maintenance interrupt, for the vCPU loaded here: when this returns its cause is gone. */
void vgic_maintenance(struct vcpu *v);
/* Called on any IPI for the vCPU loaded here, running or blocked: serves other CPUs' requests to
 * fold. */
void vgic_serve(struct vcpu *v);

/* True if an interrupt would wake `v`, which is loaded here, from WFI: enabled, urgent enough, not
 * active. */
bool vgic_has_pending(struct vcpu *v);

/* `v` leaves this CPU, or comes to it. Its virtual timer is looked at: before vtimer_save(), and before
 * vtimer_restore(). */
void vgic_save(struct vcpu *v);
void vgic_restore(struct vcpu *v);

#endif

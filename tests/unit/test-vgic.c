/*
 * The virtual interrupt controller, one rule at a time: registers as the
 * architecture has them, what costs nothing, what a hostile guest can try.
 * Delivery in general is test-vgic-prop.c's.
 */
#include "vgic-model.h"

#include <hyp/cpu.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>
#include <cmocka.h>

static void take(unsigned vcpu, unsigned intid)
{
    assert_int_equal(model_next(vcpu), intid);
    model_eoi(model_vcpu(vcpu), intid);
}

static void good_v3_identification(void **state)
{
    struct vcpu *v;

    model_start(3, 40);
    v = model_vcpu(0);
    assert_int_equal(model_read(v, DIST(0x0), 4), 0x53);        /* DS, ARE, both groups */
    assert_int_equal(model_read(v, DIST(0x4), 4) & 0x1f, 2);    /* 96 interrupts */
    assert_int_equal(model_read(v, DIST(0x4), 4) >> 25 & 1, 1); /* No1N */
    assert_int_equal(model_read(v, DIST(0x8), 4), 0x4200043b);
    assert_int_equal(model_read(v, DIST(0xffe8), 4) >> 4 & 15, 3); /* architecture revision */
    assert_int_equal(model_read(v, RD(1, 0xffe8), 4) >> 4 & 15, 3);
    assert_int_equal(model_read(v, RD(1, 0x4), 4), 0x4200043b);
    assert_int_equal(model_read(v, RD(1, 0x8), 8), 1ull << 32 | 1 << 8);
    assert_int_equal(model_read(v, RD(2, 0x8), 8), 2ull << 32 | 2 << 8 | 1 << 4); /* Last */
    assert_int_equal(model_read(v, RD(2, 0xc), 4), 2);
    assert_int_equal(model_read(v, RD(2, 0x8), 4), 2 << 8 | 1 << 4);
    assert_int_equal(model_read(v, RD(0, 0x0), 4), 0);
}

static void good_v2_identification(void **state)
{
    struct vcpu *v;

    model_start(2, 40);
    v = model_vcpu(1);
    assert_int_equal(model_read(v, DIST(0x0), 4), 1); /* without groups there is one enable */
    assert_int_equal(model_read(v, DIST(0x4), 4), 2 | 2 << 5);
    assert_int_equal(model_read(v, DIST(0x8), 4), 0x4200043b);
    assert_int_equal(model_read(v, DIST(0xfe8), 4) >> 4 & 15, 2);
    assert_int_equal(model_read(v, DIST(0x800), 4), 0x02020202); /* its own bit */
    assert_int_equal(model_read(v, DIST(0x81f), 1), 2);
    assert_int_equal(model_read(v, DIST(0x820), 4), 0x01010101);
    model_write(v, DIST(0x080), 4, ~0u);
    assert_int_equal(model_read(v, DIST(0x080), 4), 0); /* no groups */
}

static void good_waker_sleeps_and_wakes(void **state)
{
    model_start(3, 32);
    assert_int_equal(model_read(model_vcpu(0), RD(0, 0x14), 4), 6);
    model_write(model_vcpu(0), RD(0, 0x14), 4, 0);
    assert_int_equal(model_read(model_vcpu(0), RD(0, 0x14), 4), 0);
    model_write(model_vcpu(0), RD(0, 0x14), 4, 2);
    assert_int_equal(model_read(model_vcpu(0), RD(0, 0x14), 4), 6);
}

static void good_interrupts_beyond_nr_spis_are_absent(void **state)
{
    struct vcpu *v;

    model_start(3, 40);
    v = model_vcpu(0);
    model_write(v, DIST(0x108), 4, ~0u);
    assert_int_equal(model_read(v, DIST(0x108), 4), 0xff); /* 64..71 */
    assert_int_equal(model_read(v, DIST(0x10c), 4), 0);
    model_write(v, DIST(0x400 + 72), 1, 0xa0);
    assert_int_equal(model_read(v, DIST(0x400 + 72), 1), 0);
    model_write(v, DIST(0x6000 + 8 * 72), 8, 1);
    assert_int_equal(model_read(v, DIST(0x6000 + 8 * 72), 8), 0);
    vgic_inject(v, 72);
    vgic_inject(v, 1019);
    vgic_inject(v, ~0u);
    vgic_set_level(v, 5000, true);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    assert_int_equal(vgic_link_spi(model_domain, 72, 100), -XEN_EINVAL);
    vgic_unlink_spi(model_domain, 72);
    model_start(3, 0);
    assert_null(model_domain->vgic.spi);
    assert_int_equal(model_read(model_vcpu(0), DIST(0x4), 4) & 0x1f, 0);
    vgic_inject(model_vcpu(0), 32);
}

static void good_maximum_of_spis(void **state)
{
    model_start(3, 988);
    model_write(model_vcpu(0), DIST(0x6000 + 8 * 1019), 8, 1);
    vgic_inject(model_vcpu(0), 1019);
    take(1, 1019);
    assert_int_equal(model_read(model_vcpu(0), DIST(0x104 + 30 * 4), 4), 0x0fffffff);
}

static void bad_configurations_are_refused(void **state)
{
    struct vgic_config c = {.version = 3, .nr_spis = 989};

    model_boot(3, 0);
    assert_int_equal(vgic_domain_init(model_domain, &c), -XEN_EINVAL);
    c.nr_spis = 32;
    c.version = 4;
    assert_int_equal(vgic_domain_init(model_domain, &c), -XEN_EINVAL);
    c.version = 3;
    model_domain->hyp_frames_max = model_domain->hyp_frames;
    assert_int_equal(vgic_domain_init(model_domain, &c), -XEN_ENOMEM);
    struct domain *many = fake_domain(2, "many", 9);
    c.version = 2;
    assert_int_equal(vgic_domain_init(many, &c), -XEN_EINVAL);
}

static void good_memory_comes_back(void **state)
{
    model_boot(3, 988);
    assert_int_equal(model_domain->hyp_frames, 4);
    model_switch(0, NULL);
    model_switch(1, NULL);
    vgic_domain_destroy(model_domain);
    assert_int_equal(model_domain->hyp_frames, 0);
}

static void good_state_is_small(void **state)
{
    assert_in_range(sizeof(struct vgic_cpu), 1, 320);
    assert_in_range(sizeof(struct vgic_spi_bank), 1, 384);
}

static void good_priorities_have_five_bits(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    model_write(v, DIST(0x420), 4, 0xffa74f07);
    assert_int_equal(model_read(v, DIST(0x420), 4), 0xf8a04800);
    model_write(v, SGIF(1, 0x404), 2, 0xffff);
    assert_int_equal(model_read(v, SGIF(1, 0x404), 4), 0xf8f8);
    model_write(v, DIST(0x400), 4, ~0u); /* private ones are the redistributor's */
    assert_int_equal(model_read(v, DIST(0x400), 4), 0);
}

static void good_configuration_of_sgis_is_fixed(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    model_write(v, SGIF(0, 0xc00), 4, 0);
    assert_int_equal(model_read(v, SGIF(0, 0xc00), 4), 0xaaaaaaaa);
    model_write(v, SGIF(0, 0xc04), 4, ~0u);
    assert_int_equal(model_read(v, SGIF(0, 0xc04), 4),
                     0xaaaaaaaa); /* only the upper bits are there */
    model_write(v, DIST(0xc08), 4, 2);
    assert_int_equal(model_read(v, DIST(0xc08), 4), 2);
    assert_int_equal(model_read(v, DIST(0xc00), 4), 0);
}

static void good_sgi_targets(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    vgic_send_sgi(v, VGIC_SGI1R, 3u << 24 | 2); /* vCPU 1 */
    take(1, 3);
    vgic_send_sgi(v, VGIC_SGI1R, 1ull << 40 | 4u << 24); /* all but itself */
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    take(1, 4);
    const uint64_t nobody[] = {1ull << 16, 1ull << 32, 1ull << 48, 1ull << 44, 0};
    for (unsigned i = 0; i < 5; i++) { /* other clusters, range selector */
        vgic_send_sgi(v, VGIC_SGI1R, nobody[i] | 5u << 24 | (nobody[i] ? 0xffff : 0));
    }
    vgic_send_sgi(v, VGIC_SGI1R, 6u << 24 | 0xfff8); /* no such vCPUs */
    vgic_send_sgi(v, VGIC_SGI0R, 7u << 24 | 3);      /* it is in group 1 */
    vgic_send_sgi(v, VGIC_ASGI1R, 7u << 24 | 3);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    assert_int_equal(model_next(1), MODEL_SPURIOUS);
    model_write(v, SGIF(1, 0x80), 4, 0); /* group 0: all three registers reach it */
    vgic_send_sgi(v, VGIC_SGI0R, 7u << 24 | 3);
    take(1, 7);
    model_domain->vgic.version = 2; /* the trap is not for GICv2 guests */
    vgic_send_sgi(v, VGIC_SGI1R, 8u << 24 | 1);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
}

static void good_v2_sgis_remember_senders(void **state)
{
    model_start(2, 32);
    model_write(model_vcpu(0), DIST(0xf00), 4, 2u << 16 | 5);
    model_write(model_vcpu(1), DIST(0xf00), 4, 2u << 24 | 5); /* itself */
    assert_int_equal(model_read(model_vcpu(1), DIST(0xf24), 4) >> 8, 3);
    take(1, 5 | 0 << 10);
    take(1, 5 | 1 << 10);
    model_write(model_vcpu(0), DIST(0xf00), 4, 1u << 24 | 9); /* all others */
    model_write(model_vcpu(0), DIST(0xf00), 4, 3u << 24 | 9); /* reserved */
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    take(1, 9);
    model_write(model_vcpu(0), DIST(0xf2b), 1, 6); /* pending from 1 and 2, by register */
    model_write(model_vcpu(0), DIST(0xf1b), 1, 2);
    assert_int_equal(model_read(model_vcpu(0), DIST(0xf1b), 1), 4);
    take(0, 11 | 2 << 10);
    model_write(model_vcpu(0), DIST(0x200), 4, 1 << 3); /* ISPENDR of SGIs is ignored */
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
}

static void good_v2_targets(void **state)
{
    struct vcpu *v;

    model_start(2, 32);
    v = model_vcpu(0);
    model_write(v, DIST(0x820), 4, 0xff060201);
    assert_int_equal(model_read(v, DIST(0x820), 4), 0x07060201);
    vgic_inject(v, 33);
    take(1, 33);
    vgic_inject(v, 34); /* 1 of N: the first of them */
    take(1, 34);
    model_write(v, DIST(0x823), 1, 0);
    vgic_inject(v, 35);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    assert_int_equal(model_read(v, DIST(0x204), 4), 8); /* it waits */
    model_write(v, DIST(0x823), 1, 1);
    take(0, 35);
}

static void good_routes(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    uint64_t at = DIST(0x6000 + 8 * 40);
    model_write(v, at, 8, 0xff80000001ull);
    assert_int_equal(model_read(v, at, 8), 1); /* no Aff3, no 1-of-N */
    model_write(v, at, 4, 0x10000);
    assert_int_equal(model_read(v, at, 4), 0x10000);
    assert_int_equal(model_read(v, at + 4, 4), 0);
    vgic_inject(v, 40);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    model_write(v, at, 4, 0x10); /* Aff0 above 15 is nobody */
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    model_write(v, at, 4, 1);
    take(1, 40);
}

/* A route that changes while the interrupt is active: it ends where it is, the next one goes there. */
static void good_migration_while_active(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    vgic_inject(v, 40);
    assert_int_equal(model_next(0), 40);
    model_write(v, DIST(0x6000 + 8 * 40), 8, 1);
    vgic_inject(v, 40);
    assert_int_equal(model_next(1), MODEL_SPURIOUS);
    assert_int_equal(model_read(v, DIST(0x304), 4), 0x100);
    assert_int_equal(model_read(v, DIST(0x204), 4), 0x100);
    model_eoi(v, 40);
    take(1, 40);
}

static void good_disable_takes_back_what_is_pending(void **state)
{
    model_start(3, 32);
    vgic_inject(model_vcpu(0), 40); /* into vCPU 0's list register */
    model_settle();
    model_write(model_vcpu(1), DIST(0x184), 4, 0x100);
    model_on(1);
    struct mmio_access a = {.at = gpa(DIST(0)), .size = 4};
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_DONE);
    assert_int_equal(a.value >> 31, 1); /* RWP: not yet there */
    a.at = gpa(RD(0, 0));
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_DONE);
    assert_int_equal(a.value, 8);
    model_settle();
    assert_int_equal(model_read(model_vcpu(1), DIST(0), 4) >> 31, 0);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    model_write(model_vcpu(1), DIST(0x104), 4, 0x100);
    take(0, 40);
}

/* A read of what another CPU holds is tried again until that CPU has told. */
static void good_reads_ask_the_holder(void **state)
{
    struct mmio_access a = {.at = gpa(DIST(0x304)), .size = 4};

    model_start(3, 32);
    vgic_inject(model_vcpu(0), 40);
    assert_int_equal(model_next(0), 40);
    model_on(1);
    unsigned kicks = fake_hw[0].kicks;
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_RETRY);
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_RETRY);
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_RETRY);
    assert_in_range(fake_hw[0].kicks - kicks, 1, 2); /* asked once */
    model_settle();
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_DONE);
    assert_int_equal(a.value, 0x100);
    model_eoi(model_vcpu(0), 40);
}

/* The holder sleeps in WFI with the interrupt active: its CPU answers all the same, and it still wakes. */
static void good_a_sleeping_holder_answers(void **state)
{
    struct mmio_access a = {.at = gpa(DIST(0x304)), .size = 4};

    model_start(3, 32);
    vgic_inject(model_vcpu(0), 40);
    assert_int_equal(model_next(0), 40);
    assert_true(model_wfi(model_vcpu(0)));
    model_on(1);
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_RETRY);
    model_settle();
    assert_int_equal(vgic_mmio(model_vcpu(1), &a), VGIC_DONE);
    assert_int_equal(a.value, 0x100);
    model_eoi(model_vcpu(0), 40);
    model_settle();
    vgic_send_sgi(model_vcpu(1), VGIC_SGI1R, 1);
    take(0, 0);
}

static void good_overflow_in_few_traps(void **state)
{
    model_start(3, 32);
    for (unsigned i = 0; i < 16; i++) {
        vgic_send_sgi(model_vcpu(0), VGIC_SGI1R, i << 24 | 1);
    }
    unsigned writes = fake_hw[0].lr_writes;
    for (unsigned n = 0, seen = 0; n < 16; n++) {
        unsigned intid = model_next(0);
        assert_in_range(intid, 0, 15);
        assert_false(seen >> intid & 1);
        seen |= 1u << intid;
        model_eoi(model_vcpu(0), intid);
    }
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    assert_in_range(model_traps, 1, 5);
    assert_in_range(fake_hw[0].lr_writes - writes, 12, 24);
    assert_int_equal(fake_hw[0].ich_hcr, 1); /* no maintenance wanted any more */
}

static void good_urgent_one_overtakes_in_overflow(void **state)
{
    model_start(3, 32);
    model_write(model_vcpu(0), SGIF(0, 0x400), 4, 0xa0a0a0a0);
    model_write(model_vcpu(0), SGIF(0, 0x404), 4, 0xa0a0a008);
    for (unsigned i = 0; i < 8; i++) {
        vgic_send_sgi(model_vcpu(0), VGIC_SGI1R, (7 - i) << 24 | 1);
    }
    take(0, 4);
}

/* The same on version 2, where an SGI's list register also says who sent it. */
static void good_v2_urgent_one_overtakes_in_overflow(void **state)
{
    struct vcpu *v;

    model_start(2, 32);
    fake_lr_count = 4;
    v = model_vcpu(0);
    for (unsigned i = 0; i < 8; i++) {
        model_write(v, DIST(0x400 + i), 1, 0x90 - 0x10 * i);
    }
    for (unsigned i = 0; i < 8; i++) { /* each is more urgent than those before it */
        model_write(v, DIST(0xf00), 4, 2u << 24 | i);
    }
    for (unsigned i = 8; i-- > 0;) {
        take(0, i);
    }
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    assert_int_equal(fake_hw[0].ich_hcr, 1);
}

static void good_short_way_reads_no_list_register(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    unsigned reads = fake_hw[0].lr_reads, writes = fake_hw[0].lr_writes, notified = v->work;
    for (unsigned i = 0; i < 100; i++) {
        model_on(0);
        vgic_send_sgi(v, VGIC_SGI1R, 1);
        assert_int_equal(v->work, notified);
        take(0, 0);
    }
    assert_int_equal(fake_hw[0].lr_reads, reads);
    assert_int_equal(fake_hw[0].lr_writes, writes + 100);
}

static void good_level_follows_its_line(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    vgic_set_level(v, 40, true);
    model_settle();
    vgic_set_level(v, 40, false); /* gone before it was taken */
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    vgic_set_level(v, 40, true);
    assert_int_equal(model_next(0), 40);
    model_eoi(v, 40); /* still high: again, and that takes a maintenance interrupt */
    assert_int_equal(model_next(0), 40);
    assert_int_equal(model_traps, 1);
    vgic_set_level(v, 40, false); /* the handler quieted the device: no trap at the end */
    model_settle();
    model_eoi(v, 40);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    assert_int_equal(model_traps, 1);
    vgic_set_level(v, 40, false);
}

static void good_wfi_looks_at_the_interface(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    model_write(v, DIST(0x428), 1, 0x80);
    assert_true(model_wfi(v));
    vgic_inject(v, 40);
    model_settle();
    assert_ptr_equal(cpus[0]->current, v); /* woken */
    assert_false(model_wfi(v));
    model_cpu_interface(v, 3, 0x80, false); /* not urgent enough */
    assert_true(model_wfi(v));
    model_switch(0, v);
    model_settle();
    model_cpu_interface(v, 1, 0xf0, false); /* its group is off */
    assert_true(model_wfi(v));
    model_switch(0, v);
    model_settle();
    model_cpu_interface(v, 3, 0xf0, false);
    assert_false(model_wfi(v));
    assert_int_equal(model_next(0), 40);
    vgic_inject(v, 41);
    model_write(v, DIST(0x429), 1, 0x80);
    model_settle();
    assert_true(model_wfi(v)); /* cannot preempt what is being handled */
}

static void good_linked_spi(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    assert_int_equal(vgic_link_spi(model_domain, 40, 99), 0);
    model_device_fire(99, 40);
    assert_int_equal(model_next(0), 40);
    assert_int_equal(fake_irq_active[99], 1);
    model_eoi(v, 40);
    assert_int_equal(fake_irq_active[99], 0); /* by the guest's end of it, without us */
    model_device_fire(99, 40);
    model_settle();
    model_write(v, DIST(0x284), 4, 0x100); /* cleared instead of taken */
    model_settle();
    assert_int_equal(fake_irq_active[99], 0);
    model_device_fire(99, 40);
    assert_int_equal(model_next(0), 40);
    model_write(model_vcpu(1), DIST(0x384), 4, 0x100); /* deactivated by register, on another CPU */
    model_settle();
    assert_int_equal(fake_irq_active[99], 0);
    model_device_fire(99, 40);
    model_settle();
    model_switch(0, NULL);
    model_switch(1, NULL);
    vgic_unlink_spi(model_domain, 40);
    assert_int_equal(fake_irq_active[99], 0);
}

static void good_resets(void **state)
{
    struct model_info info;
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    assert_int_equal(vgic_link_spi(model_domain, 40, 99), 0);
    model_device_fire(99, 40);
    vgic_inject(v, 41);
    model_switch(0, NULL);
    vgic_vcpu_reset(v);
    assert_true(model_info(v, 27, &info));
    assert_false(info.enabled);
    assert_true(info.hw);
    model_switch(0, v); /* SPIs that waited for it are not lost */
    model_cpu_interface(v, 3, 0xf0, false);
    assert_int_equal(model_next(0), 40);
    model_switch(0, NULL);
    model_switch(1, NULL);
    vgic_domain_reset(model_domain);
    assert_int_equal(fake_irq_active[99], 0);
    assert_true(model_info(v, 40, &info));
    assert_true(info.hw && !info.pending && !info.active && !info.enabled);
    assert_false(model_info(v, 64, &info));
}

static void good_addresses_of_others(void **state)
{
    static const uint64_t at[] = {0, DIST(0x10000), RD(3, 0), RD(0, 0) - 4, ~0ull};
    struct mmio_access a = {.size = 4};

    model_start(3, 32);
    for (unsigned i = 0; i < 5; i++) {
        a.at = gpa(at[i]);
        assert_int_equal(vgic_mmio(model_vcpu(0), &a), VGIC_NOT_MINE);
    }
    model_start(2, 32);
    a.at = gpa(DIST(0x1000));
    assert_int_equal(vgic_mmio(model_vcpu(0), &a), VGIC_NOT_MINE);
}

static void good_reserved_registers_read_zero(void **state)
{
    static const uint16_t reserved[] = {0xc,   0x10,  0x40,   0x48,   0xd00,
                                        0xe00, 0xf00, 0x5000, 0x9000, 0xc000};

    model_start(3, 32);
    for (unsigned i = 0; i < 10; i++) {
        model_write(model_vcpu(0), DIST(reserved[i]), 4, ~0u);
        assert_int_equal(model_read(model_vcpu(0), DIST(reserved[i]), 4), 0);
        if (reserved[i] != 0xc) {
            model_write(model_vcpu(0), RD(0, reserved[i]), 4, ~0u);
            assert_int_equal(model_read(model_vcpu(0), RD(0, reserved[i]), 4), 0);
        }
    }
    model_write(model_vcpu(0), DIST(0x104), 4, 0x100);
    for (unsigned reg = 0x80; reg < 0x400;
         reg += 0x80) { /* of extended PPIs, which there are not */
        model_write(model_vcpu(0), SGIF(0, reg + 4), 4, ~0u);
        assert_int_equal(model_read(model_vcpu(0), SGIF(0, reg + 4), 4), 0);
    }
    model_write(model_vcpu(0), SGIF(0, 0x420), 4, ~0u);
    model_write(model_vcpu(0), SGIF(0, 0xc08), 4, ~0u);
    assert_int_equal(model_read(model_vcpu(0), SGIF(0, 0xc08), 4), 0);
    assert_int_equal(model_read(model_vcpu(0), DIST(0x420), 4), 0);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    for (unsigned size = 1; size <= 8; size *= 2) { /* wrong widths */
        if (size != 4) {
            assert_int_equal(model_read(model_vcpu(0), DIST(0x100), size), 0);
            assert_int_equal(model_read(model_vcpu(0), DIST(0), size), 0);
            assert_int_equal(model_read(model_vcpu(0), RD(0, 0x14), size), 0);
            assert_int_equal(model_read(model_vcpu(0), DIST(0xc08), size), 0);
        }
    }
    assert_int_equal(model_read(model_vcpu(0), DIST(0x420), 8), 0);
    assert_int_equal(model_read(model_vcpu(0), DIST(0x6000 + 8 * 40), 2), 0);
    model_start(2, 32);
    assert_int_equal(model_read(model_vcpu(0), DIST(0x820), 8), 0);
    assert_int_equal(model_read(model_vcpu(0), DIST(0xf10), 8), 0);
    assert_int_equal(model_read(model_vcpu(0), DIST(4), 8), 0);
}

/* Any access, any SGI, any state of list registers a guest can make: no check fails, no lock stays taken. */
static void fuzz(unsigned version, unsigned seed)
{
    model_boot(version, 100);
    fake_lr_count = 1 + seed % 5;
    model_switch(0, model_vcpu(0));
    model_switch(1, model_vcpu(1));
    srand(seed);
    for (unsigned n = 0; n < 4000; n++) {
        struct vcpu *v = model_vcpu((unsigned)rand() % MODEL_VCPUS);
        unsigned priority, size = 1u << rand() % 4;
        uint64_t value = (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
        uint64_t at = rand() % 2 ? DIST((uint64_t)rand() % (version == 3 ? 0x10000 : 0x1000))
                                 : DIST((uint64_t)rand() % 0x1000);
        if (version == 3 && rand() % 3 == 0) {
            at = RD((unsigned)rand() % MODEL_VCPUS,
                    (unsigned)rand() % 2 * 0x10000 + (unsigned)rand() % 0x1000);
        }
        if (!v->cpu || !v->cpu->current) {
            model_switch((unsigned)rand() % MODEL_CPUS, v);
        }
        switch (rand() % 8) {
        case 0:
            model_on_vcpu(v);
            vgic_send_sgi(v, (enum vgic_sgi_reg)(rand() % 3), value);
            break;
        case 1:
            model_ack(v, &priority);
            break;
        case 2:
            model_eoi(v, (unsigned)rand() % 140);
            break;
        case 3:
            model_cpu_interface(v, (unsigned)rand() % 4, (unsigned)rand() % 256, rand() % 2);
            model_deactivate(v, (unsigned)rand() % 140);
            break;
        case 4:
            model_wfi(v);
            break;
        case 5:
            model_read(v, at & ~(size - 1ull), size);
            break;
        default:
            model_write(v, at & ~(size - 1ull), size, value);
            break;
        }
        if (rand() % 3 == 0) {
            model_settle();
        }
    }
    model_settle();
}

static void good_hostile_guests(void **state)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        fuzz(2 + seed % 2, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_v3_identification),
        cmocka_unit_test(good_v2_identification),
        cmocka_unit_test(good_waker_sleeps_and_wakes),
        cmocka_unit_test(good_interrupts_beyond_nr_spis_are_absent),
        cmocka_unit_test(good_maximum_of_spis),
        cmocka_unit_test(bad_configurations_are_refused),
        cmocka_unit_test(good_memory_comes_back),
        cmocka_unit_test(good_state_is_small),
        cmocka_unit_test(good_priorities_have_five_bits),
        cmocka_unit_test(good_configuration_of_sgis_is_fixed),
        cmocka_unit_test(good_sgi_targets),
        cmocka_unit_test(good_v2_sgis_remember_senders),
        cmocka_unit_test(good_v2_targets),
        cmocka_unit_test(good_routes),
        cmocka_unit_test(good_migration_while_active),
        cmocka_unit_test(good_disable_takes_back_what_is_pending),
        cmocka_unit_test(good_reads_ask_the_holder),
        cmocka_unit_test(good_a_sleeping_holder_answers),
        cmocka_unit_test(good_overflow_in_few_traps),
        cmocka_unit_test(good_urgent_one_overtakes_in_overflow),
        cmocka_unit_test(good_v2_urgent_one_overtakes_in_overflow),
        cmocka_unit_test(good_short_way_reads_no_list_register),
        cmocka_unit_test(good_level_follows_its_line),
        cmocka_unit_test(good_wfi_looks_at_the_interface),
        cmocka_unit_test(good_linked_spi),
        cmocka_unit_test(good_resets),
        cmocka_unit_test(good_addresses_of_others),
        cmocka_unit_test(good_reserved_registers_read_zero),
        cmocka_unit_test(good_hostile_guests),
    };
    return cmocka_run_group_tests_name("vgic", tests, NULL, NULL);
}

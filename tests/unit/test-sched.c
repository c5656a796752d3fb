/* What the scheduler promises, in virtual time: shares, caps, deadlines, pools, yields, races. */
#include "sched-world.h"

static void test_fair(void **state)
{
    check_shares((uint32_t[]){256, 256}, 2);
    check_shares((uint32_t[]){512, 256}, 2);
    check_shares((uint32_t[]){1024, 256}, 2);
    check_shares((uint32_t[]){1024, 512, 256}, 3);
    check_shares((uint32_t[]){256, 256, 256, 256, 256, 256, 256, 256}, 8);
    check_shares((uint32_t[]){1000, 100, 300, 77}, 4);
}

/* Three that compute on two CPUs: who has one to itself changes, so each gets two thirds; likewise five on three, seven on four. */
static void test_fair_across_cpus(void **state)
{
    for (unsigned cpu_number = 2; cpu_number <= 4; cpu_number++) {
        unsigned hogs = 2 * cpu_number - 1;
        machine(cpu_number);
        for (unsigned i = 0; i < hogs; i++) {
            online(simple(256, TICKS_NEVER, 0));
        }
        run_for(10 * SECOND);
        for (unsigned i = 0; i < hogs; i++) {
            assert_near(runtime(&guests[i]), 10 * SECOND * cpu_number / hogs, 50);
        }
    }
    machine(2); /* twice the weight is worth a CPU */
    for (unsigned i = 0; i < 3; i++) {
        online(simple(i == 1 ? 512 : 256, TICKS_NEVER, 0));
    }
    run_for(10 * SECOND);
    assert_near(runtime(&guests[0]), 5 * SECOND, 50);
    assert_near(runtime(&guests[1]), 10 * SECOND, 50);
}

/* Where all CPUs have the same to do, nobody moves. */
static void test_stays_at_home(void **state)
{
    machine(2);
    for (unsigned i = 0; i < 4; i++) {
        online(simple(256, TICKS_NEVER, 0));
    }
    run_for(100 * MS);
    struct cpu *homes[] = {guests[0].v->sched.home, guests[1].v->sched.home,
                           guests[2].v->sched.home, guests[3].v->sched.home};
    run_for(SECOND);
    for (unsigned i = 0; i < 4; i++) {
        assert_ptr_equal(guests[i].v->sched.home, homes[i]);
    }
}

/* Who ran alone, without a tick, for seconds owes those that come later nothing for that. */
static void test_fair_to_the_lonely(void **state)
{
    machine(1);
    struct guest *first = simple(256, TICKS_NEVER, 0), *second = simple(256, TICKS_NEVER, 0);
    online(first);
    run_for(5 * SECOND);
    online(second);
    uint64_t before = runtime(first);
    run_for(SECOND);
    assert_near(runtime(first) - before, SECOND / 2, 30);
}

/* A waker reads the clock, then waits for the lock: by then the CPU may have switched, later than that clock. */
static void test_late_clock(void **state)
{
    machine(1);
    struct guest *first = simple(256, TICKS_NEVER, 0), *second = simple(256, TICKS_NEVER, 0);
    online(first);
    online(second);
    run_for(SECOND / 10);
    struct sched_cpu *s = &cpus[0]->sched;
    sched_charge(s, s->since_ticks - US);
    uint64_t before = runtime(first);
    run_for(SECOND);
    assert_near(runtime(first) - before, SECOND / 2, 30);
}

/* A guest that sleeps a little after each burst must not get more than its share by that. */
static void test_fair_to_hogs(void **state)
{
    const uint64_t bursts[] = {50 * US, 300 * US, 900 * US, 3 * MS, 7 * MS};

    for (unsigned i = 0; i < ARRAY_LEN(bursts); i++) {
        machine(1);
        struct guest *hog = simple(256, TICKS_NEVER, 0);
        struct guest *trickster = simple(256, bursts[i], 1 * US);
        online(hog);
        online(trickster);
        run_for(SECOND);
        assert_true(runtime(hog) > SECOND * 48 / 100);
    }
}

/* Waking every 20 us, a guest may not make others pay for more than a switch each 200 us. */
static void test_wake_flood(void **state)
{
    machine(1);
    struct guest *hog = simple(256, TICKS_NEVER, 0);
    struct guest *flood = simple(256, 1 * US, 20 * US);

    online(hog);
    online(flood);
    run_for(SECOND);
    assert_true(cpus[0]->sched.switch_count < 2 * SECOND / (200 * US));
    assert_true(runtime(flood) > 0);
}

static void test_wake_latency(void **state)
{
    for (unsigned hogs = 1; hogs <= 6; hogs++) {
        machine(1);
        for (unsigned i = 0; i < hogs; i++) {
            online(simple(256, TICKS_NEVER, 0));
        }
        struct guest *g = simple(256, 200 * US, 20 * MS);
        online(g);
        run_for(50 * MS);
        g->worst_latency = 0;
        run_for(2 * SECOND);
        assert_true(g->worst_latency <= 2 * MS);
    }
}

static void test_no_starvation(void **state)
{
    machine(1);
    for (unsigned i = 0; i < 20; i++) {
        online(simple(i == 0 ? 1 : i == 1 ? 65535 : 256, TICKS_NEVER, 0));
    }
    run_for(20 * SECOND);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(runtime(&guests[i]) > 0);
    }
}

/* S4: alone on its CPU, neither switch nor timer. */
static void test_no_tick(void **state)
{
    machine(1);
    struct guest *g = simple(256, TICKS_NEVER, 0);
    struct guest *other = simple(256, 1 * MS, 20 * MS);

    online(g);
    online(other);
    run_for(200 * MS);
    other->sleep = 100 * SECOND;
    run_for(100 * MS);
    uint32_t programs = fake_hw[0].timer_programs;
    run_for(SECOND);
    assert_int_equal(fake_hw[0].timer_programs, programs);
    assert_true(fake_hw[0].timer_deadline_ticks == TICKS_NEVER);
}

static void test_cap(void **state)
{
    const uint32_t caps[] = {1, 10, 50, 100, 150};

    for (unsigned i = 0; i < ARRAY_LEN(caps); i++) {
        machine(4);
        struct domain *d = domain(3);
        set_share(d, 256, caps[i]);
        for (unsigned k = 0; k < 3; k++) {
            online(guest(d->vcpu[k], TICKS_NEVER, 0));
        }
        run_for(SECOND);
        uint64_t sum = runtime(&guests[0]) + runtime(&guests[1]) + runtime(&guests[2]);
        assert_near(sum, SECOND * caps[i] / 100, 30);
    }
    machine(1); /* with competition: cap 20 % of one hog, the rest is the other's */
    struct guest *capped = simple(256, TICKS_NEVER, 0), *hog = simple(256, TICKS_NEVER, 0);
    set_share(capped->v->domain, 256, 20);
    online(capped);
    online(hog);
    run_for(SECOND);
    assert_near(runtime(capped), SECOND / 5, 30);
    assert_near(runtime(hog), SECOND * 4 / 5, 30);
    set_share(capped->v->domain, 256, 0); /* and back */
    run_for(SECOND);
    assert_near(runtime(capped), SECOND / 5 + SECOND / 2, 30);
}

static struct guest *realtime(uint64_t budget, uint64_t period, uint64_t run, uint64_t sleep)
{
    struct domain *d = domain(1);
    struct sched_params p = {
        .class = SCHED_REALTIME, .budget_ticks = budget, .period_ticks = period};

    assert_int_equal(sched_set(d, &p), 0);
    return guest(d->vcpu[0], run, sleep);
}

/* Each gets its whole budget in each of its periods, whatever the others want; and no more. */
static void test_deadlines(void **state)
{
    static const uint64_t set[][2] = {{1, 4}, {2, 10}, {6, 25}, {10, 100}, {1, 8}};
    uint64_t before[ARRAY_LEN(set)];

    machine(1);
    for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
        online(realtime(set[i][0] * MS, set[i][1] * MS, TICKS_NEVER, 0));
    }
    online(simple(65535, TICKS_NEVER, 0));
    for (unsigned n = 0; n < 500; n++) {
        for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
            before[i] = runtime(&guests[i]);
        }
        run_for(200 * MS); /* a multiple of all periods */
        for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
            uint64_t expected = 200 * MS * set[i][0] / set[i][1];
            uint64_t got = runtime(&guests[i]) - before[i];
            assert_true(got <= expected + set[i][0] * MS && got + set[i][0] * MS >= expected);
        }
    }
    /* What is not promised, 12.5 %, is the share class's. */
    assert_near(runtime(&guests[ARRAY_LEN(set)]), fake_counter_ticks * 85 / 1000, 40);
}

/* A real-time guest that sleeps between bursts within its budget is never late by more than its
 * period. */
static void test_realtime_latency(void **state)
{
    machine(1);
    for (unsigned i = 0; i < 4; i++) {
        online(simple(65535, TICKS_NEVER, 0));
    }
    struct guest *one = realtime(2 * MS, 10 * MS, 1 * MS, 9 * MS);
    struct guest *two = realtime(3 * MS, 20 * MS, 2 * MS, 18 * MS);
    online(one);
    online(two);
    run_for(5 * SECOND);
    assert_true(one->worst_latency <= 3 * MS);
    assert_true(two->worst_latency <= 3 * MS);
    assert_true(runtime(one) > 5 * SECOND * 95 / 1000);
}

static void test_admission(void **state)
{
    machine(2);
    struct domain *d = domain(4);
    struct sched_params p = {
        .class = SCHED_REALTIME, .budget_ticks = 6 * MS, .period_ticks = 10 * MS};

    assert_int_equal(sched_set(d, &p), -XEN_ENOSPC); /* 4 x 60 % on 2 CPUs */
    assert_int_equal(cpus[0]->sched.rt_reserved + cpus[1]->sched.rt_reserved, 0);
    p.budget_ticks = 4 * MS;
    assert_int_equal(sched_set(d, &p), 0);
    p.budget_ticks = 6 * MS;
    assert_int_equal(sched_set(d, &p), -XEN_ENOSPC); /* and the old promise stands */
    assert_true(cpus[0]->sched.rt_reserved + cpus[1]->sched.rt_reserved > (1u << 20) * 3 / 2);
    p.budget_ticks = 11 * MS;
    assert_int_equal(sched_set(d, &p), -XEN_EINVAL);
    p = (struct sched_params){.class = SCHED_SHARE};
    assert_int_equal(sched_set(d, &p), -XEN_EINVAL);
    p.weight = 70000;
    assert_int_equal(sched_set(d, &p), -XEN_EINVAL);
    assert_int_equal(sched_set_affinity(d->vcpu[0], 0), -XEN_EINVAL);
    assert_int_equal(sched_set_affinity(d->vcpu[0], 1ull << 5), -XEN_EINVAL);
    set_share(d, 256, 0);
    assert_int_equal(cpus[0]->sched.rt_reserved + cpus[1]->sched.rt_reserved, 0);
}

static void test_dedicated(void **state)
{
    machine(3);
    struct guest *g[4];
    for (unsigned i = 0; i < 4; i++) {
        g[i] = simple(256, TICKS_NEVER, 0);
        online(g[i]);
    }
    run_for(50 * MS);
    struct domain *d = domain(2);
    struct sched_params p = {.class = SCHED_DEDICATED};
    fake_run_on(0);
    assert_int_equal(sched_set(d, &p), 0);
    settle();
    struct guest *a = guest(d->vcpu[0], TICKS_NEVER, 0), *b = guest(d->vcpu[1], 1 * MS, 1 * MS);
    online(a);
    online(b);
    uint64_t start = fake_counter_ticks, sum = 0;
    for (unsigned i = 0; i < 4; i++) {
        sum += runtime(g[i]);
    }
    run_for(SECOND);
    assert_true(runtime(a) == fake_counter_ticks - start);
    for (unsigned i = 0; i < 4; i++) { /* all four are on the CPU that is left */
        sum -= runtime(g[i]);
    }
    assert_near(0 - sum, SECOND, 10);
    struct domain *third = domain(2);
    assert_int_equal(sched_set(third, &p), -XEN_ENOSPC);
    assert_int_equal(sched_set_affinity(g[0]->v, sched_bit(a->v->sched.home)), -XEN_EBUSY);
    set_share(d, 256, 0);
    settle();
    assert_int_equal(sched_dedicated_mask, 0);
    run_for(100 * MS);
}

static void test_steal_and_spread(void **state)
{
    machine(4);
    for (unsigned i = 0; i < 4; i++) { /* all start on CPU 0, then may go anywhere */
        struct guest *g = simple(256, TICKS_NEVER, 0);
        assert_int_equal(sched_set_affinity(g->v, 1), 0);
        online(g);
    }
    run_for(20 * MS);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(sched_set_affinity(guests[i].v, ~0ull), 0);
    }
    run_for(20 * MS);
    uint64_t before = runtime(&guests[0]);
    run_for(100 * MS);
    assert_true(runtime(&guests[0]) - before == 100 * MS);
}

/* S5: who leaves a pool's CPU behind is where the pool is now, and back where it was asked to be. */
static void test_pools(void **state)
{
    machine(3);
    struct guest *a = simple(256, TICKS_NEVER, 0), *b = simple(256, TICKS_NEVER, 0);
    assert_int_equal(sched_set_affinity(a->v, 4), 0);
    online(a);
    online(b);
    run_for(20 * MS);
    sched_pool_cpus[0] = 3;
    sched_pool_cpus[1] = 4;
    assert_int_equal(sched_set_affinity(b->v, 4), -XEN_EINVAL); /* CPU 2 is another pool's */
    a->v->domain->sched.cpupool = 1;
    assert_int_equal(sched_follow_pool(a->v), 0);
    assert_int_equal(sched_follow_pool(b->v), 0);
    run_for(20 * MS);
    assert_int_equal(a->v->sched.home->id, 2);
    assert_true(b->v->sched.home->id < 2);
    a->v->domain->sched.cpupool =
        0; /* what it was asked to have is not there: anywhere in the pool */
    assert_int_equal(sched_follow_pool(a->v), 0);
    run_for(20 * MS);
    assert_int_equal(a->v->sched.affinity, 3);
    sched_pool_cpus[0] = ~0ull;
    sched_pool_cpus[1] = 0;
    assert_int_equal(sched_follow_pool(b->v), 0);
    assert_true(b->v->sched.affinity == ~0ull);
}

static void test_yield(void **state)
{
    machine(1);
    struct guest *a = simple(256, TICKS_NEVER, 0), *b = simple(256, TICKS_NEVER, 0);

    online(a);
    fake_run_on(0);
    assert_false(sched_yield(a->v));
    online(b);
    for (unsigned i = 0; i < 50; i++) {
        struct vcpu *was = cpus[0]->current;
        fake_advance(10 * US);
        fake_run_on(0);
        assert_true(sched_contended(cpus[0]));
        assert_true(sched_yield(was));
        settle();
        assert_ptr_not_equal(cpus[0]->current, was);
    }
    /* What it yielded it may not take back in one piece later. */
    for (unsigned i = 0; i < 1000; i++) {
        fake_run_on(0);
        if (cpus[0]->current == a->v) {
            sched_yield(a->v);
            settle();
        }
        run_for(1 * MS);
    }
    uint64_t before = runtime(b);
    run_for(100 * MS);
    assert_true(runtime(b) - before > 40 * MS);
}

/* A spinning vCPU yields to its preempted sibling rather than to others that wait. */
static void test_yield_to_sibling(void **state)
{
    machine(1);
    struct domain *d = domain(2);
    struct guest *spinner = guest(d->vcpu[0], TICKS_NEVER, 0);
    online(spinner);
    online(simple(256, TICKS_NEVER, 0));
    online(guest(d->vcpu[1], TICKS_NEVER, 0));
    run_for(3 * MS);
    for (unsigned i = 0; i < 30 && cpus[0]->current != spinner->v; i++) {
        run_for(1 * MS);
    }
    assert_ptr_equal(cpus[0]->current, spinner->v);
    fake_run_on(0);
    sched_yield(spinner->v);
    settle();
    assert_ptr_equal(cpus[0]->current, d->vcpu[1]);
}

static void test_block_races(void **state)
{
    machine(2);
    struct guest *g = simple(256, TICKS_NEVER, 0);

    online(g);
    fake_run_on(g->v->sched.home->id);
    g->v->work |= WORK_VGIC; /* came after the caller looked */
    assert_false(sched_block(g->v));
    g->v->work = 0;
    sched_wake(g->v); /* a wake without a work bit, before it blocks */
    assert_false(sched_block(g->v));
    assert_true(sched_block(g->v));
    sched_wake(g->v); /* after it said so, before it left the CPU */
    settle();
    assert_int_equal(g->v->sched.state, SCHED_RUNNING);
}

static void test_pause(void **state)
{
    machine(2);
    struct guest *a = simple(256, TICKS_NEVER, 0);

    online(a);
    unsigned other = 1 - a->v->sched.home->id;
    fake_run_on(other);
    sched_pause(a->v);
    sched_pause(a->v);
    settle();
    assert_false(sched_is_off(a->v)); /* idle, but still loaded: that is asked for */
    settle();
    fake_run_on(other);
    assert_true(sched_is_off(a->v));
    assert_int_equal(sched_pause_sync(a->v), 0);
    sched_wake(a->v);
    sched_unpause(a->v);
    sched_unpause(a->v);
    settle();
    assert_int_equal(a->v->sched.state, SCHED_BLOCKED);
    sched_unpause(a->v);
    settle();
    assert_int_equal(a->v->sched.state, SCHED_RUNNING);
    fake_run_on(a->v->sched.home->id);
    sched_set_online(a->v, false);
    settle();
    sched_wake(a->v);
    settle();
    assert_int_equal(a->v->sched.state, SCHED_OFFLINE);
}

static void random_params(struct domain *d)
{
    struct sched_params p = {.class = SCHED_SHARE, .weight = 1 + (uint32_t)any(2000)};

    if (any(4) == 0) {
        p.cap_percent = 1 + (uint32_t)any(150);
    }
    if (any(4) == 0) {
        p.class = SCHED_REALTIME;
        p.period_ticks = (1 + any(50)) * MS;
        p.budget_ticks = 1 + any(p.period_ticks / 3);
    } else if (any(6) == 0) {
        p.class = SCHED_DEDICATED;
    }
    (void)!sched_set(d, &p);
}

/* Anything at any time from any CPU; the invariants are checked after each step. */
static void test_random(void **state)
{
    for (unsigned round = 0; round < 300; round++) {
        unsigned n = 1 + round % 5;
        uint32_t paused[GUESTS_MAX] = {0};
        seed = round + 1;
        machine(n);
        for (unsigned k = 0; k < 5; k++) {
            struct domain *d = domain(1 + k % 3);
            set_share(d, 256, 0);
            for (unsigned i = 0; i < d->vcpu_count; i++) {
                guest(d->vcpu[i], any(2) ? TICKS_NEVER : 1 + any(5 * MS), 1 + any(5 * MS));
            }
        }
        for (unsigned step = 0; step < 400; step++) {
            unsigned i = (unsigned)any(guest_count);
            struct guest *g = &guests[i];
            fake_run_on((unsigned)any(n));
            switch (any(9)) {
            case 0:
                sched_set_online(g->v, any(8) != 0);
                g->asleep = false;
                break;
            case 1:
                sched_pause(g->v);
                paused[i]++;
                break;
            case 2:
            case 3:
                if (paused[i]) {
                    sched_unpause(g->v);
                    paused[i]--;
                }
                break;
            case 4:
                (void)!sched_set_affinity(g->v, 1 + any((1ull << n) - 1));
                break;
            case 5:
                random_params(g->v->domain);
                break;
            case 6:
                if (this_cpu()->current) {
                    sched_yield(this_cpu()->current);
                }
                break;
            case 7:
                sched_is_off(g->v);
                break;
            default:
                if (!g->asleep) {
                    sched_wake(g->v);
                }
                break;
            }
            settle();
            run_for(any(2) ? any(20 * MS) : any(100 * US));
        }
        for (unsigned i = 0; i < guest_count; i++) { /* nobody is lost: all go away cleanly */
            fake_run_on(0);
            sched_set_online(guests[i].v, false);
            settle();
            sched_is_off(guests[i].v);
            settle();
            assert_true(sched_is_off(guests[i].v));
            fake_run_on(0);
            sched_vcpu_destroy(guests[i].v);
            guests[i] = guests[--guest_count];
            i--;
        }
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(cpus[i]->sched.rt_reserved, 0);
            assert_int_equal(cpus[i]->sched.assigned_count, 0);
        }
        assert_int_equal(sched_dedicated_mask, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_fair_across_cpus),
        cmocka_unit_test(test_stays_at_home),
        cmocka_unit_test(test_fair_to_the_lonely),
        cmocka_unit_test(test_late_clock),
        cmocka_unit_test(test_fair_to_hogs),
        cmocka_unit_test(test_wake_flood),
        cmocka_unit_test(test_wake_latency),
        cmocka_unit_test(test_no_starvation),
        cmocka_unit_test(test_no_tick),
        cmocka_unit_test(test_cap),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_realtime_latency),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_dedicated),
        cmocka_unit_test(test_steal_and_spread),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_yield),
        cmocka_unit_test(test_yield_to_sibling),
        cmocka_unit_test(test_block_races),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}

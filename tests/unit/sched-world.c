/* Virtual time for the scheduler: see sched-world.h. */
#include "sched-world.h"

struct guest guests[GUESTS_MAX];
unsigned guest_count;
static uint64_t run_since[MAX_CPUS];
uint64_t seed;

uint64_t any(uint64_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (seed >> 33) % below;
}

static struct guest *guest_of(const struct vcpu *v)
{
    for (unsigned i = 0; i < guest_count; i++) {
        if (guests[i].v == v) {
            return &guests[i];
        }
    }
    return NULL;
}

void machine(unsigned cpu_total)
{
    fake_boot(cpu_total, 0);
    fake_domain_free_all();
    sched_online_mask = sched_idle_mask = sched_waiting_mask = sched_dedicated_mask = 0;
    memset(guests, 0, sizeof(guests));
    guest_count = 0;
    for (unsigned i = 0; i < cpu_total; i++) {
        struct cpu *c = fake_run_on(i);
        timer_cpu_init(&c->timers);
        sched_cpu_init(c);
        sched_cpu_online(c);
        c->sched.resched = 1; /* into the idle loop */
    }
}

struct domain *domain(unsigned vcpus)
{
    static domid_t next_id;
    struct domain *d = fake_domain(++next_id, "guest", vcpus);

    for (unsigned i = 0; i < vcpus; i++) {
        d->vcpu[i]->sched = (struct sched_vcpu){0};
        sched_vcpu_init(d->vcpu[i]);
    }
    return d;
}

struct guest *guest(struct vcpu *v, uint64_t run, uint64_t sleep)
{
    struct guest *g = &guests[guest_count++];

    *g = (struct guest){
        .v = v, .run = run, .sleep = sleep, .burst_left = run, .woken_at = fake_counter_ticks};
    return g;
}

void set_share(struct domain *d, uint32_t weight, uint32_t cap)
{
    struct sched_params p = {.class = SCHED_SHARE, .weight = weight, .cap_percent = cap};
    assert_int_equal(sched_set(d, &p), 0);
}

/* A domain of one vCPU that behaves so; not yet online. */
struct guest *simple(uint32_t weight, uint64_t run, uint64_t sleep)
{
    struct domain *d = domain(1);
    set_share(d, weight, 0);
    return guest(d->vcpu[0], run, sleep);
}

/* What runs on `c` has computed until now. */
static void book_computing(struct cpu *c)
{
    struct guest *g = c->current ? guest_of(c->current) : NULL;

    if (g && g->burst_left != TICKS_NEVER) {
        uint64_t ran = fake_counter_ticks - run_since[c->id];
        g->burst_left -= ran < g->burst_left ? ran : g->burst_left;
    }
    if (g && g->woken_at != TICKS_NEVER && fake_counter_ticks > run_since[c->id]) {
        uint64_t latency = run_since[c->id] - g->woken_at;
        g->worst_latency = latency > g->worst_latency ? latency : g->worst_latency;
        g->woken_at = TICKS_NEVER;
    }
    run_since[c->id] = fake_counter_ticks;
}

static void save_loaded(struct cpu *c)
{
    struct vcpu *v = c->loaded;

    c->loaded = NULL;
    __atomic_store_n(&v->cpu, NULL, __ATOMIC_SEQ_CST);
    sched_saved(v);
}

/* The exit path and the idle loop of one CPU, once around. */
static void cpu_exit(struct cpu *c)
{
    fake_run_on(c->id);
    book_computing(c);
    uint32_t ipi = __atomic_exchange_n(&c->ipi, 0, __ATOMIC_SEQ_CST);
    if (c->current) {
        c->current->work &= ~(uint32_t)WORK_VGIC;
    }
    struct vcpu *next = sched_choose(c, fake_counter_ticks);
    if (c->current && c->current != next) {
        c->current->work &= ~(uint32_t)WORK_RESCHED;
    }
    c->current = next;
    if (next) {
        next->work = 0;
        if (c->loaded != next) {
            if (c->loaded) {
                save_loaded(c);
            }
            assert_null(next->cpu);
            next->cpu = c;
            c->loaded = next;
        }
    }
    if ((ipi & IPI_SAVE) && c->loaded && c->loaded != c->current) {
        save_loaded(c);
    }
}

static bool cpu_has_work(const struct cpu *c)
{
    return c->ipi || c->sched.resched || (c->current && c->current->work);
}

static unsigned on_lists(const struct vcpu *v)
{
    unsigned count = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        const struct list *heads[] = {&cpus[i]->sched.queue, &cpus[i]->sched.rt_queue,
                                      &cpus[i]->sched.throttled};
        for (unsigned k = 0; k < 3; k++) {
            struct vcpu *at;
            list_for_each (at, heads[k], sched.link) {
                count += at == v;
            }
        }
    }
    return count;
}

static void check_cpu(const struct cpu *c)
{
    const struct sched_cpu *s = &c->sched;
    uint64_t load = s->running ? share_weight(s->running) : 0;
    unsigned queued = 0;
    struct vcpu *v;
    const struct vcpu *before = NULL;

    list_for_each (v, &s->queue, sched.link) {
        assert_false(before && (int64_t)(before->sched.vtime - v->sched.vtime) > 0);
        before = v;
        load += share_weight(v);
        queued++;
        assert_ptr_equal(v->sched.home, c);
    }
    list_for_each (v, &s->rt_queue, sched.link) {
        queued++;
        assert_ptr_equal(v->sched.home, c);
    }
    assert_int_equal(s->queued_count, queued);
    assert_int_equal(s->load_weight, load);
    assert_ptr_equal(c->current, s->running);
    if (!s->queued_count && !s->running) {
        assert_true(sched_idle_mask & sched_bit(c));
    }
    assert_int_equal(!!(sched_waiting_mask & sched_bit(c)), !list_empty(&s->queue));
    assert_int_equal(c->lock_depth, 0);
}

/* S1, S2, S5 and that nobody waits for longer than a slice while a CPU that it may use idles. */
static void check_all(void)
{
    uint64_t idle = 0;

    for (unsigned i = 0; i < cpu_count; i++) {
        check_cpu(cpus[i]);
        idle |= cpus[i]->sched.running ? 0 : 1ull << i;
    }
    for (unsigned i = 0; i < guest_count; i++) {
        const struct vcpu *v = guests[i].v;
        const struct sched_vcpu *s = &v->sched;
        unsigned lists = on_lists(v);
        bool overlooked = false;
        assert_int_equal(lists, is_queued(v));
        if (s->state == SCHED_RUNNING) {
            assert_ptr_equal(s->home->sched.running, v);
            assert_int_equal(lists, 0);
            assert_true(is_eligible(v));
            assert_true(is_allowed(v, s->home));
        } else if (is_eligible(v)) {
            assert_int_equal(s->state, SCHED_RUNNABLE);
            assert_int_equal(lists, 1);
            assert_true(is_allowed(v, s->home));
            overlooked = !s->throttled && (idle & allowed_mask(v));
        } else {
            assert_int_equal(lists, 0);
            assert_true(s->state == SCHED_BLOCKED || s->state == SCHED_OFFLINE);
        }
        guests[i].overlooked_since = overlooked && guests[i].overlooked_since
                                         ? guests[i].overlooked_since
                                     : overlooked ? fake_counter_ticks
                                                  : 0;
        assert_true(!overlooked || fake_counter_ticks - guests[i].overlooked_since < 8 * MS);
        assert_true(!v->cpu || v->cpu == s->home);
        assert_int_equal(s->on_saved, 0);
    }
}

void settle(void)
{
    for (unsigned rounds = 0;; rounds++) {
        bool busy = false;
        for (unsigned i = 0; i < cpu_count; i++) {
            if (cpu_has_work(cpus[i])) {
                busy = true;
                cpu_exit(cpus[i]);
            }
        }
        if (!busy) {
            break;
        }
        assert_true(rounds < 100);
    }
    check_all();
}

void wake(struct guest *g)
{
    g->asleep = false;
    g->burst_left = g->run;
    g->woken_at = fake_counter_ticks;
    fake_run_on((unsigned)any(cpu_count));
    __atomic_fetch_or(&g->v->work, WORK_VGIC, __ATOMIC_SEQ_CST);
    sched_wake(g->v);
}

static void fall_asleep(struct cpu *c, struct guest *g)
{
    fake_run_on(c->id);
    g->burst_left = g->run;
    g->asleep = sched_block(g->v); /* false: a wake came meanwhile */
    g->wake_at = fake_counter_ticks + g->sleep;
}

static uint64_t next_event(uint64_t end)
{
    uint64_t at = end;

    for (unsigned i = 0; i < cpu_count; i++) {
        struct guest *g = cpus[i]->current ? guest_of(cpus[i]->current) : NULL;
        uint64_t timer = fake_hw[i].timer_deadline_ticks;
        at = timer < at ? timer : at;
        if (g && g->burst_left != TICKS_NEVER && fake_counter_ticks + g->burst_left < at) {
            at = fake_counter_ticks + g->burst_left;
        }
    }
    for (unsigned i = 0; i < guest_count; i++) {
        at = guests[i].asleep && guests[i].wake_at < at ? guests[i].wake_at : at;
    }
    return at > fake_counter_ticks ? at : fake_counter_ticks;
}

void run_for(uint64_t ticks)
{
    uint64_t end = fake_counter_ticks + ticks;

    settle();
    while (fake_counter_ticks < end) {
        fake_counter_ticks = next_event(end);
        for (unsigned i = 0; i < cpu_count; i++) {
            struct cpu *c = fake_run_on(i);
            book_computing(c);
            struct guest *g = c->current ? guest_of(c->current) : NULL;
            if (g && g->burst_left == 0 && !g->asleep) {
                fall_asleep(c, g);
            }
            if (fake_hw[i].timer_deadline_ticks <= fake_counter_ticks) {
                timer_interrupt(c, fake_counter_ticks);
            }
        }
        for (unsigned i = 0; i < guest_count; i++) {
            if (guests[i].asleep && guests[i].wake_at <= fake_counter_ticks) {
                wake(&guests[i]);
            }
        }
        settle();
    }
    for (unsigned i = 0; i < cpu_count; i++) {
        book_computing(cpus[i]);
    }
}

void online(struct guest *g)
{
    fake_run_on(0);
    g->woken_at = fake_counter_ticks;
    sched_set_online(g->v, true);
    settle();
}

uint64_t runtime(const struct guest *g)
{
    return sched_runtime_ticks(g->v, fake_counter_ticks);
}

/* Within `permille` of what is expected. */
void assert_near(uint64_t is, uint64_t expected, uint64_t permille)
{
    uint64_t off = is > expected ? is - expected : expected - is;

    if (off * 1000 > expected * permille) {
        print_error("%llu is not within %llu/1000 of %llu\n", (unsigned long long)is,
                    (unsigned long long)permille, (unsigned long long)expected);
        fail();
    }
}

void check_shares(const uint32_t *weights, unsigned count)
{
    uint64_t before[8], total = 0;

    machine(1);
    for (unsigned i = 0; i < count; i++) {
        online(simple(weights[i], TICKS_NEVER, 0));
        total += weights[i];
    }
    run_for(100 * MS); /* any second, not only the first */
    for (unsigned i = 0; i < count; i++) {
        before[i] = runtime(&guests[i]);
    }
    run_for(SECOND);
    for (unsigned i = 0; i < count; i++) {
        assert_near(runtime(&guests[i]) - before[i], SECOND * weights[i] / total, 30);
    }
}

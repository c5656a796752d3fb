/*
 * Every operation of Xen's interface that an ordinary guest can make, with
 * right and with wrong arguments; each answer is one line. Right looks like
 * stock Xen 4.17: tests/conform/xen.py runs this on both and compares the
 * lines; what differs on purpose is listed there and in docs/abi-coverage.md.
 */
#include "../kit/xen.h"

static u8 *page;  /* arguments */
static u8 *page2; /* data */
static u64 hole;  /* address of nothing: behind the grant region's first frames */

struct version_page {
    u32 submap_idx, submap;
};

static void answer(const char *what, s64 result)
{
    say("%s: %lld", what, (long long)result);
}

static s64 with(u64 number, u64 cmd, const void *argument, size_t size, u64 count)
{
    memcpy(page, argument, size);
    return hypercall(number, cmd, (u64)page, count, 0);
}

#define OP(family, cmd, s) with(HYPERCALL_##family, cmd, &(s), sizeof(s), 1)
#define EVENT(cmd, s) with(HYPERCALL_event_channel_op, EVTCHNOP_##cmd, &(s), sizeof(s), 0)
#define BACK(s) memcpy(&(s), page, sizeof(s))

static void numbers(void)
{
    static const u16 number[] = {0,  6,  7,  11, 14, 16, 19, 22, 25, 27, 28,
                                 30, 31, 37, 38, 39, 40, 41, 45, 48, 60, 1000};
    for (unsigned i = 0; i < ARRAY_SIZE(number); i++) {
        say("number %d: %lld", number[i], (long long)hypercall(number[i], 0, 0, 0, 0));
    }
    say("number huge: %lld", (long long)hypercall(~0ull, 0, 0, 0, 0));
}

static void version(void)
{
    for (u64 cmd = 0; cmd < 13; cmd++) {
        memset(page, 0, KIT_PAGE);
        s64 result = hypercall(HYPERCALL_xen_version, cmd, cmd == 7 ? 0 : (u64)page, 0, 0);
        say("xen_version %lld: %s", (long long)cmd, result < 0 ? "error" : "fine");
        if (result < 0) {
            answer("  error", result);
        }
    }
    struct version_page f = {0, 0};
    answer("features", with(HYPERCALL_xen_version, 6, &f, sizeof(f), 0));
    BACK(f);
    say("features: %x", f.submap);
    f.submap_idx = 1;
    answer("features of map 1", with(HYPERCALL_xen_version, 6, &f, sizeof(f), 0));
    answer("pagesize with a pointer", hypercall(HYPERCALL_xen_version, 7, (u64)page, 0, 0));
    answer("version to nowhere", hypercall(HYPERCALL_xen_version, 1, hole, 0, 0));
}

static u32 unbound(u16 remote)
{
    struct evtchn_alloc_unbound a = {DOMID_SELF, remote, 0};
    answer("alloc_unbound", EVENT(alloc_unbound, a));
    BACK(a);
    return a.port;
}

static void events(void)
{
    struct evtchn_alloc_unbound a = {77, 0, 0};
    answer("alloc_unbound for nobody", EVENT(alloc_unbound, a));
    u32 port = unbound(DOMID_SELF);
    struct evtchn_bind_interdomain b = {DOMID_SELF, port, 0};
    answer("bind_interdomain to self", EVENT(bind_interdomain, b));
    BACK(b);
    say("ports are neighbours: %d", b.local_port == port + 1);
    answer("bind_interdomain again", EVENT(bind_interdomain, b));
    b.remote_dom = 77;
    answer("bind_interdomain to nobody", EVENT(bind_interdomain, b));
    b = (struct evtchn_bind_interdomain){DOMID_SELF, 100000, 0};
    answer("bind_interdomain to no port", EVENT(bind_interdomain, b));
    struct evtchn_port p = {port};
    answer("send", EVENT(send, p));
    answer("unmask", EVENT(unmask, p));
    struct {
        u16 dom;
        u32 port, status, vcpu;
        u32 u[2];
    } st = {DOMID_SELF, port, 0, 0, {0, 0}};
    answer("status", EVENT(status, st));
    BACK(st);
    say("status: %d vcpu %d", st.status, st.vcpu);
    struct {
        u32 port, vcpu;
    } bv = {port, 0};
    answer("bind_vcpu", EVENT(bind_vcpu, bv));
    bv.vcpu = 99;
    answer("bind_vcpu to no vCPU", EVENT(bind_vcpu, bv));
    struct {
        u32 port, priority;
    } pr = {port, 3};
    answer("set_priority in the two-level ABI",
           with(HYPERCALL_event_channel_op, 13, &pr, sizeof(pr), 0));
    answer("close", EVENT(close, p));
    answer("close again", EVENT(close, p));
    answer("send on a closed port", EVENT(send, p));
    answer("unmask of a closed port", EVENT(unmask, p));
    p.port = 0;
    answer("send on port 0", EVENT(send, p));
    answer("close of port 0", EVENT(close, p));
    p.port = 100000;
    answer("send on no port", EVENT(send, p));
    st.port = port + 1;
    st.dom = DOMID_SELF;
    answer("status of the other end", EVENT(status, st));
    BACK(st);
    say("the other end is: %d", st.status);
    p.port = port + 1;
    answer("send to nobody", EVENT(send, p));
    answer("close the other end", EVENT(close, p));
    struct evtchn_bind_ipi ipi = {0, 0};
    answer("bind_ipi", EVENT(bind_ipi, ipi));
    BACK(ipi);
    p.port = ipi.port;
    bv.port = ipi.port;
    bv.vcpu = 0;
    answer("bind_vcpu of an IPI", EVENT(bind_vcpu, bv));
    answer("send IPI", EVENT(send, p));
    answer("close IPI", EVENT(close, p));
    ipi.vcpu = 50;
    answer("bind_ipi to no vCPU", EVENT(bind_ipi, ipi));
    struct evtchn_bind_virq v = {1, 0, 0};
    answer("bind_virq debug", EVENT(bind_virq, v));
    BACK(v);
    answer("bind_virq again", EVENT(bind_virq, v));
    p.port = v.port;
    answer("send on a VIRQ", EVENT(send, p));
    answer("close VIRQ", EVENT(close, p));
    v = (struct evtchn_bind_virq){24, 0, 0};
    answer("bind_virq of no number", EVENT(bind_virq, v));
    v = (struct evtchn_bind_virq){3, 1, 0};
    answer("bind_virq global elsewhere", EVENT(bind_virq, v));
    answer("bind_pirq", with(HYPERCALL_event_channel_op, 2, &v, sizeof(v), 0));
    answer("no such operation", with(HYPERCALL_event_channel_op, 15, &v, sizeof(v), 0));
    answer("argument nowhere", hypercall(HYPERCALL_event_channel_op, EVTCHNOP_send, hole, 0, 0));
    struct {
        u64 gfn;
        u32 offset, vcpu;
        u8 link_bits, pad[7];
    } ic = {(u64)page2 >> 12, 4090, 0, 0, {0}};
    answer("init_control over the edge", with(HYPERCALL_event_channel_op, 11, &ic, sizeof(ic), 0));
    ic.offset = 4;
    answer("init_control askew", with(HYPERCALL_event_channel_op, 11, &ic, sizeof(ic), 0));
    ic.offset = 0;
    ic.vcpu = 50;
    answer("init_control of no vCPU", with(HYPERCALL_event_channel_op, 11, &ic, sizeof(ic), 0));
    u64 array = (u64)page2 >> 12;
    answer("expand_array before it",
           with(HYPERCALL_event_channel_op, 12, &array, sizeof(array), 0));
}

static struct grant_entry_v1 *grants;

static int map(u16 dom, u32 ref, u64 at, u32 flags, u32 *handle)
{
    struct gnttab_map_grant_ref m = {.host_addr = at, .flags = flags, .ref = ref, .dom = dom};
    s64 result = OP(grant_table_op, GNTTABOP_map_grant_ref, m);
    BACK(m);
    *handle = m.handle;
    return result != 0 ? (int)result : m.status;
}

static int unmap(u64 at, u32 handle)
{
    struct gnttab_unmap_grant_ref u = {at, 0, handle, 0};
    s64 result = OP(grant_table_op, GNTTABOP_unmap_grant_ref, u);
    BACK(u);
    return result != 0 ? (int)result : u.status;
}

static void grant(void)
{
    struct {
        u16 dom;
        u32 nr, max;
        s32 status;
    } q = {DOMID_SELF, 0, 0, 0};
    answer("query_size", OP(grant_table_op, GNTTABOP_query_size, q));
    BACK(q);
    say("query_size: %d of %d, %d", q.nr, q.max, (int16_t)q.status);
    struct xen_add_to_physmap x = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = (u64)grants >> 12};
    answer("put the table", OP(memory_op, XENMEM_add_to_physmap, x));
    u32 h;
    u64 at = hole;
    u16 self = (u16)bootarg_u64("self", 1);
    say("map by DOMID_SELF: %d", map(DOMID_SELF, 8, at, GNTMAP_host_map, &h));
    grants[8] = (struct grant_entry_v1){GTF_permit_access, DOMID_SELF, (u32)((u64)page2 >> 12)};
    say("map with the wrong domid: %d", map(self, 8, at, GNTMAP_host_map, &h));
    grants[8].domid = self;
    say("map: %d", map(self, 8, at, GNTMAP_host_map, &h));
    say("flags while mapped: %x", grants[8].flags);
    say("unmap: %d", unmap(at, h));
    say("unmap again: %d", unmap(at, h));
    say("flags afterwards: %x", grants[8].flags);
    say("unmap no handle: %d", unmap(at, 5000));
    say("map without a kind: %d", map(self, 8, at, 0, &h));
    say("map for a device: %d", map(self, 8, at, 1, &h));
    say("map no reference: %d", map(self, 1000000, at, GNTMAP_host_map, &h));
    say("map an empty entry: %d", map(self, 9, at, GNTMAP_host_map, &h));
    say("map nobody's: %d", map(77, 9, at, GNTMAP_host_map, &h));
    grants[8].flags = GTF_permit_access | 4;
    say("map for writing what is for reading: %d", map(self, 8, at, GNTMAP_host_map, &h));
    say("map for reading: %d", map(self, 8, at, GNTMAP_host_map | 4, &h));
    say("flags while read: %x", grants[8].flags);
    say("unmap: %d", unmap(at, h));
    grants[10] = (struct grant_entry_v1){GTF_permit_access, self, 0x7ffff};
    say("map what is not memory: %d", map(self, 10, at, GNTMAP_host_map, &h));
    grants[8] = (struct grant_entry_v1){GTF_permit_access, self, (u32)((u64)page2 >> 12)};
    struct gnttab_copy c = {
        {8, DOMID_SELF, 0}, {(u64)grants >> 12, DOMID_SELF, 0}, 64, GNTCOPY_source_gref, 0};
    c.dest.ref_or_gmfn = (u64)heap_pages(1) >> 12;
    answer("copy", OP(grant_table_op, GNTTABOP_copy, c));
    BACK(c);
    say("copy: %d", c.status);
    c.len = 4000;
    c.source.offset = 100;
    (void)OP(grant_table_op, GNTTABOP_copy, c);
    BACK(c);
    say("copy over the edge: %d", c.status);
    c.source.offset = 0;
    c.source.domid = 77;
    (void)OP(grant_table_op, GNTTABOP_copy, c);
    BACK(c);
    say("copy from nobody: %d", c.status);
    c.flags = 0;
    (void)OP(grant_table_op, GNTTABOP_copy, c);
    BACK(c);
    say("copy by frame from nobody: %d", c.status);
    u64 words[8] = {0};
    answer("dump_table", with(HYPERCALL_grant_table_op, 3, words, sizeof(words), 1));
    answer("unmap_and_replace", with(HYPERCALL_grant_table_op, 7, words, sizeof(words), 1));
    answer("cache_flush of nothing", with(HYPERCALL_grant_table_op, 12, words, sizeof(words), 1));
    answer("no such grant operation", with(HYPERCALL_grant_table_op, 13, words, sizeof(words), 1));
    answer("grant arguments nowhere", hypercall(HYPERCALL_grant_table_op, 0, hole, 1, 0));
    struct {
        u16 dom, pad;
        u32 version;
    } gv = {DOMID_SELF, 0, 0};
    answer("get_version", with(HYPERCALL_grant_table_op, 10, &gv, sizeof(gv), 1));
    BACK(gv);
    say("version: %d", gv.version);
    u32 three = 3;
    answer("set_version 3", with(HYPERCALL_grant_table_op, 8, &three, sizeof(three), 1));
}

/* Entries of every type and with flags that belong to version 2, mapped and copied from, unused and in use. */
static void grant_types(void)
{
    static const u16 flags[] = {GTF_invalid,
                                GTF_permit_access,
                                GTF_transitive,
                                GTF_transitive | GTF_readonly,
                                GTF_accept_transfer,
                                GTF_permit_access | GTF_sub_page,
                                GTF_transitive | GTF_sub_page};
    u16 self = (u16)bootarg_u64("self", 1);
    u64 target = (u64)heap_pages(1) >> 12;
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(flags); i++) {
        u16 type = flags[i % ARRAY_SIZE(flags)];
        bool used = i >= ARRAY_SIZE(flags);
        u32 first = 0, h = 0;
        grants[11] = (struct grant_entry_v1){GTF_permit_access, self, (u32)((u64)page2 >> 12)};
        if (used) {
            (void)map(self, 11, hole + 4096, GNTMAP_host_map, &first);
        }
        grants[11].flags = type | (used ? GTF_reading | GTF_writing : 0);
        int mapped = map(self, 11, hole, GNTMAP_host_map | GNTMAP_readonly, &h);
        if (mapped == 0) {
            (void)unmap(hole, h);
        }
        struct gnttab_copy c = {{11, self, 0}, {target, DOMID_SELF, 0}, 64, GNTCOPY_source_gref, 0};
        (void)OP(grant_table_op, GNTTABOP_copy, c);
        BACK(c);
        say("entry %x%s: map %d, copy %d, flags %x", type, used ? " in use" : "", mapped, c.status,
            grants[11].flags);
        if (used) {
            (void)unmap(hole + 4096, first);
        }
    }
}

static s64 reserve(u64 cmd, u64 frame, u32 order)
{
    struct {
        struct xen_memory_reservation r;
        u64 frame;
    } a = {{.nr_extents = 1, .extent_order = order, .domid = DOMID_SELF}, frame};
    a.r.extent_start = (u64)page + offsetof(__typeof__(a), frame);
    return with(HYPERCALL_memory_op, cmd, &a, sizeof(a), 0);
}

static void memory(void)
{
    u16 self = DOMID_SELF;
    u64 spare = (u64)heap_pages(1) >> 12;
    say("current_reservation is positive: %d",
        with(HYPERCALL_memory_op, 3, &self, sizeof(self), 0) > 0);
    say("maximum_gpfn is positive: %d", with(HYPERCALL_memory_op, 14, &self, sizeof(self), 0) > 0);
    answer("decrease", reserve(XENMEM_decrease_reservation, spare, 0));
    answer("decrease again", reserve(XENMEM_decrease_reservation, spare, 0));
    answer("populate", reserve(XENMEM_populate_physmap, spare, 0));
    answer("populate too large", reserve(XENMEM_populate_physmap, hole >> 12, 30));
    answer("decrease nothing", reserve(XENMEM_decrease_reservation, hole >> 12, 0));
    struct xen_add_to_physmap x = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = spare};
    answer("shared_info", OP(memory_op, XENMEM_add_to_physmap, x));
    x.idx = 1;
    answer("shared_info 1", OP(memory_op, XENMEM_add_to_physmap, x));
    x = (struct xen_add_to_physmap){
        .domid = DOMID_SELF, .space = 2, .idx = spare, .gpfn = hole >> 12};
    answer("space gmfn", OP(memory_op, XENMEM_add_to_physmap, x));
    x.space = 3;
    answer("space gmfn_range", OP(memory_op, XENMEM_add_to_physmap, x));
    x.space = 5;
    answer("space dev_mmio", OP(memory_op, XENMEM_add_to_physmap, x));
    x.space = 9;
    answer("no such space", OP(memory_op, XENMEM_add_to_physmap, x));
    x = (struct xen_add_to_physmap){
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .idx = 64, .gpfn = hole >> 12};
    answer("a grant frame too many", OP(memory_op, XENMEM_add_to_physmap, x));
    x.domid = 77;
    answer("for nobody", OP(memory_op, XENMEM_add_to_physmap, x));
    struct xen_remove_from_physmap r = {DOMID_SELF, spare};
    answer("remove", OP(memory_op, XENMEM_remove_from_physmap, r));
    answer("remove again", OP(memory_op, XENMEM_remove_from_physmap, r));
    u64 words[8] = {DOMID_SELF};
    static const u8 other[] = {5,  9,  10, 11, 12, 13, 16, 18, 19,
                               20, 21, 22, 24, 25, 26, 27, 30, 63};
    for (unsigned i = 0; i < ARRAY_SIZE(other); i++) {
        say("memory_op %d: %lld", other[i],
            (long long)with(HYPERCALL_memory_op, other[i], words, sizeof(words), 0));
    }
}

/* Nobody else wants this CPU, so nothing is loaded again after a sleep; the area tells of it all the same. */
static void sleep_is_told(void)
{
    struct {
        u32 state, pad;
        u64 entry, time[4]; /* ns; running, runnable, blocked, offline */
    } before, after;
    memcpy(&before, page2 + 0x800, sizeof(before));
    irq_off();
    gic_enable(machine.timer_irq[2]);
    u64 due = read_sysreg(cntvct_el0) + us_to_ticks(20000);
    write_sysreg(cntv_cval_el0, due);
    write_sysreg(cntv_ctl_el0, 1);
    while (read_sysreg(cntvct_el0) < due) {
        wfi();
        isb();
    }
    write_sysreg(cntv_ctl_el0, 0);
    gic_disable(machine.timer_irq[2]);
    irq_on();
    memcpy(&after, page2 + 0x800, sizeof(after));
    say("runstate: state %u, slept %d, begins anew %d", after.state,
        after.time[2] - before.time[2] > 10000000, after.entry - before.entry > 10000000);
}

static void rest(void)
{
    u64 words[8] = {0};
    for (u64 cmd = 0; cmd < 15; cmd++) {
        if (cmd != VCPUOP_register_runstate_memory_area && cmd != VCPUOP_register_vcpu_info) {
            memcpy(page, words, sizeof(words));
            say("vcpu_op %lld: %lld", (long long)cmd,
                (long long)hypercall(HYPERCALL_vcpu_op, cmd, 0, (u64)page, 0));
        }
    }
    answer("vcpu_op for no vCPU",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 9, (u64)page, 0));
    struct {
        u64 mfn;
        u32 offset, rsvd;
    } vi = {(u64)page2 >> 12, 4080, 0};
    memcpy(page, &vi, sizeof(vi));
    answer("vcpu_info over the edge",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 0, (u64)page, 0));
    vi.offset = 4;
    memcpy(page, &vi, sizeof(vi));
    answer("vcpu_info askew",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 0, (u64)page, 0));
    vi = (__typeof__(vi)){0x7ffff, 0, 0};
    memcpy(page, &vi, sizeof(vi));
    answer("vcpu_info nowhere",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 0, (u64)page, 0));
    vi = (__typeof__(vi)){(u64)page2 >> 12, 0, 0};
    memcpy(page, &vi, sizeof(vi));
    answer("vcpu_info", hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 0, (u64)page, 0));
    say("upcall pending: %d", page2[0]);
    answer("vcpu_info again",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 0, (u64)page, 0));
    u64 area = (u64)page2 + 0x804;
    memcpy(page, &area, sizeof(area));
    answer("runstate askew",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_runstate_memory_area, 0, (u64)page, 0));
    area = (u64)page2 + 0x800;
    memcpy(page, &area, sizeof(area));
    answer("runstate",
           hypercall(HYPERCALL_vcpu_op, VCPUOP_register_runstate_memory_area, 0, (u64)page, 0));
    u32 state;
    memcpy(&state, page2 + 0x800, sizeof(state));
    say("state: %d", state);
    sleep_is_told();
    for (u64 type = 0; type < 7; type++) {
        say("vm_assist %lld: %lld", (long long)type,
            (long long)hypercall(HYPERCALL_vm_assist, 0, type, 0, 0));
    }
    answer("vm_assist of no command", hypercall(HYPERCALL_vm_assist, 2, 5, 0, 0));
    for (u32 index = 0; index < 40; index++) {
        struct {
            u16 domid, pad;
            u32 index;
            u64 value;
        } p = {DOMID_SELF, 0, index, 0};
        s64 got = OP(hvm_op, HVMOP_get_param, p), set = OP(hvm_op, HVMOP_set_param, p);
        say("param %d: get %lld set %lld", index, (long long)got, (long long)set);
    }
    for (u64 cmd = 2; cmd < 27; cmd += 3) {
        say("hvm_op %lld: %lld", (long long)cmd,
            (long long)with(HYPERCALL_hvm_op, cmd, words, sizeof(words), 0));
    }
    answer("console_io read", hypercall(HYPERCALL_console_io, 1, 8, (u64)page, 0));
    answer("no such console_io", hypercall(HYPERCALL_console_io, 7, 8, (u64)page, 0));
    answer("sched yield", hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0));
    answer("sched pin_override", with(HYPERCALL_sched_op, 7, words, sizeof(words), 0));
    answer("no such sched_op", with(HYPERCALL_sched_op, 8, words, sizeof(words), 0));
    struct {
        u64 ports;
        u32 count;
        u64 timeout;
    } poll = {0, 129, 0};
    answer("poll too many", with(HYPERCALL_sched_op, SCHEDOP_poll, &poll, sizeof(poll), 0));
    u32 dog[2] = {7, 1};
    answer("watchdog 7", with(HYPERCALL_sched_op, 6, dog, sizeof(dog), 0));
    dog[0] = 0;
    dog[1] = 1000;
    answer("watchdog", with(HYPERCALL_sched_op, 6, dog, sizeof(dog), 0));
    dog[0] = 1;
    dog[1] = 0;
    answer("watchdog off", with(HYPERCALL_sched_op, 6, dog, sizeof(dog), 0));
    answer("watchdog off again", with(HYPERCALL_sched_op, 6, dog, sizeof(dog), 0));
    u32 control[4] = {1, 0x15, 0, 0}, wrong[4] = {1, 0x14, 0, 0};
    memcpy(page, control, sizeof(control));
    answer("sysctl", hypercall(HYPERCALL_sysctl, (u64)page, 0, 0, 0));
    memcpy(page, wrong, sizeof(wrong));
    answer("sysctl of another version", hypercall(HYPERCALL_sysctl, (u64)page, 0, 0, 0));
    answer("domctl of another version", hypercall(HYPERCALL_domctl, (u64)page, 0, 0, 0));
    answer("domctl nowhere", hypercall(HYPERCALL_domctl, hole, 0, 0, 0));
    answer("hypfs_op", hypercall(HYPERCALL_hypfs_op, 0, 0, 0, 0));
    answer("physdev_op", hypercall(HYPERCALL_physdev_op, 0, (u64)page, 0, 0));
    struct {
        u64 op, result, args[6];
    } m[3] = {{HYPERCALL_xen_version, 1, {0}}, {HYPERCALL_multicall, 1, {0}}, {60, 1, {0}}};
    memcpy(page, m, sizeof(m));
    answer("multicall", hypercall(HYPERCALL_multicall, (u64)page, 3, 0, 0));
    memcpy(m, page, sizeof(m));
    say("multicall: %lld %lld %lld", (long long)m[0].result, (long long)m[1].result,
        (long long)m[2].result);
    answer("multicall nowhere", hypercall(HYPERCALL_multicall, hole, 1, 0, 0));
}

void guest_main(void)
{
    page = heap_pages(1);
    page2 = heap_pages(1);
    grants = heap_pages(1);
    hole = machine.grant_base != 0 ? machine.grant_base + 0x100000 : 0x38100000;
    memset(page2, 0, KIT_PAGE);
    numbers();
    version();
    events();
    memory();
    grant();
    grant_types();
    rest();
    ok(true, "all calls made");
}

/*
 * Tries every control call - domctl, sysctl, platform_op, dm_op, the mapping of others' memory,
 * devices - over each domain it is told of, and says what became of it: "try ME CALL WHOM RESULT".
 * tests/guest/rights.py gives each guest one right and knows what each answer must be.
 *
 * Bootargs: me=N; home=N other=N: domains to try it over; victim=N: the one that destroydomain and
 * remote_shutdown are tried over; frame=N intid=N: the device to hand on; vcpus=N: of
 * the domain it makes; drop=1: drop all rights first.
 *
 * Numbers and structures are Debian's (libxen-dev), so that ours cannot agree with themselves.
 */
#include "kit.h"

#define __XEN_TOOLS__ 1
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/hvm/dm_op.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/hypfs.h>
#include <xen/memory.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/sysctl.h>

#define BULKHEAD_HYPERCALL 0x4248 /* abi/bulkhead/seal.h */
#define BULKHEAD_OP_drop_right 2

enum { HERE = 0x7f000, BASE = 0x40000, RAM_FRAMES = 4 };

static u64 me, frame, intid, vcpus;
static u64 cell[512]; /* what pointers in the structures point to */
static struct xen_domctl domctl_op;
static struct xen_sysctl sysctl_op;

static void tried(const char *call, const char *whom, s64 result)
{
    say("try %llu %s %s %lld", (unsigned long long)me, call, whom, (long long)result);
}

/* --- domctl over one domain --- */

static s64 domctl(u32 cmd, u16 whom)
{
    domctl_op.cmd = cmd;
    domctl_op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    domctl_op.domain = whom;
    return hypercall(__HYPERVISOR_domctl, (u64)&domctl_op, 0, 0, 0);
}

static void clear(void)
{
    memset(&domctl_op, 0, sizeof(domctl_op));
    memset(&sysctl_op, 0, sizeof(sysctl_op));
    memset(cell, 0, sizeof(cell));
}

/* TRY(name, whom, fields...): the call, with these fields of its member. */
#define U(member) domctl_op.u.member
#define TRY(name, ...)                                                         \
    do {                                                                       \
        clear();                                                               \
        __VA_ARGS__;                                                           \
        tried("domctl." #name, name_of_whom, domctl(XEN_DOMCTL_##name, whom)); \
    } while (0)

static void bitmap(struct xenctl_bitmap *map, u64 bits)
{
    cell[0] = bits;
    set_xen_guest_handle(map->bitmap, (uint8_t *)cell);
    map->nr_bits = 8;
}

static void affinity(void)
{
    U(vcpuaffinity).flags = XEN_VCPUAFFINITY_HARD;
    bitmap(&U(vcpuaffinity).cpumap_hard, 3);
}

static void context(u16 whom)
{
    struct vcpu_guest_context *c = (void *)cell;
    c->flags = VGCF_online;
    c->user_regs.pc64 = (u64)BASE << 12;
    c->user_regs.cpsr = 0x1c5; /* EL1h, all masked */
    set_xen_guest_handle(U(vcpucontext).ctxt, c);
}

static void try_life(const char *name_of_whom, u16 whom)
{
    TRY(pausedomain);
    TRY(unpausedomain);
    TRY(getvcpuinfo);
    TRY(getvcpuaffinity, affinity());
    TRY(setvcpuaffinity, affinity());
    TRY(max_mem, U(max_mem).max_memkb = 65536);
    TRY(getvcpucontext, context(whom));
    TRY(max_vcpus, U(max_vcpus).max = whom <= 3 ? 1 : (u32)vcpus); /* as it was made */
    TRY(scheduler_op, U(scheduler_op).sched_id = XEN_SCHEDULER_CREDIT2,
        U(scheduler_op).cmd = XEN_DOMCTL_SCHEDOP_getinfo);
    TRY(setdomainhandle);
    TRY(settimeoffset);
    TRY(get_address_size);
    TRY(setnodeaffinity, bitmap(&U(nodeaffinity).nodemap, 1));
    TRY(getnodeaffinity, bitmap(&U(nodeaffinity).nodemap, 0));
    TRY(get_paging_mempool_size);
    TRY(set_paging_mempool_size, U(paging_mempool).size = 1 << 20);
    clear(); /* of the next one that may be seen, it says: so what it said is looked at */
    s64 result = domctl(XEN_DOMCTL_getdomaininfo, whom);
    tried("domctl.getdomaininfo", name_of_whom,
          result == 0 && domctl_op.domain != whom ? -3 : result);
}

static void try_device(const char *name_of_whom, u16 whom)
{
    TRY(irq_permission, U(irq_permission).pirq = (u32)intid, U(irq_permission).allow_access = 1);
    TRY(iomem_permission, U(iomem_permission).first_mfn = frame, U(iomem_permission).nr_mfns = 1,
        U(iomem_permission).allow_access = 1);
    TRY(memory_mapping, U(memory_mapping).first_gfn = U(memory_mapping).first_mfn = frame,
        U(memory_mapping).nr_mfns = 1, U(memory_mapping).add_mapping = DPCI_ADD_MAPPING);
#define IRQ(op)                                                                 \
    TRY(op, U(bind_pt_irq).machine_irq = U(bind_pt_irq).u.spi.spi = (u16)intid, \
        U(bind_pt_irq).irq_type = PT_IRQ_TYPE_SPI)
    IRQ(bind_pt_irq);
    IRQ(unbind_pt_irq);
    TRY(assign_device);
    TRY(test_assign_device);
    TRY(deassign_device);
}

static void try_build(const char *name_of_whom, u16 whom)
{
    TRY(set_address_size, U(address_size).size = 64);
    TRY(cacheflush, U(cacheflush).start_pfn = BASE, U(cacheflush).nr_pfns = RAM_FRAMES);
    TRY(setvcpucontext, context(whom));
    TRY(vuart_op, U(vuart_op).cmd = XEN_DOMCTL_VUART_OP_INIT,
        U(vuart_op).type = XEN_DOMCTL_VUART_TYPE_VPL011, U(vuart_op).gfn = BASE + 1);
}

/* --- Others' memory, parameters, channels; device models --- */

static s64 map_foreign(u16 whom, u64 index)
{
    struct xen_add_to_physmap_batch op = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1};
    xen_ulong_t from = index;
    xen_pfn_t at = HERE;
    int error = 0;
    op.u.foreign_domid = whom;
    set_xen_guest_handle(op.idxs, &from);
    set_xen_guest_handle(op.gpfns, &at);
    set_xen_guest_handle(op.errs, &error);
    s64 result = hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, (u64)&op, 0, 0);
    struct xen_remove_from_physmap back = {.domid = DOMID_SELF, .gpfn = HERE};
    if (result == 0 && error == 0 && whom > 3) {   /* one of our own making: what it is to run */
        mmio_write32((u64)HERE << 12, 0xd503207f); /* wfi */
        mmio_write32(((u64)HERE << 12) + 4, 0x17ffffff); /* b to it */
    }
    if (result == 0 && error == 0) {
        result = hypercall(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, (u64)&back, 0, 0);
    }
    return result != 0 ? result : error;
}

static s64 acquire(u16 whom)
{
    struct xen_mem_acquire_resource op = {
        .domid = whom, .type = XENMEM_resource_grant_table, .nr_frames = 1};
    xen_pfn_t at = HERE + 1;
    set_xen_guest_handle(op.frame_list, &at);
    s64 result = hypercall(__HYPERVISOR_memory_op, XENMEM_acquire_resource, (u64)&op, 0, 0);
    struct xen_remove_from_physmap back = {.domid = DOMID_SELF, .gpfn = at};
    return result != 0
               ? result
               : hypercall(__HYPERVISOR_memory_op, XENMEM_remove_from_physmap, (u64)&back, 0, 0);
}

static s64 parameter(u16 whom, u64 op)
{
    struct xen_hvm_param p = {.domid = whom, .index = HVM_PARAM_CONSOLE_PFN};
    return hypercall(__HYPERVISOR_hvm_op, op, (u64)&p, 0, 0);
}

static s64 dm(u16 whom)
{
    struct xen_dm_op op = {.op = XEN_DMOP_nr_vcpus};
    struct xen_dm_op_buf buffer = {.size = sizeof(op)};
    set_xen_guest_handle(buffer.h, (void *)&op);
    return hypercall(__HYPERVISOR_dm_op, whom, 1, (u64)&buffer, 0);
}

static void try_others(const char *name, u16 whom)
{
    struct evtchn_alloc_unbound channel = {.dom = whom, .remote_dom = DOMID_SELF};
    tried("map_foreign", name, map_foreign(whom, BASE));
    tried("acquire_resource", name, acquire(whom));
    tried("hvm_get_param", name, parameter(whom, HVMOP_get_param));
    tried("hvm_set_param", name, parameter(whom, HVMOP_set_param));
    tried("alloc_unbound", name,
          hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, (u64)&channel, 0, 0));
    tried("dm_op.nr_vcpus", name, dm(whom));
}

static void try_all(const char *name, u16 whom)
{
    try_life(name, whom);
    try_device(name, whom);
    try_build(name, whom);
    try_others(name, whom);
}

/* --- The machine --- */

static s64 sysctl(u32 cmd)
{
    sysctl_op.cmd = cmd;
    sysctl_op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall(__HYPERVISOR_sysctl, (u64)&sysctl_op, 0, 0, 0);
}

#define S(member) sysctl_op.u.member
#define SYSCTL(name, cmd, ...)                                   \
    do {                                                         \
        clear();                                                 \
        __VA_ARGS__;                                             \
        tried("sysctl." name, "host", sysctl(XEN_SYSCTL_##cmd)); \
    } while (0)

static s64 pool(u32 op, u32 id)
{
    clear();
    S(cpupool_op).op = op;
    S(cpupool_op).cpupool_id = id;
    S(cpupool_op).sched_id = XEN_SCHEDULER_CREDIT2;
    S(cpupool_op).cpumap.nr_bits = 8;
    set_xen_guest_handle(S(cpupool_op).cpumap.bitmap, (uint8_t *)cell);
    return sysctl(XEN_SYSCTL_cpupool_op);
}

/* Whom the list shows, as "try ME seen NUMBER 0". */
static void list(void)
{
    static struct xen_domctl_getdomaininfo info[32];
    clear();
    S(getdomaininfolist).max_domains = ARRAY_SIZE(info);
    set_xen_guest_handle(S(getdomaininfolist).buffer, info);
    s64 result = sysctl(XEN_SYSCTL_getdomaininfolist);
    tried("sysctl.getdomaininfolist", "host", result);
    for (u32 i = 0; result == 0 && i < S(getdomaininfolist).num_domains; i++) {
        say("try %llu seen %u 0", (unsigned long long)me, info[i].domain);
    }
}

static s64 set_clock(void)
{
    struct xen_platform_op op = {.cmd = XENPF_settime64,
                                 .interface_version = XENPF_INTERFACE_VERSION};
    op.u.settime64.secs = 1700000000;
    return hypercall(__HYPERVISOR_platform_op, (u64)&op, 0, 0, 0);
}

static void try_host(void)
{
    SYSCTL("tbuf_op", tbuf_op);
    SYSCTL("pcitopoinfo", pcitopoinfo);
    SYSCTL("readconsole", readconsole, S(readconsole).count = sizeof(cell);
           set_xen_guest_handle(S(readconsole).buffer, (char *)cell));
    SYSCTL("physinfo", physinfo);
    SYSCTL("sched_id", sched_id);
    SYSCTL("getcpuinfo", getcpuinfo, S(getcpuinfo).max_cpus = 1;
           set_xen_guest_handle(S(getcpuinfo).info, (xen_sysctl_cpuinfo_t *)cell));
    SYSCTL("availheap", availheap);
    SYSCTL("cputopoinfo", cputopoinfo);
    SYSCTL("numainfo", numainfo);
    SYSCTL("debug_keys", debug_keys, S(debug_keys).nr_keys = 1, cell[0] = 'm';
           set_xen_guest_handle(S(debug_keys).keys, (char *)cell));
    SYSCTL("scheduler_op.get", scheduler_op, S(scheduler_op).sched_id = XEN_SCHEDULER_CREDIT2,
           S(scheduler_op).cmd = XEN_SYSCTL_SCHEDOP_getinfo);
    SYSCTL("scheduler_op.put", scheduler_op, S(scheduler_op).sched_id = XEN_SCHEDULER_CREDIT2,
           S(scheduler_op).cmd = XEN_SYSCTL_SCHEDOP_putinfo,
           S(scheduler_op).u.sched_credit2.ratelimit_us = 200);
    list();
    tried("sysctl.cpupool_op.info", "host", pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 0));
    tried("sysctl.cpupool_op.free", "host", pool(XEN_SYSCTL_CPUPOOL_OP_FREEINFO, 0));
    tried("sysctl.cpupool_op.create", "host", pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, 3));
    tried("sysctl.cpupool_op.destroy", "host", pool(XEN_SYSCTL_CPUPOOL_OP_DESTROY, 3));
    tried("platform_op.settime64", "host", set_clock());
    tried("hypfs_op.version", "host",
          hypercall(__HYPERVISOR_hypfs_op, XEN_HYPFS_OP_get_version, 0, 0, 0));
}

/* --- A domain of one's own --- */

static void populate(u16 whom)
{
    xen_pfn_t at[RAM_FRAMES] = {BASE, BASE + 1, BASE + 2, BASE + 3};
    struct xen_memory_reservation r = {.nr_extents = RAM_FRAMES, .domid = whom};
    set_xen_guest_handle(r.extent_start, at);
    tried("populate_physmap", "made",
          hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, (u64)&r, 0, 0));
}

static void try_make(void)
{
    clear();
    U(createdomain).flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    U(createdomain).max_vcpus = (u32)vcpus;
    U(createdomain).max_evtchn_port = 1023;
    U(createdomain).max_grant_frames = U(createdomain).max_maptrack_frames = -1;
    U(createdomain).arch.nr_spis = 32;
    s64 result = domctl(XEN_DOMCTL_createdomain, 0xffff);
    u16 made = domctl_op.domain;
    tried("domctl.createdomain", "host", result);
    if (result != 0) {
        return;
    }
    const char *name_of_whom = "early";
    u16 whom = made;
    TRY(set_paging_mempool_size, U(paging_mempool).size = 1 << 20);
    TRY(max_mem, U(max_mem).max_memkb = 65536);
    TRY(max_vcpus, U(max_vcpus).max = (u32)vcpus);
    populate(made);
    try_device("made", made);
    try_build("made", made);
    try_others("made", made);
    try_life("made", made); /* paused once since its birth, so that it does not run yet */
    name_of_whom = "made";
    TRY(unpausedomain);
    try_build("runs", made);
    try_others("runs", made);
    name_of_whom = "runs";
    TRY(destroydomain);
}

/* --- Rights that one gives away --- */

static s64 drop(const char *words)
{
    char text[64] = {0};
    for (unsigned i = 0; words[i] != 0; i++) {
        text[i] = words[i];
    }
    return hypercall(BULKHEAD_HYPERCALL, BULKHEAD_OP_drop_right, (u64)text, 0, 0);
}

static void try_drop(u16 whom)
{
    tried("drop.control", "one", drop("control home"));
    tried("drop.rest", "all", drop("control") | drop("inspect") | drop("console"));
    try_all("home", whom);
    try_host();
}

void guest_main(void)
{
    u16 home = (u16)bootarg_u64("home", 1), victim = (u16)bootarg_u64("victim", home),
        whom = victim;
    const char *name_of_whom = "victim";
    me = bootarg_u64("me", 0);
    frame = bootarg_u64("frame", 0x9010);
    intid = bootarg_u64("intid", 34);
    vcpus = bootarg_u64("vcpus", 1);
    if (bootarg_u64("drop", 0) != 0) {
        try_drop(home);
    } else {
        try_all("home", home);
        try_all("other", (u16)bootarg_u64("other", 2));
        try_host();
        try_make();
        struct sched_remote_shutdown down = {.domain_id = whom, .reason = SHUTDOWN_crash};
        tried("remote_shutdown", "victim",
              hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, (u64)&down, 0, 0));
        TRY(destroydomain);
    }
    say("try %llu end end 0", (unsigned long long)me);
    for (;;) {
        wfi();
    }
}

/*
 * A QEMU TCG plugin that counts what the emulator's clock does not price.
 *
 * Arguments: el2=START-END (machine addresses of the hypervisor's image; code
 * there is EL2), out=FILE, profile=ROW (dump the blocks of that region; of all since the first
 * guest's start if no region was marked), stays=on.
 *
 * Which level an instruction runs at follows from where it lies: guests never
 * own the frames of the hypervisor's image. RAM begins at 0x40000000 on the
 * virt board, where QEMU puts its boot stub; the first block ever executed is
 * that stub, and its host address tells where RAM is in QEMU's memory.
 *
 * A guest brackets a measured loop with HINT #120 and HINT #121, no-operations
 * on every Arm CPU. Regions are numbered in order. Written to FILE at exit:
 *
 *   boot EL2 OTHER ERET ...        from power-on to the first guest instruction
 *   region N EL2 OTHER ERET SYSREG TLBI BARRIER CACHE ATOMIC
 *   total EL2 OTHER ERET ...       everything since power-on
 *   block VADDR INSNS RUNS         of the region to profile
 *   longest INSNS                  `stays`: most instructions at EL2, since the first guest's start, of one
 *                                  CPU between two looks for interrupts, and
 *   part CPU VADDR INSNS           where most of these were
 *
 * With `stays` nothing else but boot and total is of use, and -icount is a must. A look is a return to a guest, a WFI, or
 * an acknowledge (ICC_IAR1_EL1): what an idle CPU does between those delays nobody for longer.
 *
 * Counters are plain adds: exact under -icount, where QEMU runs one CPU at a
 * time, approximate otherwise.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin-api.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
                                           int argc, char **argv);

#define RAM_BASE 0x40000000ull
#define STUB_SIZE 0x1000ull
#define REGIONS 256
#define CPUS 8
#define MARK_BEGIN 0xd5032f1fu /* hint #120 */
#define MARK_END 0xd5032f3fu   /* hint #121 */
#define WFI 0xd503207fu
#define READ_IAR1 0xd538cc00u /* mrs x0, icc_iar1_el1 */

enum counter { EL2, OTHER, ERET, SYSREG, TLBI, BARRIER, CACHE, ATOMIC, COUNTERS };

struct block {
    uint64_t vaddr, insns, runs;
    struct block *next;
};

/* What a CPU has done in a block during its present stay at EL2, and did during its longest. */
struct part {
    struct part *next;
    uint64_t vaddr, insns, present[CPUS], longest[CPUS];
};

static uint64_t now[COUNTERS];
static uint64_t begun[COUNTERS];
static uint64_t regions[REGIONS][COUNTERS];
static unsigned region_count;
static bool inside;
static uint64_t boot[COUNTERS];
static bool guest_started, el2_entered;
static bool stays;
static struct {
    uint64_t insns, longest;
    bool boot; /* it began before the first guest */
} stay[CPUS];
static uint64_t el2_start, el2_end;
static uintptr_t ram_host;
static const char *out_path = "/dev/stderr";
static long profile = -1;
static struct block *blocks;

/* A64 encodings: Arm ARM (DDI 0487) C4.1, "Branches, Exception Generating and System". */
static int classify(uint32_t insn)
{
    if (insn == 0xd69f03e0u) {
        return ERET;
    }
    if ((insn & 0xfffff01fu) == 0xd503301fu) {
        unsigned op2 = insn >> 5 & 7; /* 2 clrex, 4 dsb, 5 dmb, 6 isb, 7 sb */
        return op2 >= 4 ? BARRIER : COUNTERS;
    }
    if ((insn & 0xffd00000u) == 0xd5100000u) { /* MSR/MRS (register), op0 = 2 or 3 */
        unsigned op1 = insn >> 16 & 7, crn = insn >> 12 & 15;
        /* NZCV, DAIF, FPCR, FPSR, SPSel, CurrentEL: state of the CPU itself, not priced. */
        return crn == 4 && (op1 == 3 || (op1 == 0 && (insn >> 8 & 15) == 2)) ? COUNTERS : SYSREG;
    }
    if ((insn & 0xffd80000u) == 0xd5080000u) { /* SYS, SYSL */
        unsigned crn = insn >> 12 & 15;
        return crn == 8 || crn == 9 ? TLBI : crn == 7 ? CACHE : COUNTERS;
    }
    if ((insn & 0x3f000000u) == 0x08000000u || (insn & 0x3b200c00u) == 0x38200000u) {
        return ATOMIC; /* load/store exclusive and ordered; LSE atomics */
    }
    return COUNTERS;
}

static void reset_blocks(void)
{
    for (struct block *b = blocks; b; b = b->next) {
        b->runs = 0;
    }
}

static void dump_blocks(void)
{
    FILE *out = fopen(out_path, "a");
    for (struct block *b = blocks; out && b; b = b->next) {
        if (b->runs) {
            fprintf(out, "block %" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->vaddr, b->insns,
                    b->runs);
        }
    }
    if (out) {
        fclose(out);
    }
}

static void mark_begin(unsigned int cpu, void *user)
{
    memcpy(begun, now, sizeof(now));
    inside = true;
    if (profile == (long)region_count) {
        reset_blocks();
    }
}

static void mark_end(unsigned int cpu, void *user)
{
    if (!inside || region_count == REGIONS) {
        return;
    }
    inside = false;
    if (profile == (long)region_count) {
        dump_blocks();
    }
    for (int i = 0; i < COUNTERS; i++) {
        regions[region_count][i] = now[i] - begun[i];
    }
    region_count++;
}

static void first_guest(unsigned int cpu, void *user)
{
    if (!guest_started && el2_entered) {
        guest_started = true;
        memcpy(boot, now, sizeof(now));
        reset_blocks();
        for (unsigned i = 0; i < CPUS; i++) {
            stay[i].boot = true; /* the boot CPU starts others before it is done itself */
        }
    }
}

static struct part *parts;

static void stay_goes_on(unsigned int cpu, void *user)
{
    struct part *p = user;
    stay[cpu % CPUS].insns += p->insns;
    p->present[cpu % CPUS] += p->insns;
}

static void stay_ends(unsigned int cpu, void *user)
{
    cpu %= CPUS;
    if (stay[cpu].insns == 0) {
        return;
    }
    bool longest = guest_started && !stay[cpu].boot && stay[cpu].insns > stay[cpu].longest;
    for (struct part *p = parts; p; p = p->next) {
        if (longest) {
            p->longest[cpu] = p->present[cpu];
        }
        p->present[cpu] = 0;
    }
    if (longest) {
        stay[cpu].longest = stay[cpu].insns;
    }
    stay[cpu].insns = 0;
    stay[cpu].boot = stay[cpu].boot && !guest_started;
}

static void watch_stays(struct qemu_plugin_tb *tb, size_t n)
{
    struct part *p = calloc(1, sizeof(*p));
    *p = (struct part){.next = parts, .vaddr = qemu_plugin_tb_vaddr(tb), .insns = n};
    parts = p;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, stay_goes_on, QEMU_PLUGIN_CB_NO_REGS, p);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(insn), 4);
        if (word == WFI || (word & ~31u) == READ_IAR1) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, stay_ends, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
    }
}

static void count_el2(struct qemu_plugin_tb *tb, size_t n)
{
    el2_entered = true;
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(insn), 4);
        int kind = classify(word);
        if (kind != COUNTERS) {
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &now[kind],
                                                       1);
        }
    }
    if (profile >= 0) {
        struct block *b = calloc(1, sizeof(*b));
        *b = (struct block){qemu_plugin_tb_vaddr(tb), n, 0, blocks};
        blocks = b;
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->runs, 1);
    }
}

static void find_marks(struct qemu_plugin_tb *tb, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(insn), 4);
        if (word == MARK_BEGIN || word == MARK_END) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, word == MARK_BEGIN ? mark_begin : mark_end,
                                                   QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
    }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n = qemu_plugin_tb_n_insns(tb);
    uintptr_t host = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));
    if (!ram_host) {
        ram_host = host - (qemu_plugin_tb_vaddr(tb) - RAM_BASE);
    }
    uint64_t address = host - ram_host + RAM_BASE;
    bool el2 = address >= el2_start && address < el2_end;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
                                             &now[el2 ? EL2 : OTHER], n);
    if (el2) {
        count_el2(tb, n);
        if (stays) {
            watch_stays(tb, n);
        }
        return;
    }
    if (stays) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, stay_ends, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
    find_marks(tb, n);
    if (!guest_started && (address < RAM_BASE || address >= RAM_BASE + STUB_SIZE)) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, first_guest, QEMU_PLUGIN_CB_NO_REGS, NULL);
    }
}

static void print_counters(FILE *out, const uint64_t *counters)
{
    for (int i = 0; i < COUNTERS; i++) {
        fprintf(out, " %" PRIu64, counters[i]);
    }
    fputc('\n', out);
}

static void finish(qemu_plugin_id_t id, void *user)
{
    if (profile >= 0 && region_count == 0) {
        dump_blocks();
    }
    FILE *out = fopen(out_path, "a");
    if (!out) {
        return;
    }
    fprintf(out, "boot");
    print_counters(out, boot);
    for (unsigned i = 0; i < region_count; i++) {
        fprintf(out, "region %u", i);
        print_counters(out, regions[i]);
    }
    fprintf(out, "total");
    print_counters(out, now);
    for (unsigned cpu = 0; stays && cpu < CPUS; cpu++) {
        if (stay[cpu].longest) {
            fprintf(out, "longest %" PRIu64 "\n", stay[cpu].longest);
        }
        for (struct part *p = parts; p; p = p->next) {
            if (p->longest[cpu] > stay[cpu].longest / 2000) {
                fprintf(out, "part %u %" PRIx64 " %" PRIu64 "\n", cpu, p->vaddr, p->longest[cpu]);
            }
        }
    }
    fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (sscanf(argv[i], "el2=%" SCNx64 "-%" SCNx64, &el2_start, &el2_end) == 2) {
            continue;
        }
        if (!strncmp(argv[i], "out=", 4)) {
            out_path = strdup(argv[i] + 4);
        } else if (!strncmp(argv[i], "profile=", 8)) {
            profile = atol(argv[i] + 8);
        } else if (!strcmp(argv[i], "stays=on")) {
            stays = true;
        } else {
            fprintf(stderr,
                    "count: unknown argument '%s' (el2=START-END, out=FILE, profile=N, stays=on)\n",
                    argv[i]);
            return -1;
        }
    }
    if (el2_start >= el2_end) {
        fprintf(stderr, "count: el2=START-END is needed\n");
        return -1;
    }
    remove(out_path);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}

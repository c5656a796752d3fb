/* The machine around the tools' calls: see tools-world.h. */
#include "tools-world.h"

#include "../../hyp/core/config/devices-internal.h"
#include <hyp/cpu.h>
#include <hyp/irq.h>
#include <stdio.h>

const char *const log_lines[LOG_LINES] = {"first", "second", "third"};
int next_error, pause_error, cpu_of_no_use;
uint32_t who_fails, followed[MAX_VCPUS];
unsigned irqs, irqs_back, flushed;
static const char every_right[] = "control *\0inspect *\0build\0store *\0console *\0schedule\0"
                                  "shutdown-host\0irq 40\0device /net";
struct domain_config half_built;
static struct domain_config with_rights;

/* --- Neighbours --- */

/* The board has one device: 160 pages of registers, a page that is RAM, an interrupt. */
tree_node tree_find(const struct tree *t, const char *path, size_t length)
{
    return (tree_node){.at = (const uint8_t *)path};
}
int tree_reg(const struct tree *t, tree_node node, unsigned n, mpa_t *base, uint64_t *size)
{
    *base = n == 0 ? mpa(0xa000000) : mpa(0x40000000);
    *size = n == 0 ? 160 << FRAME_SHIFT : FRAME_SIZE;
    return n < 2 ? 0 : -XEN_ENOENT;
}
int tree_irq(const struct tree *t, tree_node node, unsigned n, uint32_t *intid, bool *edge)
{
    *intid = 41;
    return n == 0 ? 0 : -XEN_ENOENT;
}
bool device_is_ours(uint64_t start, uint64_t size)
{
    return start == 0x9000000;
}
int irq_assign(uint32_t intid, bool edge, struct domain *d, uint32_t virq)
{
    irqs++;
    return next_error;
}
int irq_release(uint32_t intid, struct domain *d)
{
    irqs_back++;
    return next_error;
}
int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask)
{
    if (next_error == 0) {
        v->sched.asked = v->sched.affinity = cpu_mask;
    }
    return next_error;
}
int sched_follow_pool(struct vcpu *v)
{
    if (next_error != 0 && v->id == who_fails) {
        return next_error;
    }
    followed[v->id] = v->domain->sched.cpupool;
    return 0;
}
int sched_set(struct domain *d, const struct sched_params *p)
{
    d->vcpu[0]->sched.params = *p;
    return next_error;
}
int sched_pause_sync(struct vcpu *v)
{
    sched_pause(v);
    return pause_error;
}
void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out)
{
    *out = (struct sched_cpu_info){.domain = c->id == 0 ? 1 : DOMID_INVALID,
                                   .busy_ticks = c->id == 0 ? 100 : ~0ull,
                                   .dedicated = cpu_of_no_use == (int)c->id};
}
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *from, bool aarch32)
{
    v->arch.pc = from->user_regs.pc64;
    return next_error;
}
bool log_read(uint64_t *at, char *buf, size_t size)
{
    if (*at >= LOG_LINES) {
        return false;
    }
    snprintf(buf, size, "%s", log_lines[*at]);
    ++*at;
    return true;
}
int domain_make(const struct domain_config *like, domid_t wanted, struct domain *builder,
                struct domain **out)
{
    if (next_error != 0) {
        return next_error;
    }
    assert_int_equal(like->vgic.nr_spis % 32, 0);
    *out = world[HALF];
    world[HALF]->refs++;
    return 0;
}

/* --- Calls --- */

int tools_begin(void **state)
{
    world_begin(3);
    next_error = pause_error = 0;
    who_fails = 0;
    cpu_of_no_use = -1;
    irqs = flushed = 0;
    with_rights = (struct domain_config){
        .enhanced = true, .rights = every_right, .rights_len = sizeof(every_right)};
    half_built = (struct domain_config){
        .enhanced = true, .made = true, .hyp_memory_bytes = 80ul << FRAME_SHIFT};
    world[TOOLS]->config = &with_rights;
    assert_int_equal(rights_grant(world[TOOLS]), 0);
    world[TOOLS]->state = world[OTHER]->state = DOMAIN_RUNNING;
    world[HALF]->config = &half_built;
    world[HALF]->builder = TOOLS;
    world[HALF]->state = DOMAIN_CREATED;
    world[HALF]->vgic.version = 3;
    world[HALF]->vgic.nr_spis = 64;
    return 0;
}

int tools_end(void **state)
{
    world_end();
    return 0;
}

int64_t at_address(unsigned caller, uint64_t number, void *op, size_t size, uint64_t at)
{
    memcpy(guest(caller, WORLD_SCRATCH), op, size);
    int64_t result = call(caller, number, at, 0, 0);
    memcpy(op, guest(caller, WORLD_SCRATCH), size);
    return result;
}

int64_t domctl_of(uint32_t cmd, domid_t target, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = target;
    return at_address(TOOLS, __HYPERVISOR_domctl, op, sizeof(*op), AT);
}

int64_t sysctl_of(uint32_t cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return at_address(TOOLS, __HYPERVISOR_sysctl, op, sizeof(*op), AT);
}

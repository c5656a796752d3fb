/* Offsets that assembly needs, as strings "->NAME value" in the compiler's output. */
#include <hyp/cpu.h>
#include <hyp/domain.h>

#define OFFSET(name, type, member) \
    __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"(offsetof(type, member)))

void asm_offsets(void);
void asm_offsets(void)
{
    OFFSET(CPU_CURRENT, struct cpu, current);
    OFFSET(CPU_STACK_TOP, struct cpu, stack_top);
    OFFSET(VCPU_WORK, struct vcpu, work);
}

static_assert(offsetof(struct vcpu, arch.x) == 0, "SP_EL2 points at x[0]");

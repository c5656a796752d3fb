/* Model machine: where the image is, how vCPUs begin, random numbers. */
#include <fake.h>

bool fake_aarch32 = true;

bool arch_has_aarch32(void)
{
    return fake_aarch32;
}

/* The first MiB of RAM. */
void arch_image_range(mpa_t *start, mpa_t *end)
{
    *start = mpa(FAKE_RAM_BASE);
    *end = mpa(FAKE_RAM_BASE + 0x100000);
}

/* Without a generator of its own, as most boards are. */
bool arch_random(uint64_t *out)
{
    return false;
}

void arch_vcpu_fix_translation(struct vcpu *v)
{
    v->arch.translation_fixed = true;
}

void arch_vcpu_set_entry(struct vcpu *v, gpa_t pc, const uint64_t args[3], bool aarch32)
{
    v->arch = (struct arch_vcpu){.pc = pc.v, .x = {args[0], args[1], args[2]}, .aarch32 = aarch32};
}

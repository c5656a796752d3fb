/*
 * System registers by name, and the bits the hypervisor uses of them.
 * Source: DDI 0487I.a, chapter D17.
 */
#ifndef ARCH_SYSREG_H
#define ARCH_SYSREG_H

#define sysreg_read(r)                              \
    ({                                              \
        uint64_t v_;                                \
        __asm__ volatile("mrs %0, " #r : "=r"(v_)); \
        v_;                                         \
    })
#define sysreg_write(r, val)                                         \
    do {                                                             \
        uint64_t w_ = (val);                                         \
        __asm__ volatile("msr " #r ", %x0" : : "rZ"(w_) : "memory"); \
    } while (0)

/* Where a guest's virtual address leads, by AT `how`. False: to a fault. PAR_EL1 is the guest's and is put back. */
#define TRANSLATE(how, va, out)                                             \
    ({                                                                      \
        uint64_t va_ = (va), par_ = sysreg_read(par_el1);                   \
        __asm__ volatile("at " #how ", %0\n\tisb" : : "r"(va_) : "memory"); \
        uint64_t result_ = sysreg_read(par_el1);                            \
        sysreg_write(par_el1, par_);                                        \
        *(out) = (result_ & 0x0000fffffffff000ul) | (va_ & 0xfff);          \
        !(result_ & 1);                                                     \
    })

#define isb() __asm__ volatile("isb" : : : "memory")
#define dsb(o) __asm__ volatile("dsb " #o : : : "memory")
#define dmb(o) __asm__ volatile("dmb " #o : : : "memory")
#define yield() __asm__ volatile("yield" : : : "memory")

/*
 * HCR_EL2, and CPTR_EL2 and MDCR_EL2 below. Registers of extensions that are hidden in the ID registers would still
 * work, and carry one guest's state to the next: limited ordering regions (TLOR), error records (TERR), activity
 * monitors (TAM), statistical profiling (TPMS), trace (TTRF). They trap always: the bits are RES0 and do nothing on
 * a CPU without the extension.
 */
#define HCR_VM (1ul << 0)
#define HCR_SWIO (1ul << 1)
#define HCR_PTW (1ul << 2)
#define HCR_FMO (1ul << 3)
#define HCR_IMO (1ul << 4)
#define HCR_AMO (1ul << 5)
#define HCR_VSE (1ul << 8)
#define HCR_FB (1ul << 9)
#define HCR_BSU_IS (1ul << 10)
#define HCR_TWI (1ul << 13)
#define HCR_TWE (1ul << 14)
#define HCR_TID3 (1ul << 18)
#define HCR_TSC (1ul << 19)
#define HCR_TIDCP (1ul << 20)
#define HCR_TACR (1ul << 21)
#define HCR_TVM (1ul << 26)
#define HCR_RW (1ul << 31)
#define HCR_TLOR (1ul << 35)
#define HCR_TERR (1ul << 36)

/* CPTR_EL2, E2H = 0 */
#define CPTR_RES1 0x000032fful
#define CPTR_TZ (1ul << 8)
#define CPTR_TFP (1ul << 10)
#define CPTR_TTA (1ul << 20)
#define CPTR_TAM (1ul << 30)

/* MDCR_EL2 */
#define MDCR_TPMCR (1ul << 5)
#define MDCR_TPM (1ul << 6)
#define MDCR_TDA (1ul << 9)
#define MDCR_TDOSA (1ul << 10)
#define MDCR_TDRA (1ul << 11)
#define MDCR_TPMS (1ul << 14)
#define MDCR_TTRF (1ul << 19)

/* CNTHCTL_EL2, E2H = 0 */
#define CNTHCTL_EL1PCTEN (1ul << 0)

/* SCTLR_EL2: DDI 0487I.a D17.2.119, RES1 bits with E2H = 0. Without suffix: head.S uses them. */
#define SCTLR_EL2_RES1 0x30c50830
#define SCTLR_M (1 << 0)
#define SCTLR_C (1 << 2)
#define SCTLR_SA (1 << 3)
#define SCTLR_I (1 << 12)
#define SCTLR_WXN (1 << 19)

/* SCTLR_EL1 at reset of a guest's vCPU: RES1 bits of ARMv8.0, MMU and caches off */
#define SCTLR_EL1_RESET 0x00c50838ul
#define SCTLR_EL1_AARCH32_RESET 0x00c50078ul

/* PSTATE as in SPSR_ELx */
#define SPSR_MODE_MASK 0x1ful
#define SPSR_EL1t 0x4ul
#define SPSR_EL1h 0x5ul
#define SPSR_AARCH32 (1ul << 4)
#define SPSR_FIQ32 0x11ul
#define SPSR_IRQ32 0x12ul
#define SPSR_SVC32 0x13ul
#define SPSR_ABT32 0x17ul
#define SPSR_UND32 0x1bul
#define SPSR_F (1ul << 6)
#define SPSR_I (1ul << 7)
#define SPSR_A (1ul << 8)
#define SPSR_D (1ul << 9)
#define SPSR_E32 (1ul << 9)
#define SPSR_SS (1ul << 21)
#define SPSR_PAN (1ul << 22)
#define SPSR_T32 (1ul << 5)
#define SPSR_IT_MASK 0x0600fc00ul

/* Exception classes, ESR_ELx.EC: DDI 0487I.a D17.2.37 */
#define EC_UNKNOWN 0x00
#define EC_WFX 0x01
#define EC_CP15_32 0x03
#define EC_CP15_64 0x04
#define EC_CP14_32 0x05
#define EC_CP14_LDC 0x06
#define EC_FP 0x07
#define EC_CP10_ID 0x08
#define EC_CP14_64 0x0c
#define EC_HVC32 0x12
#define EC_SMC32 0x13
#define EC_SVC64 0x15
#define EC_HVC64 0x16
#define EC_SMC64 0x17
#define EC_SYS64 0x18
#define EC_IABT_LOW 0x20
#define EC_DABT_LOW 0x24

#define ESR_EC_SHIFT 26
#define ESR_IL (1ul << 25)

#endif

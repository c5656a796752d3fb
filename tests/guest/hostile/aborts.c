/*
 * Data aborts at addresses where nothing is, as fast as they go: reads, writes,
 * exclusives, pairs, instruction fetches, over the whole intermediate address
 * space, and walks whose tables lie there.
 *
 * Right: each comes back as an external abort or translation fault to this
 * guest, with FAR set, or the access is ignored as on a bus without a slave.
 * Wrong: the guest is stopped without a reason; the neighbour notices.
 */
#include "common.inc"

static u64 faults_with_far;
static u64 wanted;

static bool on_sync(struct frame *frame)
{
    u64 ec = ESR_EC(frame->esr);
    hostile_class[ec]++;
    if (frame->elr < (u64)_head || frame->elr >= (u64)_end) {
        frame->elr = frame->x[30];
    } else {
        frame->elr += 4;
    }
    faults_with_far += (ec == EC_IABT_SAME || ec == EC_DABT_SAME) && frame->far == wanted;
    return true;
}

static void jump(u64 at)
{
    __asm__ volatile("blr %0" ::"r"(at) : "x30", "x9", "x10", "memory");
}

void guest_main(void)
{
    u64 seed = hostile_seed(), tries = 0;
    sync_hook = on_sync;
    mmu_off(); /* intermediate addresses as they are */
    for (u64 i = 0; hostile_more(i, 20); i++) {
        for (u32 j = 0; j < 2000; j++) {
            u64 at = (kit_random(&seed) & 0xfffffffff8);
            if (at >= machine.ram_base && at < machine.ram_base + machine.ram_size) {
                continue;
            }
            if (at < 1ul << 30) { /* keep off the emulated devices */
                at += 1ul << 34;
            }
            wanted = at;
            tries++;
            switch (j & 7) {
            case 0:
            case 1:
                (void)mmio_read64(at);
                break;
            case 2:
            case 3:
                mmio_write32(at, j);
                break;
            case 4:
                __asm__ volatile("ldp x9, x10, [%0]" ::"r"(at) : "x9", "x10");
                break;
            case 5:
                __asm__ volatile("ldxr x9, [%0]" ::"r"(at) : "x9");
                break;
            case 6:
                __asm__ volatile("ldr x9, [%0], #8" : "+r"(at)::"x9");
                break;
            default:
                jump(at);
            }
        }
        if (i % 5 == 0) {
            heartbeat();
        }
    }
    hostile_report();
    note("%lu accesses, FAR right in %lu", tries, faults_with_far);
    ok(hostile_class[EC_DABT_SAME] > tries / 2, "accesses to nothing abort");
    is(faults_with_far, hostile_class[EC_DABT_SAME] + hostile_class[EC_IABT_SAME],
       "FAR holds the address");
}

/* Does nothing, cheaply: what a domain costs while it merely exists. */
#include "kit.h"

void guest_main(void)
{
    say("waiting");
    irq_off();
    for (;;) {
        wfi();
    }
}

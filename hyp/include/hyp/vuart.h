/* Placeholder until hyp/vdev/vuart lands on this branch. */
#ifndef HYP_VUART_H
#define HYP_VUART_H

#include <hyp/lock.h>
#include <hyp/types.h>

struct vuart {
    lock_t lock;
};

#endif

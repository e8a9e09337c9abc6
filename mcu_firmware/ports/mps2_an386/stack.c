#include "stack.h"

#include "memory.h"

#define PAINT 0xA77E4E00u

/* Words below the frame that this function itself may use. */
#define MARGIN 16

void attune_stack_paint(void) {
    const uint32_t *end = (const uint32_t *)__builtin_frame_address(0) - MARGIN;
    /* volatile: the compiler must not make a call to memset of it, which would paint its own frame. */
    for (volatile uint32_t *word = attune_stack_begin; word < end; word++) {
        *word = PAINT;
    }
}

uint32_t attune_stack_free(void) {
    const volatile uint32_t *word = attune_stack_begin;
    while (word < attune_stack_end && *word == PAINT) {
        word++;
    }
    return (uint32_t)((uintptr_t)word - (uintptr_t)attune_stack_begin);
}

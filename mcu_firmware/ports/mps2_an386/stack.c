#include "stack.h"

#include "memory.h"

#define PAINT 0xA77E4E00u

/* Words below the frame that this function itself may use. */
#define MARGIN 16

void attune_stack_paint(void) {
    const uint32_t *frame = __builtin_frame_address(0);
    const uint32_t words = attune_span(attune_stack_begin, frame) / sizeof(uint32_t) - MARGIN;
    /* volatile: the compiler must not make a call to memset of it, which would paint its own frame. */
    volatile uint32_t *stack = attune_stack_begin;
    for (uint32_t i = 0; i < words; i++) {
        stack[i] = PAINT;
    }
}

uint32_t attune_stack_free(void) {
    const volatile uint32_t *stack = attune_stack_begin;
    const uint32_t words = attune_span(attune_stack_begin, attune_stack_end) / sizeof(uint32_t);
    uint32_t free = 0;
    while (free < words && stack[free] == PAINT) {
        free++;
    }
    return free * (uint32_t)sizeof(uint32_t);
}

#include "clock.h"

#include "registers.h"

static volatile uint32_t low_ms;
static volatile uint32_t high_ms;

void attune_clock_begin(void) {
    SYSTICK->reload = CLOCK_HZ / 1000u - 1u;
    SYSTICK->value = 0;
    SYSTICK->control = SYSTICK_CONTROL_RUN;
}

void attune_clock_handler(void) {
    if (++low_ms == 0) {
        high_ms++;
    }
}

uint64_t attune_clock_ms(void) {
    /* The halves belong together if the high one did not change meanwhile. */
    for (;;) {
        const uint32_t high = high_ms;
        const uint32_t low = low_ms;
        if (high == high_ms) {
            return (uint64_t)high << 32 | low;
        }
    }
}

#include "cost/count.h"

#include "registers.h"
#include "uart.h"

#define INSTRUCTIONS_A_TICK 40u
#define TICK_MASK 0xFFFFFFu

void begin_counting(void) {
    attune_uart_begin();
    SYSTICK->reload = TICK_MASK;
    SYSTICK->value = 0;
    SYSTICK->control = SYSTICK_CONTROL_RUN & ~2u; /* without its interrupt */
}

uint32_t count_once(work *what) {
    uint32_t before = SYSTICK->value;
    what();
    return ((before - SYSTICK->value) & TICK_MASK) * INSTRUCTIONS_A_TICK;
}

static void say_number(uint32_t number) {
    char digits[11];
    char *next = digits + sizeof digits - 1;
    *next = '\0';
    do {
        *--next = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    attune_uart_say(next);
}

void say_cost(const char *subject, const char *what, uint32_t number) {
    attune_uart_say("cost ");
    attune_uart_say(subject);
    attune_uart_say(what);
    attune_uart_say(" ");
    say_number(number);
    attune_uart_say("\n");
}

_Noreturn void end_counting(void) {
    attune_uart_say("end\n");
    for (;;) {
        __asm__ volatile("wfi");
    }
}

/* Vector table and reset handler. */
#include "clock.h"
#include "memory.h"
#include "registers.h"
#include "reset.h"
#include "stack.h"
#include "uart.h"

#include <string.h>

#define EXCEPTIONS 16
#define INTERRUPTS 32

int main(void);
_Noreturn void attune_reset_handler(void);

static void fill_data(void) {
    memcpy(attune_data_begin, attune_data_image, attune_span(attune_data_begin, attune_data_end));
    memset(attune_bss_begin, 0, attune_span(attune_bss_begin, attune_bss_end));
}

_Noreturn void attune_reset_handler(void) {
    /* First of all: any function may use a floating-point register. */
    COPROCESSOR_ACCESS |= COPROCESSOR_FPU;
    __asm__ volatile("dsb\n isb" ::: "memory");
    attune_stack_paint();
    fill_data();
    (void)main();
    attune_reset(ATTUNE_RESET_SOFTWARE);
}

typedef union vector {
    const void *stack;
    void (*handler)(void);
} vector;

/* An exception or interrupt that nothing here enables is a fault. */
#define FAULT                                                                                                          \
    { .handler = attune_fault_handler }

__attribute__((section(".vectors"), used)) static const vector vectors[EXCEPTIONS + INTERRUPTS] = {
    [0] = {.stack = attune_stack_end},
    [1] = {.handler = attune_reset_handler},
    [2] = {.handler = attune_watchdog_handler},
    [3] = FAULT,
    [4] = FAULT,
    [5] = FAULT,
    [6] = FAULT,
    [11] = FAULT,
    [12] = FAULT,
    [14] = FAULT,
    [15] = {.handler = attune_clock_handler},
    [EXCEPTIONS + UART0_RX_IRQ] = {.handler = attune_uart0_handler},
    [EXCEPTIONS + UART0_RX_IRQ + 1] = FAULT,
    [EXCEPTIONS + UART1_RX_IRQ] = {.handler = attune_uart1_handler},
    [EXCEPTIONS + UART1_RX_IRQ + 1 ... EXCEPTIONS + INTERRUPTS - 1] = FAULT,
};

/* The firmware of a node on the MPS2+ board with FPGA image AN386. */
#include "board/loop.h"
#include "clock.h"
#include "flash.h"
#include "identity.h"
#include "uart.h"
#include "watchdog.h"

static attune_loop loop;

static void begin(void) {
    const attune_reset_cause cause = attune_reset_take();
    attune_uart_begin();
    attune_clock_begin();
    if (cause.reason == ATTUNE_RESET_POWER_ON) {
        attune_flash_power_on();
    }
    attune_identity_begin(cause);
}

/* A board that must not start sleeps for good, and would only come back to the same end by a reset. */
static _Noreturn void stop(void) {
    for (;;) {
        __asm__ volatile("wfi");
    }
}

static void show_code(void) {
    char code[ATTUNE_CODE_TEXT];
    attune_session_code(&loop.node.session, code);
    attune_uart_say("Code: ");
    attune_uart_say(code);
    attune_uart_say("\n");
}

int main(void) {
    begin();
    if (!attune_loop_init(&loop)) {
        stop();
    }
    attune_uart_say("attune-node " ATTUNE_FIRMWARE " runs.\n");
    show_code();
    attune_watchdog_begin();
    for (;;) {
        if (!attune_loop_step(&loop)) {
            attune_port_sleep();
        }
    }
}

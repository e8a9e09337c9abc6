#include "watchdog.h"

#include "port.h"
#include "registers.h"

void attune_watchdog_begin(void) {
    WATCHDOG->load = CLOCK_HZ / 1000u * ATTUNE_WATCHDOG_MS;
    /* Should the interrupt get stuck, the second expiry resets the board without a record. */
    WATCHDOG->control = WATCHDOG_CONTROL_INTERRUPT | WATCHDOG_CONTROL_RESET;
}

void attune_port_watchdog_kick(void) { WATCHDOG->clear = 1; }

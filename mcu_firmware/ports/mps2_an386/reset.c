#include "reset.h"

#include "framing/frame.h"
#include "memory.h"
#include "registers.h"

#include <stddef.h>

#define RECORD_MAGIC 0x41545253u

typedef struct reset_record {
    uint32_t magic;
    uint32_t reason;
    uint32_t pc;
    uint32_t check; /* CRC-16 of what stands before */
} reset_record;

static KEPT_OVER_RESET reset_record record;

static uint32_t record_check(void) {
    return attune_crc16(ATTUNE_CRC16_INIT, (const uint8_t *)&record, offsetof(reset_record, check));
}

static void record_write(attune_reset_reason reason, uint32_t pc) {
    record.magic = RECORD_MAGIC;
    record.reason = reason;
    record.pc = pc;
    record.check = record_check();
}

attune_reset_cause attune_reset_take(void) {
    attune_reset_cause cause = {ATTUNE_RESET_POWER_ON, 0};
    if (record.magic == RECORD_MAGIC && record.check == record_check() && record.reason <= ATTUNE_RESET_FAULT) {
        cause.reason = (attune_reset_reason)record.reason;
        cause.pc = record.pc;
    }
    record_write(ATTUNE_RESET_OTHER, 0);
    return cause;
}

/* Reached by a branch from the exception entries below. */
__attribute__((used)) static _Noreturn void reset_at(attune_reset_reason reason, uint32_t pc) {
    record_write(reason, pc);
    __asm__ volatile("dsb" ::: "memory");
    RESET_CONTROL = RESET_REQUEST;
    for (;;) {
    }
}

_Noreturn void attune_reset(attune_reset_reason reason) { reset_at(reason, 0); }

/* The exception frame holds the interrupted program counter at its word 6. If the stack pointer has left the stack
 * there is no frame: the counter is then unknown. The stack starts afresh, because nothing returns from here. */
#define RECORD_AND_RESET(reason)                                                                                       \
    __asm__ volatile("mrs r1, msp\n"                                                                                   \
                     "ldr r2, =attune_stack_begin\n"                                                                   \
                     "ldr r3, =attune_stack_end\n"                                                                     \
                     "msr msp, r3\n"                                                                                   \
                     "subs r3, #32\n"                                                                                  \
                     "cmp r1, r2\n"                                                                                    \
                     "blo 1f\n"                                                                                        \
                     "cmp r1, r3\n"                                                                                    \
                     "bhi 1f\n"                                                                                        \
                     "ldr r1, [r1, #24]\n"                                                                             \
                     "b 2f\n"                                                                                          \
                     "1: movs r1, #0\n"                                                                                \
                     "2: movs r0, %0\n"                                                                                \
                     "b reset_at\n"                                                                                    \
                     ".ltorg" ::"i"(reason))

__attribute__((naked)) void attune_fault_handler(void) { RECORD_AND_RESET(ATTUNE_RESET_FAULT); }

/* The watchdog's first expiry is an interrupt that nothing can mask; the reset that would follow leaves no program
 * counter. */
__attribute__((naked)) void attune_watchdog_handler(void) { RECORD_AND_RESET(ATTUNE_RESET_WATCHDOG); }

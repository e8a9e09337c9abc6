/* Why the last run ended: kept in RAM that no reset clears, under a checksum. */
#ifndef ATTUNE_MPS2_RESET_H
#define ATTUNE_MPS2_RESET_H

#include <stdbool.h>
#include <stdint.h>

/* The numbers of attune.v1.ResetReason. A reset that left no record (reset pin, debugger) is OTHER. */
typedef enum attune_reset_reason {
    ATTUNE_RESET_OTHER = 0,
    ATTUNE_RESET_POWER_ON = 1,
    ATTUNE_RESET_SOFTWARE = 2,
    ATTUNE_RESET_WATCHDOG = 3,
    ATTUNE_RESET_FAULT = 4
} attune_reset_reason;

typedef struct attune_reset_cause {
    attune_reset_reason reason;
    uint32_t pc; /* of the instruction that was interrupted; 0 if unknown */
} attune_reset_cause;

/* Reads the record and replaces it by OTHER. Once, at the start. */
attune_reset_cause attune_reset_take(void);

/* Records the reason and resets the processor. */
_Noreturn void attune_reset(attune_reset_reason reason);

/* Exception entries: record reason and program counter, and reset. They need no stack of the interrupted program. */
void attune_fault_handler(void);
void attune_watchdog_handler(void);

#endif

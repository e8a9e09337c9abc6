/* What is sent again with growing pauses until it is answered. */
#ifndef ATTUNE_RETRY_H
#define ATTUNE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* The longest pause. */
#define ATTUNE_RETRY_MAX_MS 300000u

typedef struct attune_retry {
    uint64_t due_ms;
    uint32_t wait_ms;
} attune_retry;

/* The first pause begins now. */
void attune_retry_start(attune_retry *retry, uint64_t now_ms, uint32_t wait_ms);

/* Nothing waits for an answer: the pause begins now, as long as it was. */
void attune_retry_rest(attune_retry *retry, uint64_t now_ms);

/* True if the pause is over; the next one is twice as long. */
bool attune_retry_due(attune_retry *retry, uint64_t now_ms);

#endif

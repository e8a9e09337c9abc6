#include "session/retry.h"

void attune_retry_start(attune_retry *retry, uint64_t now_ms, uint32_t wait_ms) {
    retry->wait_ms = wait_ms;
    retry->due_ms = now_ms + wait_ms;
}

void attune_retry_rest(attune_retry *retry, uint64_t now_ms) { retry->due_ms = now_ms + retry->wait_ms; }

bool attune_retry_due(attune_retry *retry, uint64_t now_ms) {
    if (now_ms < retry->due_ms) {
        return false;
    }
    retry->wait_ms = retry->wait_ms < ATTUNE_RETRY_MAX_MS / 2 ? 2 * retry->wait_ms : ATTUNE_RETRY_MAX_MS;
    retry->due_ms = now_ms + retry->wait_ms;
    return true;
}

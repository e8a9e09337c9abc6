/* What a node advertises: a hint that changes and by which only those who have the node's code make it out, and a device address of its own
 * (docs/protocol.md, "Bluetooth").
 *
 * The advertised hint is 3 random bytes r and the first 5 of BLAKE2b-256 of r with the key BLAKE2b-256("attune-advertising-1" || node hint ||
 * random bytes of the code). */
#ifndef ATTUNE_ADVERTISING_H
#define ATTUNE_ADVERTISING_H

#include "session/session.h"

#include <stdint.h>

#define ATTUNE_ADVERTISED 8
#define ATTUNE_ADVERTISED_RANDOM 3
#define ATTUNE_ADVERTISING_KEY 32
#define ATTUNE_ADDRESS 6

/* Hint and address are new at each start and after so long. */
#define ATTUNE_ADVERTISING_MS 14400000u

void attune_advertising_key(const uint8_t hint[ATTUNE_HINT], const uint8_t bits[ATTUNE_CODE_BITS],
                            uint8_t key[ATTUNE_ADVERTISING_KEY]);

void attune_advertised_hint(const uint8_t key[ATTUNE_ADVERTISING_KEY], const uint8_t random[ATTUNE_ADVERTISED_RANDOM],
                            uint8_t advertised[ATTUNE_ADVERTISED]);

/* All zeros: nothing has been drawn yet. */
typedef struct attune_advertising {
    uint8_t hint[ATTUNE_ADVERTISED];
    uint8_t
        address[ATTUNE_ADDRESS]; /* static random (Core Specification, volume 6, part B, 1.3.2.1), lowest byte first */
    uint64_t due_ms;             /* when they change */
} attune_advertising;

/* Time passes: draws hint and address when they are due. The session's keys have been opened. */
void attune_advertising_poll(attune_advertising *advertising, const attune_session *session, uint64_t now_ms);

#endif

/* The releases of the power-loss test: what the daemon would send, and what a slot then holds. */
#ifndef POWER_LOSS_RELEASE_H
#define POWER_LOSS_RELEASE_H

#include "node/node.h"
#include "update_signer.h"

/* Eight sensors of three features each. */
#define WORLD_FEATURES 24
#define WORLD_SENSORS 8
extern const uint8_t world_sensors[WORLD_SENSORS];

/* Releases by number; 0 is the factory release. */
#define WORLD_RELEASES 8

/* The odd ones travel as heads in one packet, the even ones as models, of which the second is the largest. */
typedef struct made_release {
    attune_update_kind kind;
    size_t payload_size;
    size_t image_size; /* 0 before it is made */
    uint8_t payload[ATTUNE_MAX_ENVELOPE];
    uint8_t image[ATTUNE_MAX_IMAGE];
    uint8_t digest[ATTUNE_DIGEST_SIZE];
} made_release;

/* Made at the first call. release is 1 to WORLD_RELEASES - 1. */
const made_release *world_release(uint32_t release);

/* Who signs for the world's node, by the number of the key, from 1. */
const update_signer *world_signer(uint32_t number);

/* An envelope for the node as it is, numbered ten times the release, or above all that it has accepted. Returns its size. */
size_t world_envelope(const attune_node *node, uint32_t release, uint8_t envelope[ATTUNE_MAX_ENVELOPE]);

#endif

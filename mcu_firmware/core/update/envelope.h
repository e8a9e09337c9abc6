/* Signed updates: what a node demands of the bytes that are to change what it believes.
 *
 * Sent, little endian: format (1), kind (1; bit 7 if the audience is a cohort), sequence number (4), digest of the result (16),
 * payload, signature (64). Signed: the domain string, then format, audience (32), sequence number, digest of the base release (16), digest
 * of the result, kind, payload. Audience and base are what the node knows itself to be and to run: they are not sent, and a
 * wrong one is a wrong signature.
 *
 * Payloads, for d features:
 *   head          through_label (4), then compact.h: the base's calibration stays where it is one of as many classes, its normaliser
 *                 goes, for a new head was learned from windows as they are
 *   calibration   calibration.h, in place of the base's
 *   normaliser    normaliser.h, in place of the base's
 *   model         model.h without the schema's hash, the head in any format: nothing of the base stays
 *
 * Nothing is trusted before attune_update_check has said ATTUNE_UPDATE_OK, and nothing may run before attune_update_apply has. */
#ifndef ATTUNE_ENVELOPE_H
#define ATTUNE_ENVELOPE_H

#include "update/ed25519.h"
#include "update/model.h"

#define ATTUNE_ENVELOPE_FORMAT 1
#define ATTUNE_ENVELOPE_HEADER 22
#define ATTUNE_ENVELOPE_AROUND (ATTUNE_ENVELOPE_HEADER + ATTUNE_ED25519_SIGNATURE)

/* Room for a mixture of 24 features and two classes in float32, or of eight classes in int8, with everything beside it. */
#define ATTUNE_MAX_ENVELOPE 2304

#define ATTUNE_COHORT_BIT 0x80u
#define ATTUNE_AUDIENCE 32
#define ATTUNE_AUDIENCE_ID 8

/* The numbers are wire format. */
typedef enum attune_update_kind {
    ATTUNE_UPDATE_HEAD = 1,
    ATTUNE_UPDATE_CALIBRATION = 2,
    ATTUNE_UPDATE_NORMALISER = 3,
    ATTUNE_UPDATE_MODEL = 4
} attune_update_kind;

/* In the order in which they are found; the numbers are wire format. */
typedef enum attune_update_verdict {
    ATTUNE_UPDATE_OK = 1,
    ATTUNE_UPDATE_SIZE = 2,      /* impossible for an envelope */
    ATTUNE_UPDATE_FORMAT = 3,    /* a format or kind that this node does not know */
    ATTUNE_UPDATE_SIGNATURE = 4, /* not signed with its key for it and for what it runs */
    ATTUNE_UPDATE_SEQUENCE = 5,  /* not above the highest number that it has accepted */
    ATTUNE_UPDATE_PAYLOAD = 6,   /* signed, but no state that can be */
    ATTUNE_UPDATE_DIGEST = 7,    /* applied, it does not give what was announced */
    ATTUNE_UPDATE_BUSY = 8       /* good so far, but another update is on trial: the node's own */
} attune_update_verdict;

/* What the node knows of itself. */
typedef struct attune_update_own {
    uint8_t key[ATTUNE_ED25519_KEY]; /* who signs updates */
    uint8_t node[ATTUNE_AUDIENCE];   /* attune_audience */
    uint8_t cohort[ATTUNE_AUDIENCE]; /* counts if in_cohort */
    bool in_cohort;
    uint8_t base[ATTUNE_DIGEST_SIZE]; /* of the release that it runs */
    uint32_t highest;                 /* sequence number ever accepted; never falls */
} attune_update_own;

/* What an envelope says; points into its bytes. */
typedef struct attune_update {
    attune_update_kind kind;
    bool for_cohort;
    uint32_t sequence;
    const uint8_t *result;
    const uint8_t *payload;
    size_t payload_size;
} attune_update;

/* The digest of an audience: the first 32 bytes of BLAKE2b-512 of "attune-audience1", 1 for a node or 2 for a cohort, its id, the schema's
 * hash, and the hardware's name without its end. */
void attune_audience(bool cohort, const uint8_t id[ATTUNE_AUDIENCE_ID], const uint8_t schema_hash[8],
                     const char *hardware, uint8_t audience[ATTUNE_AUDIENCE]);

/* Size, format, signature, sequence number, in this order. update is filled in only by ATTUNE_UPDATE_OK. */
attune_update_verdict attune_update_check(const attune_update_own *own, const uint8_t *envelope, size_t size,
                                          attune_update *update);

/* Applies an update to model, which holds the base release, and writes the result's image. capacity at least attune_model_size of any
 * result; image may be the envelope's own bytes, which are read before it is written. ATTUNE_UPDATE_OK, or ATTUNE_UPDATE_PAYLOAD where there
 * is no result or no room; model and image are then undefined. */
attune_update_verdict attune_update_result(const attune_update *update, const uint8_t schema_hash[8],
                                           attune_model *model, uint8_t *image, size_t capacity, size_t *image_size);

/* The same for what attune_update_check has accepted, and compares the image's digest with what was announced. Unless the verdict
 * is ATTUNE_UPDATE_OK model and image are undefined: they are scratch, and never what runs. */
attune_update_verdict attune_update_apply(const attune_update *update, const uint8_t schema_hash[8],
                                          attune_model *model, uint8_t *image, size_t capacity, size_t *image_size);

#endif

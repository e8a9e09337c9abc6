/* An envelope that comes in chunks: in order, each acknowledged once it is durable, to be gone on with after any interruption.
 *
 * What has come is the caller's to keep, with the transfer itself, where it outlives the power. A chunk is taken in three steps:
 * attune_transfer_look says what to do with it; the caller makes its bytes durable; attune_transfer_stored counts them. So an
 * interruption between any two of them at worst has a chunk sent again. Nothing here is trusted or looked into: that is
 * attune_update_check's, once all of it is there. */
#ifndef ATTUNE_TRANSFER_H
#define ATTUNE_TRANSFER_H

#include "update/envelope.h"

/* Largest chunk: what is below a node's largest frame with everything around it. */
#define ATTUNE_MAX_CHUNK 480

/* The first bytes of BLAKE2b-512 of the whole envelope, by which both sides know it again. */
#define ATTUNE_TRANSFER_ID 16

/* All zeros: nothing is on its way. */
typedef struct attune_transfer {
    uint8_t id[ATTUNE_TRANSFER_ID];
    uint32_t size; /* of the envelope */
    uint32_t have; /* bytes from its beginning that are durable */
} attune_transfer;

typedef struct attune_chunk {
    uint8_t id[ATTUNE_TRANSFER_ID];
    uint32_t size;   /* of the envelope */
    uint32_t offset; /* of the first byte */
    uint32_t count;  /* of bytes; none at all asks for attune_transfer_offset */
} attune_chunk;

typedef enum attune_chunk_result {
    ATTUNE_CHUNK_NEXT = 0, /* make it durable at its offset, then call attune_transfer_stored */
    ATTUNE_CHUNK_FIRST,    /* likewise, and let go of what was on its way: this is the beginning of another envelope */
    ATTUNE_CHUNK_ELSEWHERE, /* not what comes next: acknowledge with attune_transfer_offset, where the sender is to go on */
    ATTUNE_CHUNK_REFUSED /* no part of an envelope that could be taken */
} attune_chunk_result;

/* Changes nothing. */
attune_chunk_result attune_transfer_look(const attune_transfer *transfer, const attune_chunk *chunk);

/* The chunk's bytes are durable; look has said NEXT or FIRST. True once the envelope is whole. */
bool attune_transfer_stored(attune_transfer *transfer, const attune_chunk *chunk);

/* Where to go on with the envelope of this id and size: 0 if it is not the one on its way. */
uint32_t attune_transfer_offset(const attune_transfer *transfer, const attune_chunk *chunk);

#endif

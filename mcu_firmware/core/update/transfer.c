#include "update/transfer.h"

#include <string.h>

static bool is_same(const attune_transfer *transfer, const attune_chunk *chunk) {
    return transfer->size == chunk->size && memcmp(transfer->id, chunk->id, sizeof transfer->id) == 0;
}

static bool can_be(const attune_chunk *chunk) {
    return chunk->size > ATTUNE_ENVELOPE_AROUND && chunk->size <= ATTUNE_MAX_ENVELOPE &&
           chunk->count <= ATTUNE_MAX_CHUNK && chunk->offset <= chunk->size &&
           chunk->count <= chunk->size - chunk->offset;
}

uint32_t attune_transfer_offset(const attune_transfer *transfer, const attune_chunk *chunk) {
    return is_same(transfer, chunk) ? transfer->have : 0;
}

attune_chunk_result attune_transfer_look(const attune_transfer *transfer, const attune_chunk *chunk) {
    if (!can_be(chunk)) {
        return ATTUNE_CHUNK_REFUSED;
    }
    if (chunk->count == 0 || chunk->offset != attune_transfer_offset(transfer, chunk)) {
        return ATTUNE_CHUNK_ELSEWHERE;
    }
    return is_same(transfer, chunk) ? ATTUNE_CHUNK_NEXT : ATTUNE_CHUNK_FIRST;
}

bool attune_transfer_stored(attune_transfer *transfer, const attune_chunk *chunk) {
    if (!is_same(transfer, chunk)) {
        memcpy(transfer->id, chunk->id, sizeof transfer->id);
        transfer->size = chunk->size;
    }
    transfer->have = chunk->offset + chunk->count;
    return transfer->have == transfer->size;
}

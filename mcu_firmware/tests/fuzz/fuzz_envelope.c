/* What a node makes of updates. The first byte of an input says as what the others come:
 *   0  digest of the base (16), highest sequence number (4), an envelope: what passes is above the highest number, and passes no more
 *      with any of its bits changed
 *   1  kind (1) and payload: the result is a model that may run, be taught and be stored
 *   2  an image: likewise
 *   3  a chain of signing keys: the number never falls, and a refusal changes nothing
 *   4  a script of chunks: what is there is always the beginning of one envelope */
#include "fuzz/script.h"
#include "update/compact.h"
#include "update/keys.h"
#include "update/transfer.h"
#include "window/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LARGEST_IMAGE 6144

/* The public key of the golden envelopes, and what they are for. */
static const uint8_t key[32] = {0x8A, 0x88, 0xE3, 0xDD, 0x74, 0x09, 0xF1, 0x95, 0xFD, 0x52, 0xDB,
                                0x2D, 0x3C, 0xBA, 0x5D, 0x72, 0xCA, 0x67, 0x09, 0xBF, 0x1D, 0x94,
                                0x12, 0x1B, 0xF3, 0x74, 0x88, 0x01, 0xB4, 0x0F, 0x6F, 0x5C};
static const char hardware[] = "mps2-an386";

static attune_schema schema;
static attune_model base;

static void begin(void) {
    uint8_t sensors[8];
    uint8_t sensor[ATTUNE_MAX_FEATURES];
    for (uint8_t kind = ATTUNE_TEMPERATURE; kind <= ATTUNE_POWER; kind++) {
        sensors[kind - ATTUNE_TEMPERATURE] = kind | ATTUNE_HISTORY;
    }
    must(attune_schema_init(&schema, sensors, sizeof sensors, 60) == ATTUNE_SCHEMA_OK);
    for (uint8_t i = 0; i < schema.features; i++) {
        sensor[i] = schema.feature[i].sensor;
    }
    must(attune_model_init(&base, ATTUNE_HEAD_MIXTURE, schema.features, sensor));
}

static uint32_t number_at(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* A model that was made of bytes may run, be taught and be stored. */
static void must_be_sound(attune_model *model) {
    static uint8_t image[LARGEST_IMAGE], again[LARGEST_IMAGE], packet[1024];
    attune_real evidence[ATTUNE_MAX_CLASSES - 1];
    attune_model read = base;
    int16_t x[ATTUNE_MAX_FEATURES] = {0};
    for (uint8_t i = 0; i < ATTUNE_MAX_FEATURES; i++) {
        x[i] = (int16_t)(i % 5 == 4 ? ATTUNE_MISSING : 900 * i - 9000);
    }
    size_t size = attune_model_write(model, schema.hash, image, sizeof image);
    must(size == attune_model_size(model));
    must(attune_model_read_image(&read, schema.hash, image, size));
    must(attune_model_write(&read, schema.hash, again, sizeof again) == size && is_same(image, again, size));
    for (uint8_t k = 0; k < 3; k++) {
        if (attune_model_evidence(model, x, evidence)) {
            attune_model_calibrate(model, evidence);
        }
        for (uint8_t i = 0; i + 1 < attune_head_classes(&model->head); i++) {
            must(evidence[i] >= -ATTUNE_EVIDENCE_LIMIT && evidence[i] <= ATTUNE_EVIDENCE_LIMIT);
        }
        (void)attune_model_learn(model, x, k, 1);
    }
    (void)attune_compact_write(&model->head, packet, sizeof packet);
}

static void take_result(const attune_update *update) {
    static uint8_t image[LARGEST_IMAGE];
    attune_model model = base;
    size_t size;
    if (attune_update_result(update, schema.hash, &model, image, sizeof image, &size) == ATTUNE_UPDATE_OK) {
        must_be_sound(&model);
    }
}

static void take_envelope(const uint8_t *bytes, size_t size) {
    attune_update_own own = {.in_cohort = true, .highest = number_at(bytes + 16)};
    attune_update update, other;
    memcpy(own.base, bytes, sizeof own.base);
    memcpy(own.key, key, sizeof key);
    attune_audience(false, (const uint8_t *)"node-001", schema.hash, hardware, own.node);
    attune_audience(true, (const uint8_t *)"cohort-1", schema.hash, hardware, own.cohort);
    uint8_t *envelope = malloc(size - 20 + 1);
    memcpy(envelope, bytes + 20, size - 20);
    if (attune_update_check(&own, envelope, size - 20, &update) == ATTUNE_UPDATE_OK) {
        static uint8_t image[LARGEST_IMAGE];
        attune_model model = base;
        size_t image_size;
        must(update.sequence > own.highest);
        if (attune_update_apply(&update, schema.hash, &model, image, sizeof image, &image_size) == ATTUNE_UPDATE_OK) {
            must_be_sound(&model);
        }
        envelope[own.highest % (size - 20)] ^= (uint8_t)(1u << own.base[0] % 8);
        must(attune_update_check(&own, envelope, size - 20, &other) != ATTUNE_UPDATE_OK);
    }
    free(envelope);
}

static void take_payload(const uint8_t *bytes, size_t size) {
    uint8_t *payload = malloc(size);
    memcpy(payload, bytes + 1, size - 1);
    const attune_update update = {
        .kind = (attune_update_kind)(1 + bytes[0] % 4), .payload = payload, .payload_size = size - 1};
    take_result(&update);
    free(payload);
}

static void take_image(const uint8_t *bytes, size_t size) {
    attune_model model = base;
    if (attune_model_read_image(&model, schema.hash, bytes, size)) {
        must_be_sound(&model);
    }
}

static void take_chain(const uint8_t *bytes, size_t size) {
    attune_signer signer = {.number = 1};
    memcpy(signer.key, key, sizeof key);
    const attune_signer before = signer;
    if (attune_signer_follow(&signer, bytes, size) != ATTUNE_CHAIN_OK) {
        must(memcmp(&before, &signer, sizeof signer) == 0);
    }
    must(signer.number >= before.number);
}

/* A step is a chunk: its operation the id, its argument the offset in parts of 16, its bytes the count. */
static void take_chunks(const uint8_t *bytes, size_t size) {
    script input = {bytes, size};
    step next;
    attune_transfer transfer = {{0}, 0, 0};
    uint8_t kept_of = 0;
    while (next_step(&input, &next)) {
        attune_chunk chunk = {{next.operation}, 90 + next.operation * 16u, next.argument * 16u, (uint32_t)next.size};
        const attune_transfer before = transfer;
        attune_chunk_result result = attune_transfer_look(&transfer, &chunk);
        must(memcmp(&before, &transfer, sizeof transfer) == 0);
        if (result == ATTUNE_CHUNK_FIRST || result == ATTUNE_CHUNK_NEXT) {
            must(result == ATTUNE_CHUNK_FIRST || kept_of == next.operation);
            must(chunk.offset == (result == ATTUNE_CHUNK_FIRST ? 0 : transfer.have));
            kept_of = next.operation;
            must(attune_transfer_stored(&transfer, &chunk) == (transfer.have == transfer.size));
        }
        must(transfer.have <= transfer.size && transfer.size <= ATTUNE_MAX_ENVELOPE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (schema.features == 0) {
        begin();
    }
    if (size < 2) {
        return 0;
    }
    switch (data[0] % 5) {
    case 0:
        if (size > 21) {
            take_envelope(data + 1, size - 1);
        }
        break;
    case 1:
        take_payload(data + 1, size - 1);
        break;
    case 2:
        take_image(data + 1, size - 1);
        break;
    case 3:
        take_chain(data + 1, size - 1);
        break;
    default:
        take_chunks(data + 1, size - 1);
    }
    return 0;
}

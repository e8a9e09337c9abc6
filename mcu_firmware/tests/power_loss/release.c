#include "release.h"

#include "random.h"
#include "update/compact.h"

#include <string.h>

#define WINDOWS 40

const uint8_t world_sensors[WORLD_SENSORS] = {ATTUNE_TEMPERATURE | ATTUNE_HISTORY, ATTUNE_HUMIDITY | ATTUNE_HISTORY,
                                              ATTUNE_LIGHT | ATTUNE_HISTORY,       ATTUNE_CO2 | ATTUNE_HISTORY,
                                              ATTUNE_VOC | ATTUNE_HISTORY,         ATTUNE_PM25 | ATTUNE_HISTORY,
                                              ATTUNE_SOUND | ATTUNE_HISTORY,       ATTUNE_POWER | ATTUNE_HISTORY};

static made_release made[WORLD_RELEASES];

static void start(attune_model *model, attune_schema *schema) {
    memset(model, 0, sizeof *model);
    (void)attune_schema_init(schema, world_sensors, WORLD_SENSORS, 60);
    (void)attune_factory_load(&model->head, ATTUNE_FACTORY_HEAD, schema);
}

static void teach(attune_head *head, uint64_t seed) {
    int16_t x[WORLD_FEATURES];
    for (int i = 0; i < WINDOWS; i++) {
        for (int f = 0; f < WORLD_FEATURES; f++) {
            x[f] = (int16_t)((int32_t)random_below(&seed, 3000) - 1500 + 400 * (i % 2));
        }
        (void)attune_head_learn(head, x, i % 2, 1);
    }
}

static void write_payload(const attune_head *head, uint32_t release, made_release *into) {
    const attune_format format = release == 2 ? ATTUNE_FLOAT32 : ATTUNE_FLOAT16;
    if (release % 2 == 0) {
        into->kind = ATTUNE_UPDATE_MODEL;
        into->payload_size = attune_head_export(head, format, into->payload, sizeof into->payload);
    } else {
        into->kind = ATTUNE_UPDATE_HEAD; /* built from no label: four zeros */
        into->payload_size = 4 + attune_compact_write(head, into->payload + 4, sizeof into->payload - 4);
    }
}

static void make(uint32_t release, made_release *into) {
    static attune_model model;
    attune_schema schema;
    start(&model, &schema);
    teach(&model.head, release);
    write_payload(&model.head, release, into);
    start(&model, &schema);
    const attune_update update = {.kind = into->kind, .payload = into->payload, .payload_size = into->payload_size};
    (void)attune_update_result(&update, schema.hash, &model, into->image, sizeof into->image, &into->image_size);
    attune_model_digest(into->image, into->image_size, into->digest);
}

const made_release *world_release(uint32_t release) {
    if (made[release].image_size == 0) {
        make(release, &made[release]);
    }
    return &made[release];
}

const update_signer *world_signer(uint32_t number) {
    static update_signer signer[4];
    static bool known[4];
    if (!known[number % 4]) {
        update_signer_init(&signer[number % 4], (uint8_t)number);
        known[number % 4] = true;
    }
    return &signer[number % 4];
}

size_t world_envelope(const attune_node *node, uint32_t release, uint8_t envelope[ATTUNE_MAX_ENVELOPE]) {
    const made_release *of = world_release(release);
    const uint32_t highest = attune_store_sequence(node->keep.store);
    attune_update_own own = {.highest = highest};
    const attune_update update = {.kind = of->kind,
                                  .sequence = 10 * release > highest ? 10 * release : highest + 1,
                                  .result = of->digest,
                                  .payload = of->payload,
                                  .payload_size = of->payload_size};
    memcpy(own.base, node->release_digest, sizeof own.base);
    attune_audience(false, node->identity.node_id, node->schema.hash, node->identity.hardware, own.node);
    return update_signer_envelope(world_signer(attune_store_keys(node->keep.store)->signing_number), &own, &update,
                                  envelope);
}

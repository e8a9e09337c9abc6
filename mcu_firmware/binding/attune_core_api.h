/* The node core for other languages: flat functions over plain buffers. generate_module.py hands this file to cffi, which reads
 * no preprocessor lines, so it holds declarations only. The caller owns all memory: core_sizes_of_build tells the bytes of
 * each structure, to be aligned to 8.
 *
 * Arrays are dense and in C order. n counts rows; a row of features has as many int16 as the schema or head has features; a
 * row of evidence has one attune_real less than the head or filter has classes. Enumerations are returned as int. */
#ifndef ATTUNE_CORE_API_H
#define ATTUNE_CORE_API_H

#include "real/real.h"

#include <stddef.h>
#include <stdint.h>

struct attune_schema;
struct attune_window;
struct attune_head;
struct attune_filter;
struct attune_node;
struct attune_test_keeper;
struct attune_frame_decoder;
struct attune_part_joiner;
struct attune_sketch;
struct attune_noise;
struct attune_handshake;
struct attune_sealed_pair;
struct attune_model;
struct attune_transfer;

/* Limits of config.h. */
struct core_limits {
    int sensors, features, classes, backlog, node_frame, key_record, evidence_nats;
    int dwell_free_s, dwell_other_s, min_dwell_s, max_dwell_s;
    int sketch_bins, sketch_most, sketch_far;
};
struct core_limits core_limits_of_build(void);

struct core_sizes {
    size_t schema, window, head, filter, node, frame_decoder, part_joiner, sketch, noise, handshake, sealed_pair,
        test_keeper, model, transfer;
};
struct core_sizes core_sizes_of_build(void);

/* Names; NULL for a number that means nothing. */
const char *core_kind_name(uint8_t kind);
const char *core_statistic_name(uint8_t statistic);

/* attune_sensor_name_result; see window/sensor_name.h. name has room for 24 characters. */
int core_sensor_read(const char *text, size_t size, uint8_t *byte);
/* 1, or 0 if there is no such sensor. */
int core_sensor_write(uint8_t byte, char *name);

/* attune_schema_error. */
int core_schema_init(struct attune_schema *schema, const uint8_t *sensors, size_t count, uint16_t window_s);
int core_schema_features(const struct attune_schema *schema);
void core_schema_hash(const struct attune_schema *schema, uint8_t *hash);
/* One value a feature into each array: index of the sensor, statistic, transform, centre, scale. */
void core_schema_describe(const struct attune_schema *schema, uint8_t *sensor, uint8_t *statistic, uint8_t *transform,
                          attune_real *centre, attune_real *scale);

void core_window_init(struct attune_window *window, const struct attune_schema *schema, uint64_t now_ms);
/* Windows that close before a sample at tick_ms is taken, or that end at tick_ms or before (advance). */
size_t core_window_due(const struct attune_window *window, uint64_t tick_ms, int advance);
/* Takes n samples; what they close is written to end_s and features, which have room for all that is due at the last
 * (or the latest) of them. Returns the windows written; *refused is raised by the samples refused. */
size_t core_window_samples(struct attune_window *window, const uint8_t *sensor, const uint64_t *tick_ms,
                           const attune_real *value, size_t n, uint32_t *end_s, int16_t *features, uint64_t *refused);
/* Closes what ends at tick_ms or before. */
size_t core_window_advance(struct attune_window *window, uint64_t tick_ms, uint32_t *end_s, int16_t *features);

/* Name of a kind of head by its number; NULL if there is none. */
const char *core_head_kind_name(int kind);

/* The kind that a node without any other release runs, and that of a head. */
int core_factory_head_kind(void);
int core_head_kind(const struct attune_head *head);

/* attune_head_result. sensor may be NULL: a sensor of its own for each feature. */
int core_head_init(struct attune_head *head, int kind, uint8_t features, const uint8_t *sensor);
/* weights may be NULL: one each. Nothing is learned unless all classes and weights are good; *row is the first bad row. */
int core_head_learn(struct attune_head *head, const int16_t *features, const uint8_t *classes, const float *weights,
                    size_t n, size_t *row);
void core_head_predict(const struct attune_head *head, const int16_t *features, size_t n, attune_real *evidence,
                       uint8_t *known);
/* Test, then train: for each row the evidence of what was learned before it, then the row is learned unless its class is 255. A
 * row of evidence has others values; classes that the head does not have yet count as never taught. Results as of learn. */
int core_head_run(struct attune_head *head, const int16_t *features, const uint8_t *classes, const float *weights,
                  size_t n, size_t others, attune_real *evidence, uint8_t *known, size_t *row);
int core_head_merge(struct attune_head *head, const struct attune_head *other);
int core_head_unmerge(struct attune_head *head, const struct attune_head *other);
int core_head_classes(const struct attune_head *head);
/* attune_format. */
size_t core_head_size(const struct attune_head *head, int format);
size_t core_head_export(const struct attune_head *head, int format, uint8_t *bytes, size_t capacity);
int core_head_import(struct attune_head *head, const uint8_t *bytes, size_t size);
/* Of a ridge head: the regression of a class, as attune_ridge_solution; and attune_ridge_forget, 0 where it refuses. */
void core_ridge_solution(const struct attune_head *head, uint8_t k, attune_real *weight, attune_real *intercept);
int core_ridge_forget(struct attune_head *head, attune_real factor);

int core_factory_load(struct attune_head *head, int kind, const struct attune_schema *schema, uint8_t *digest);

/* dwell_s: the mean stay in each class in seconds, NULL for the core's own. */
void core_filter_init(struct attune_filter *filter, uint8_t classes, uint16_t step_s, const uint32_t *dwell_s);
/* Nats that one step's evidence may say. */
attune_real core_filter_limit(const struct attune_filter *filter);
void core_filter_predict(struct attune_filter *filter);
void core_filter_update(struct attune_filter *filter, const attune_real *evidence);
/* predict, then update if evidence is not NULL. Returns the probability of all classes but class 0. */
attune_real core_filter_step(struct attune_filter *filter, const attune_real *evidence);
/* n steps; evidence counts where known. Writes a row of probabilities, one a class, for each step. */
void core_filter_run(struct attune_filter *filter, const attune_real *evidence, const uint8_t *known, size_t n,
                     attune_real *probabilities);
attune_real core_filter_log_odds(const struct attune_filter *filter, uint8_t k);
void core_filter_get(const struct attune_filter *filter, attune_real *probabilities);
void core_filter_set(struct attune_filter *filter, const attune_real *probabilities);

/* 1, or 0 for a shape that is none. */
int core_sketch_init(struct attune_sketch *sketch, uint8_t features, const uint8_t *sensor);
/* Counts windows until a count is full or all n are counted; returns how many were. */
size_t core_sketch_add(struct attune_sketch *sketch, const int16_t *features, size_t n);
void core_sketch_clear(struct attune_sketch *sketch);
int core_sketch_full(const struct attune_sketch *sketch);
/* A row of bins a feature; a count a sensor into each of the others. */
void core_sketch_counts(const struct attune_sketch *sketch, uint16_t *bins, uint16_t *missing, uint16_t *stuck,
                        uint16_t *far_out);
size_t core_sketch_size(const struct attune_sketch *sketch);
void core_sketch_export(const struct attune_sketch *sketch, uint8_t *bytes);
int core_sketch_import(struct attune_sketch *sketch, const uint8_t *bytes, size_t size);

/* attune_schema_error. node_id has 8 bytes. */
int core_node_init(struct attune_node *node, const uint8_t *node_id, uint32_t boot, const char *firmware,
                   const char *hardware, const uint8_t *sensors, size_t count, uint16_t window_s, int test);
/* A node's flash in memory, and its random numbers, which follow from 32 bytes, as its key and code do. record has core_limits.key_record bytes:
 * the keys that it begins with, the first of them 0 before a first start. Not 0 if there is no memory. */
int core_keeper_init(struct attune_test_keeper *keeper, const uint8_t *seed, const uint8_t *record);
void core_keeper_close(struct attune_test_keeper *keeper);
void core_keeper_record(const struct attune_test_keeper *keeper, uint8_t *record);
/* From now on nothing is kept. */
void core_keeper_break(struct attune_test_keeper *keeper);
/* Right after core_node_init. The keeper must outlive the node. */
int core_node_keep(struct attune_node *node, struct attune_test_keeper *keeper);
/* text has 43 bytes. */
void core_node_code(const struct attune_node *node, char *text);
void core_code_write(const uint8_t *hint, const uint8_t *bits, char *text);
void core_code_psk(const uint8_t *hint, const uint8_t *bits, uint8_t *psk);
/* Keys have 32 bytes, random has 3, advertised 8. */
void core_advertising_key(const uint8_t *hint, const uint8_t *bits, uint8_t *key);
void core_advertised_hint(const uint8_t *key, const uint8_t *random, uint8_t *advertised);

/* attune_sample_result. */
int core_node_sample(struct attune_node *node, uint8_t sensor, uint64_t tick_ms, attune_real value);
void core_node_press(struct attune_node *node, uint64_t tick_ms, uint8_t class_index);
void core_node_poll(struct attune_node *node, uint64_t now_ms);
void core_node_link(struct attune_node *node, int up);
void core_node_receive(struct attune_node *node, const uint8_t *frame, size_t size);
size_t core_node_send(struct attune_node *node, uint8_t *frame, size_t capacity);
const struct attune_head *core_node_head(const struct attune_node *node);

/* What a node can be asked for. */
struct core_node_facts {
    uint32_t next_seq, through, waiting, dropped, label_windows;
    uint32_t bad_frames, refused_samples, refused_labels;
    uint32_t highest, trial, signing_key; /* attune_v1_Running */
    uint8_t classes, state, link_up, timed, ready, blinks;
    uint8_t release[16];
    uint8_t schema[8];
};
void core_node_describe(const struct attune_node *node, struct core_node_facts *facts);
/* The newest report if it still waits: returns its seq, or 0. evidence in 1/256 nat, *evidences of them. */
uint32_t core_node_newest(const struct attune_node *node, uint32_t *end_s, uint8_t *evidences, int16_t *evidence,
                          int16_t *features);

size_t core_frame_encode(const uint8_t *frame, size_t size, uint8_t *stream, size_t capacity);
void core_frame_decoder_init(struct attune_frame_decoder *decoder);
/* Takes bytes up to the end of the next frame, good or not. Returns attune_frame_event; *used is how many were taken, and
 * the good frame, of *frame_size bytes, begins at *frame. */
int core_frame_decode(struct attune_frame_decoder *decoder, const uint8_t *bytes, size_t size, size_t *used,
                      const uint8_t **frame, size_t *frame_size);

/* Cuts a frame into parts of at most largest bytes (2 or more), the first one with that number, and writes each as a byte pair of its size
 * (low byte first) and the part. parts has room for 4 bytes a byte of the frame. Returns the bytes written. */
size_t core_part_cut(const uint8_t *frame, size_t size, size_t largest, uint8_t number, uint8_t *parts);
void core_part_joiner_init(struct attune_part_joiner *joiner, uint8_t *frame, uint16_t capacity);
/* attune_part_event; *frame_size bytes lie in the joiner's frame when it is whole. */
unsigned core_part_join(struct attune_part_joiner *joiner, const uint8_t *part, size_t size, size_t *frame_size);

/* attune_noise_pattern; the pattern's other secret is 32 bytes: the other side's public key (KK) or the shared one (XXpsk0).
 * Keys and ephemeral have 32 bytes. */
void core_noise_begin(struct attune_noise *noise, int pattern, int initiator, const uint8_t *secret_key,
                      const uint8_t *ephemeral, const uint8_t *other, const uint8_t *prologue, size_t prologue_size);
/* attune_noise_result. */
int core_noise_write(struct attune_noise *noise, const uint8_t *payload, size_t size, uint8_t *message, size_t capacity,
                     size_t *written);
int core_noise_read(struct attune_noise *noise, const uint8_t *message, size_t message_size, uint8_t *payload,
                    size_t *size);
/* 32 bytes each. */
int core_noise_finish(struct attune_noise *noise, uint8_t *send, uint8_t *receive, uint8_t *remote);

/* The node's side, in frames; arguments and results as above. */
void core_handshake_begin(struct attune_handshake *handshake, int pattern, const uint8_t *hint,
                          const uint8_t *secret_key, const uint8_t *ephemeral, const uint8_t *other);
size_t core_handshake_write(struct attune_handshake *handshake, const uint8_t *payload, size_t size, uint8_t *frame,
                            size_t capacity);
int core_handshake_read(struct attune_handshake *handshake, const uint8_t *frame, size_t frame_size, uint8_t *payload,
                        size_t *size);
int core_handshake_finish(struct attune_handshake *handshake, uint8_t *send, uint8_t *receive, uint8_t *remote);

/* send and receive have 32 bytes. */
void core_sealed_adopt(struct attune_sealed_pair *pair, const uint8_t *send, const uint8_t *receive, uint64_t now_ms);
/* The text is copied into the frame first. Returns the frame's size, or 0. */
size_t core_sealed_seal(struct attune_sealed_pair *pair, const uint8_t *hint, const uint8_t *text, size_t size,
                        uint8_t *frame, size_t capacity);
/* attune_sealed_result. */
int core_sealed_open(struct attune_sealed_pair *pair, const uint8_t *frame, size_t frame_size, uint8_t *text,
                     size_t *size);
int core_sealed_wants_keys(const struct attune_sealed_pair *pair, uint64_t now_ms);

/* The head in one packet, core/update/compact.h: bytes written or 0; and 1, or 0 for bytes that are none. */
size_t core_compact_write(const struct attune_head *head, uint8_t *bytes, size_t capacity);
int core_compact_read(struct attune_head *head, const uint8_t *bytes, size_t size);

void core_sha512(const uint8_t *bytes, size_t size, uint8_t *digest);
int core_ed25519_check(const uint8_t *signature, const uint8_t *key, const uint8_t *message, size_t size);

/* core/update/model.h. head gives kind, sensors and what is known. */
void core_model_set(struct attune_model *model, const struct attune_head *head);
void core_model_head(const struct attune_model *model, struct attune_head *head);
uint32_t core_model_through_label(const struct attune_model *model);
int core_model_read(struct attune_model *model, const uint8_t *bytes, size_t size);
int core_model_read_image(struct attune_model *model, const uint8_t *schema_hash, const uint8_t *image, size_t size);
size_t core_model_size(const struct attune_model *model);
size_t core_model_write(const struct attune_model *model, const uint8_t *schema_hash, uint8_t *image, size_t capacity);
void core_model_digest(const uint8_t *image, size_t size, uint8_t *digest);
/* A row of evidence for each window; known as core_head_predict. */
void core_model_predict(const struct attune_model *model, const int16_t *features, size_t n, attune_real *evidence,
                        uint8_t *known);
/* attune_head_result. */
int core_model_learn(struct attune_model *model, const int16_t *features, uint8_t class_index, attune_real weight);

/* core/update/envelope.h; cohort is NULL for a node of none. */
void core_audience(int cohort, const uint8_t *id, const uint8_t *schema_hash, const char *hardware, uint8_t *audience);
/* attune_update_verdict. */
int core_update_check(const uint8_t *key, const uint8_t *node, const uint8_t *cohort, const uint8_t *base,
                      uint32_t highest, const uint8_t *envelope, size_t size);
/* What an update of a kind makes of the model, without a signature; likewise. */
int core_update_result(int kind, const uint8_t *payload, size_t payload_size, const uint8_t *schema_hash,
                       struct attune_model *model, uint8_t *image, size_t capacity, size_t *image_size);
/* Check, then apply. */
int core_update_apply(const uint8_t *key, const uint8_t *node, const uint8_t *cohort, const uint8_t *base,
                      uint32_t highest, const uint8_t *envelope, size_t size, const uint8_t *schema_hash,
                      struct attune_model *model, uint8_t *image, size_t capacity, size_t *image_size);

/* core/update/transfer.h: attune_chunk_result, 1 once the envelope is whole, and the offset to go on at. id has 16 bytes. */
int core_transfer_look(const struct attune_transfer *transfer, const uint8_t *id, uint32_t size, uint32_t offset,
                       uint32_t count);
int core_transfer_stored(struct attune_transfer *transfer, const uint8_t *id, uint32_t size, uint32_t offset,
                         uint32_t count);
uint32_t core_transfer_offset(const struct attune_transfer *transfer, const uint8_t *id, uint32_t size);

/* core/update/keys.h: attune_chain_result; number and key are changed by ATTUNE_CHAIN_OK alone. */
int core_signer_follow(uint32_t *number, uint8_t *key, const uint8_t *chain, size_t size);

#endif

/* Both patterns between a node and a daemon, in frames, over a link that does what the input says. Properties: what is not the
 * message that was sent is refused, a refusal changes nothing, and a handshake that ends has made the same keys. */
#include "fuzz/script.h"
#include "session/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t hint[ATTUNE_HINT] = {'a', 'b', 'c', 'd'};
static const uint8_t prologue[] = "attune-session-1abcd";
static const uint8_t psk[32] = {42};

typedef struct message {
    uint8_t bytes[ATTUNE_HANDSHAKE_FRAME];
    size_t size;
} message;

typedef struct world {
    attune_handshake node;
    attune_noise daemon;
    message up, down; /* what was sent last */
    uint8_t kind;
} world;

static void begin(world *all, bool kk) {
    static attune_key_pair node, daemon;
    if (node.secret_key[0] == 0) {
        attune_key_pair_from(&node, (const uint8_t[32]){1});
        attune_key_pair_from(&daemon, (const uint8_t[32]){2});
    }
    const uint8_t up[32] = {3}, down[32] = {4};
    const attune_noise_setup setup = {.own = &daemon, .ephemeral = down, .prologue = prologue, .prologue_size = 20};
    memset(all, 0, sizeof *all);
    if (kk) {
        all->kind = ATTUNE_FRAME_KK;
        attune_handshake_begin_kk(&all->node, hint, &node, daemon.public_key, up);
        attune_noise_begin_kk(&all->daemon, &setup, node.public_key);
    } else {
        all->kind = ATTUNE_FRAME_XXPSK0;
        attune_handshake_begin_xxpsk0(&all->node, hint, &node, psk, up);
        attune_noise_begin_xxpsk0(&all->daemon, &setup, psk);
    }
}

static void node_writes(world *all, const step *what) {
    message sent;
    attune_handshake before = all->node;
    sent.size = attune_handshake_write(&all->node, what->bytes, what->size, sent.bytes, sizeof sent.bytes);
    if (sent.size > 0) {
        all->up = sent;
    } else {
        must(memcmp(&before, &all->node, sizeof before) == 0);
    }
}

static void daemon_writes(world *all, const step *what) {
    uint8_t header[] = {all->kind, 'a', 'b', 'c', 'd', (uint8_t)(all->daemon.next + 1)};
    message sent;
    if (attune_noise_write(&all->daemon, what->bytes, what->size, sent.bytes + sizeof header,
                           sizeof sent.bytes - sizeof header, &sent.size) == ATTUNE_NOISE_OK) {
        memcpy(sent.bytes, header, sizeof header);
        sent.size += sizeof header;
        all->down = sent;
    }
}

static void node_reads(world *all, const uint8_t *bytes, size_t size) {
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    size_t payload_size = 0;
    attune_handshake before = all->node;
    if (attune_handshake_read(&all->node, bytes, size, payload, &payload_size) == ATTUNE_NOISE_OK) {
        must(all->down.size == size && is_same(all->down.bytes, bytes, size) && payload_size <= sizeof payload);
    } else {
        must(memcmp(&before, &all->node, sizeof before) == 0);
    }
}

static void daemon_reads(world *all, const uint8_t *bytes, size_t size) {
    uint8_t payload[ATTUNE_NOISE_PAYLOAD];
    size_t payload_size = 0;
    attune_noise before = all->daemon;
    size_t header = size < ATTUNE_HANDSHAKE_HEADER ? size : ATTUNE_HANDSHAKE_HEADER;
    if (attune_noise_read(&all->daemon, bytes + header, size - header, payload, &payload_size) == ATTUNE_NOISE_OK) {
        must(all->up.size == size && is_same(all->up.bytes + header, bytes + header, size - header));
    } else {
        must(memcmp(&before, &all->daemon, sizeof before) == 0);
    }
}

static void both_finish(world *all) {
    attune_noise_keys keys, others;
    bool daemon_is_done = all->daemon.next == all->daemon.last && all->daemon.last > 0;
    if (daemon_is_done && attune_handshake_finish(&all->node, &keys) == ATTUNE_NOISE_OK) {
        must(attune_noise_split(&all->daemon, &others) == ATTUNE_NOISE_OK);
        must(memcmp(keys.send, others.receive, sizeof keys.send) == 0);
        must(memcmp(keys.receive, others.send, sizeof keys.send) == 0);
    }
}

static void take(world *all, const step *next) {
    size_t size;
    uint8_t *copy;
    switch (next->operation % 6) {
    case 0:
        node_writes(all, next);
        break;
    case 1:
        daemon_writes(all, next);
        break;
    case 2:
        copy = damaged(next, all->up.bytes, all->up.size, &size);
        daemon_reads(all, copy, size);
        free(copy);
        break;
    case 3:
        copy = damaged(next, all->down.bytes, all->down.size, &size);
        node_reads(all, copy, size);
        free(copy);
        break;
    case 4:
        node_reads(all, next->bytes, next->size);
        break;
    default:
        both_finish(all);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static world all;
    if (size == 0) {
        return 0;
    }
    script input = {data + 1, size - 1};
    step next;
    begin(&all, data[0] % 2 == 0);
    for (int steps = 0; steps < 24 && next_step(&input, &next); steps++) {
        take(&all, &next);
    }
    return 0;
}

/* A node's sealed frames, over a link that does what the input says. Property: a frame is opened if and only if it is, byte for
 * byte, one of the daemon's, of a session that the node still has, and newer than all of that session that were opened. */
#include "fuzz/script.h"
#include "session/sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SESSIONS 4
#define FRAMES 8
#define LARGEST 255

static const uint8_t hint[ATTUNE_HINT] = {1, 2, 3, 4};

typedef struct sent {
    uint8_t bytes[ATTUNE_SEALED_AROUND + LARGEST];
    size_t size;
    uint8_t session;
    uint32_t counter;
} sent;

typedef struct world {
    attune_sealed_pair node;
    attune_sealed_pair daemon[SESSIONS]; /* one session each */
    int64_t newest[SESSIONS];            /* counter of the last frame opened; -1 before the first */
    bool has[SESSIONS];                  /* sessions that the node has */
    uint8_t made;
    sent frames[FRAMES];
    uint8_t frame_count;
} world;

/* A session more for both sides. The node lets go of all but this one and the last that was answered. */
static void adopt(world *all) {
    if (all->made == SESSIONS) {
        return;
    }
    const attune_noise_keys node = {.send = {all->made, 1}, .receive = {all->made, 2}};
    const attune_noise_keys daemon = {.send = {all->made, 2}, .receive = {all->made, 1}};
    attune_sealed_adopt(&all->node, &node, 0);
    attune_sealed_adopt(&all->daemon[all->made], &daemon, 0);
    uint8_t before = all->made;
    while (before > 0 && !(all->has[before - 1] && all->newest[before - 1] >= 0)) {
        before--;
    }
    for (uint8_t i = 0; i < all->made; i++) {
        all->has[i] = i + 1 == before;
    }
    all->has[all->made] = true;
    all->newest[all->made] = -1;
    all->made++;
}

/* The daemon seals the step's bytes in the session, and at the counter's byte, that the argument names. */
static void seal(world *all, const step *what) {
    sent *frame = &all->frames[all->frame_count % FRAMES];
    frame->session = what->argument % SESSIONS;
    attune_sealed *session = &all->daemon[frame->session].current;
    if (what->argument >= 0x80) {
        session->next_send = session->next_send < UINT32_MAX / 3 ? session->next_send * 3 + 1 : UINT32_MAX - 1;
    }
    frame->counter = session->next_send;
    memcpy(frame->bytes + ATTUNE_SEALED_TEXT, what->bytes, what->size);
    frame->size = attune_sealed_seal(&all->daemon[frame->session], hint, frame->bytes, what->size, sizeof frame->bytes);
    must(frame->size == 0 ? frame->session >= all->made || frame->counter == UINT32_MAX
                          : frame->size == ATTUNE_SEALED_AROUND + what->size);
    all->frame_count++;
}

static bool is_due(const world *all, const sent *frame, const uint8_t *bytes, size_t size) {
    return frame->size > 0 && frame->size == size && is_same(frame->bytes, bytes, size) && all->has[frame->session] &&
           frame->counter > all->newest[frame->session];
}

static void note_opened(world *all, const sent *frame) {
    all->newest[frame->session] = frame->counter;
    for (uint8_t i = 0; frame->session + 1 == all->made && i + 1 < all->made; i++) {
        all->has[i] = false;
    }
}

static void receive(world *all, const sent *frame, uint8_t *bytes, size_t size) {
    uint8_t text[2 * LARGEST + 256];
    size_t text_size = 0;
    bool due = is_due(all, frame, bytes, size);
    attune_sealed_pair before = all->node;
    bool opened = attune_sealed_open(&all->node, bytes, size, text, &text_size) == ATTUNE_SEALED_OK;
    must(opened == due);
    if (opened) {
        must(text_size == size - ATTUNE_SEALED_AROUND);
        note_opened(all, frame);
    } else {
        must(memcmp(&before, &all->node, sizeof before) == 0);
    }
}

static void take(world *all, const step *next) {
    const sent *frame = &all->frames[(next->operation >> 4) % FRAMES];
    const sent nothing = {.size = 0};
    step how = *next;
    size_t size;
    uint8_t *copy;
    switch (next->operation % 5) {
    case 0:
        seal(all, next);
        break;
    case 1:
        copy = damaged(&how, frame->bytes, frame->size, &size);
        receive(all, frame, copy, size);
        free(copy);
        break;
    case 2:
        how.size = 0;
        how.argument = 0;
        copy = damaged(&how, next->bytes, next->size, &size);
        receive(all, &nothing, copy, size);
        free(copy);
        break;
    case 3:
        adopt(all);
        break;
    default:
        (void)attune_sealed_wants_keys(&all->node, next->argument * 1000000u);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static world all;
    script input = {data, size};
    step next;
    memset(&all, 0, sizeof all);
    while (next_step(&input, &next)) {
        take(&all, &next);
    }
    return 0;
}

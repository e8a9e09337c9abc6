/* Values as a central writes them, parts of frames among them. What comes of each is told a second time here, by the words of
 * docs/protocol.md. Properties: every value has the event that it asks for, a frame is never longer than its limit, a frame whose parts all
 * come is whole, whatever came before, and parts keep to the size that they may have. */
#include "framing/part.h"
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LIMIT 640
#define ANY (-1) /* the next first part, whatever its number */

typedef struct receiver {
    attune_part_joiner joiner;
    uint8_t *memory; /* of exactly LIMIT bytes */
    int due;         /* number of the next part */
    bool begun;
    uint8_t frame[LIMIT + 255];
    size_t size;
} receiver;

static unsigned drop(receiver *all, unsigned event) {
    const unsigned told = all->due == ANY ? 0 : event;
    all->due = ANY;
    all->begun = false;
    return told;
}

static unsigned expected(receiver *all, const uint8_t *value, size_t size) {
    unsigned told = 0;
    if (size < 2) {
        return drop(all, ATTUNE_PART_DAMAGED);
    }
    const bool is_first = value[0] >= 128;
    if (value[0] % 64 != all->due || is_first == all->begun) {
        told = drop(all, ATTUNE_PART_DAMAGED);
    }
    if (is_first) {
        all->begun = true;
        all->size = 0;
    }
    if (!all->begun) {
        return told;
    }
    all->due = (value[0] + 1) % 64;
    if (all->size + size - 1 > LIMIT) {
        return told | drop(all, ATTUNE_PART_OVERSIZED);
    }
    memcpy(all->frame + all->size, value + 1, size - 1);
    all->size += size - 1;
    all->begun = value[0] / 64 % 2 == 0;
    return told | (all->begun ? 0 : ATTUNE_PART_READY);
}

/* In memory of its exact size. */
static unsigned take(receiver *all, const uint8_t *value, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, value, size);
    const unsigned due = expected(all, copy, size);
    const unsigned events = attune_part_join(&all->joiner, copy, size);
    must(events == due);
    if ((events & ATTUNE_PART_READY) != 0) {
        must(all->joiner.size == all->size && is_same(all->memory, all->frame, all->size));
    }
    free(copy);
    return events;
}

/* The step's bytes, twice, as a frame in parts of a size that the operation says; the argument's part of them gets lost. */
static void take_frame(receiver *all, const step *what) {
    const size_t size = 2 * what->size;
    const size_t largest = 2 + what->operation / 2 * 2u;
    const uint8_t *part = NULL;
    uint8_t *memory = malloc(1 + size);
    attune_part_cutter cutter = {.number = what->argument % 64};
    unsigned events = 0;
    memcpy(memory + 1, what->bytes, what->size);
    memcpy(memory + 1 + what->size, what->bytes, what->size);
    attune_part_begin(&cutter, memory + 1, size);
    size_t parts = 0;
    for (size_t n; (n = attune_part_next(&cutter, largest, &part)) > 0; attune_part_sent(&cutter), parts++) {
        must(n >= ATTUNE_PART_LEAST && n <= largest);
        if (what->argument < 128 || parts != what->argument % 16) {
            events = take(all, part, n);
        }
    }
    if (size > 0 && (what->argument < 128 || parts <= what->argument % 16)) {
        must((events & ATTUNE_PART_READY) != 0 && all->size == size);
        must(is_same(all->frame, what->bytes, what->size));
        must(is_same(all->frame + what->size, what->bytes, what->size));
    }
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static receiver all;
    script input = {data, size};
    step next;
    memset(&all, 0, sizeof all);
    all.memory = malloc(LIMIT);
    attune_part_joiner_init(&all.joiner, all.memory, LIMIT);
    while (next_step(&input, &next)) {
        if (next.operation % 2 == 0) {
            (void)take(&all, next.bytes, next.size);
        } else {
            take_frame(&all, &next);
        }
    }
    free(all.memory);
    return 0;
}

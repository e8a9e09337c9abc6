#include "running.h"

#include "machine.h"
#include "node/parts.h"

#include <stdio.h>
#include <string.h>

static running running_of(const attune_node *node) {
    attune_v1_Running now = attune_v1_Running_init_zero;
    attune_node_fill_running(node, &now);
    running found = {.highest = now.highest, .trial = now.trial};
    memcpy(found.release, now.release, sizeof found.release);
    return found;
}

static bool same(const running *left, const running *right) {
    return left->highest == right->highest && left->trial == right->trial &&
           memcmp(left->release, right->release, sizeof left->release) == 0;
}

void running_tell(running *said, const attune_node *node, uint32_t index) {
    const running now = running_of(node);
    if (same(&now, said)) {
        return;
    }
    char digest[2 * sizeof now.release + 1];
    for (size_t i = 0; i < sizeof now.release; i++) {
        (void)snprintf(digest + 2 * i, 3, "%02x", now.release[i]);
    }
    machine_say("Node %u runs release %s, highest update %u, on trial %u.", index, digest, now.highest, now.trial);
    *said = now;
}

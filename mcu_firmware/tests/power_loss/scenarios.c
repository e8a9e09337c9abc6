#include "scenarios.h"

/* Releases, a bit each: the factory release, the first update, the second. */
#define FACTORY 1u
#define FIRST 2u
#define SECOND 4u
#define THIRD 8u
#define FOURTH 16u

static bool update(world *w, uint32_t release) {
    return step_receive(w, release, UINT32_MAX) && step_install(w, release) && step_commit(w);
}

static bool start(world *w) { return world_start(w); }
static bool commissioned(world *w) { return start(w) && step_keys(w, 1) && step_tie(w, 1); }
static bool taught(world *w) { return commissioned(w) && step_label(w, 8) && step_label(w, 5); }
static bool well_taught(world *w) {
    return taught(w) && step_label(w, 8) && step_label(w, 8) && step_label(w, 8) && step_label(w, 8);
}
static bool updated(world *w) { return taught(w) && update(w, 1); }
static bool on_trial(world *w) { return updated(w) && step_receive(w, 2, UINT32_MAX) && step_install(w, 2); }
static bool updated_twice(world *w) { return on_trial(w) && step_commit(w); }
static bool half_received(world *w) { return updated(w) && step_receive(w, 2, 1000); }
static bool offline(world *w) { return updated(w) && step_backlog(w, ATTUNE_BATCH); }
/* The smallest flash, in which four batches fit. */
static bool full(world *w) {
    w->flash.port.blocks = ATTUNE_STORE_RESERVED + 4;
    return updated(w) && step_backlog(w, ATTUNE_BATCH) && step_backlog(w, ATTUNE_BATCH) &&
           step_backlog(w, ATTUNE_BATCH) && step_backlog(w, ATTUNE_BATCH);
}

static bool commission(world *w) { return start(w) && step_keys(w, 1) && step_keys(w, 2) && step_tie(w, 1); }
static bool store_ties(world *w) { return step_tie(w, 2) && step_tie(w, 3) && step_tie(w, 4); }
static bool rotate_keys(world *w) { return step_keys(w, 2) && step_keys(w, 3); }
static bool rotate_signers(world *w) { return step_rotate(w, 1) && step_rotate(w, 2) && update(w, 3); }
static bool learn(world *w) { return step_label(w, 8) && step_label(w, 2); }
static bool learn_much(world *w) {
    return step_label(w, 8) && step_label(w, 8) && step_label(w, 8) && step_label(w, 8);
}
static bool forget(world *w) { return step_forget(w, 2); }
static bool go_offline(world *w) { return step_backlog(w, ATTUNE_BATCH) && step_backlog(w, ATTUNE_BATCH); }
static bool come_back(world *w) { return step_take(w) && step_tie(w, 2); }
static bool stay_offline(world *w) { return step_backlog(w, ATTUNE_BATCH) && step_backlog(w, ATTUNE_BATCH); }
static bool update_head(world *w) { return update(w, 3); }
static bool update_full(world *w) { return update(w, 2); }
/* What is on trial is decided on first. */
static bool update_all(world *w) {
    return step_commit(w) && update(w, 3) && step_label(w, 3) && update(w, 2) && update(w, 4);
}
static bool refuse(world *w) { return step_splice(w, 6, 4); }
static bool live(world *w) {
    return step_tie(w, 2) && step_label(w, 8) && update(w, 3) && step_backlog(w, ATTUNE_BATCH) && step_keys(w, 2) &&
           step_take(w);
}
static bool teach_both(world *w) { return step_label(w, 8) && step_commit(w) && step_label(w, 3); }
static bool restart(world *w) { return step_restart(w) && step_restart(w) && step_restart(w) && step_restart(w); }

const scenario scenarios[] = {
    {"commission", NULL, commission, FACTORY, OLD | NEW},
    {"tie stored", commissioned, store_ties, FACTORY, OLD | NEW},
    {"key rotation", updated, rotate_keys, FIRST, OLD | NEW},
    {"signing keys rotated", updated, rotate_signers, FIRST | THIRD, OLD | TRIAL | NEW},
    {"label learned", updated, learn, FIRST, OLD | NEW},
    {"labels past a snapshot", well_taught, learn_much, FACTORY, OLD | NEW},
    {"label forgotten", updated, forget, FIRST, OLD | NEW},
    {"backlog", updated, go_offline, FIRST, OLD | NEW},
    {"backlog delivered", offline, come_back, FIRST, OLD | NEW},
    {"backlog full", full, stay_offline, FIRST, OLD | NEW},
    {"first update", taught, update_head, FACTORY | THIRD, OLD | TRIAL | NEW},
    {"update head", updated, update_head, FIRST | THIRD, OLD | TRIAL | NEW},
    {"update full", updated, update_full, FIRST | SECOND, OLD | TRIAL | NEW},
    {"update resumed", half_received, update_full, FIRST | SECOND, OLD | TRIAL | NEW},
    {"update spliced", updated, refuse, FIRST, OLD},
    {"update after two", updated_twice, update_head, SECOND | THIRD, OLD | TRIAL | NEW},
    {"updates in a row", updated, update_all, FIRST | SECOND | THIRD | FOURTH, OLD | TRIAL | NEW},
    {"commit", on_trial, step_commit, FIRST | SECOND, TRIAL | NEW},
    {"label during a trial", on_trial, teach_both, FIRST | SECOND, TRIAL | NEW},
    {"end a trial", on_trial, step_end, FIRST | SECOND, TRIAL | NEW},
    {"deadline", on_trial, step_deadline, FIRST | SECOND, TRIAL | NEW},
    {"a day of all", updated, live, FIRST | THIRD, OLD | TRIAL | NEW},
    {"three restarts", on_trial, restart, FIRST | SECOND, TRIAL | NEW},
};

const int scenario_count = sizeof scenarios / sizeof scenarios[0];

/* What a node does while the power may fail: a line of code each. */
#ifndef POWER_LOSS_SCENARIOS_H
#define POWER_LOSS_SCENARIOS_H

#include "world.h"

typedef enum outcome { OUTCOME_OLD = 0, OUTCOME_NEW, OUTCOME_TRIAL, OUTCOMES } outcome;

#define OLD (1u << OUTCOME_OLD)
#define NEW (1u << OUTCOME_NEW)
#define TRIAL (1u << OUTCOME_TRIAL)

typedef struct scenario {
    const char *name;
    bool (*before)(world *world); /* with power, on erased flash; NULL if the node has never started */
    bool (*act)(world *world);    /* the power fails at every operation of it; then it is done again */
    uint32_t may_run;             /* releases, a bit each */
    uint32_t outcomes;            /* what must win at least once over all cuts */
} scenario;

extern const scenario scenarios[];
extern const int scenario_count;

#endif

/* Runs every scenario with the power failing at every program and erasure, in every way, and again at every one of the recovery.
 * Prints a line a scenario, the erasures of a day, and the sum; after a violation it ends with that scenario and exit code 1. */
#include "scenarios.h"
#include "wear.h"

#include <stdio.h>
#include <string.h>

#define LEAST_CUTS 5000

static const char *const way_name[CUT_WAYS] = {"between", "within", "last write lost", "reordered"};

typedef struct tally {
    uint64_t operations;
    uint64_t cuts;
    uint64_t won[OUTCOMES];
    uint64_t violations;
} tally;

static world now;
static world base; /* before the scenario */
static world dark; /* after the cut, when the power comes back */

static void report(const scenario *scenario, tally *tally, cut_way way, uint64_t at, uint64_t again, const char *what) {
    tally->violations += 1;
    if (tally->violations == 1) {
        printf("violation: %s, cut %s at operation %llu, at %llu of the recovery: %s\n", scenario->name, way_name[way],
               (unsigned long long)at, (unsigned long long)again, what);
    }
}

static bool same_log(const attune_label_log *a, const attune_label_log *b) {
    return a->count == b->count && memcmp(a->entry, b->entry, a->count * sizeof a->entry[0]) == 0;
}

static outcome outcome_of(const truth *found) {
    const truth *old = &base.known;
    if (found->trial != 0) {
        return OUTCOME_TRIAL;
    }
    bool same = found->keys == old->keys && found->signer == old->signer && found->ties == old->ties &&
                found->moved == old->moved && found->taken == old->taken && found->committed == old->committed &&
                found->trial == old->trial && same_log(&found->log, &old->log);
    return same ? OUTCOME_OLD : OUTCOME_NEW;
}

/* The power is back for good: the node starts, and everything is as it has to be. */
static const char *recovered(const scenario *scenario) {
    if (!world_start(&now)) {
        return "the node does not start";
    }
    const char *violation = world_violation(&now, scenario->may_run);
    if (violation == NULL) {
        world_settle(&now);
    }
    return violation;
}

/* What was cut off is done once more, and comes to its end. */
static const char *completed(const scenario *scenario) {
    if (!scenario->act(&now)) {
        return "what was cut off cannot be done again";
    }
    return world_violation(&now, scenario->may_run);
}

/* The power fails at every operation of the recovery as well. */
static void cut_recovery(const scenario *scenario, tally *tally, cut_way way, uint64_t at, uint64_t operations) {
    for (uint64_t again = 1; again <= operations; again++) {
        memcpy(&now, &dark, sizeof now);
        emulated_flash_cut(&now.flash, again, way, at * 1000 + again);
        (void)world_start(&now);
        emulated_flash_power_on(&now.flash);
        const char *violation = recovered(scenario);
        tally->cuts += 1;
        if (violation != NULL) {
            report(scenario, tally, way, at, again, violation);
        }
    }
}

static void cut(const scenario *scenario, tally *tally, cut_way way, uint64_t at) {
    memcpy(&now, &base, sizeof now);
    emulated_flash_cut(&now.flash, at, way, at);
    (void)scenario->act(&now);
    emulated_flash_power_on(&now.flash);
    memcpy(&dark, &now, sizeof dark);
    tally->cuts += 1;
    const char *violation = recovered(scenario);
    uint64_t operations = now.flash.operations;
    if (violation == NULL) {
        tally->won[outcome_of(&now.known)] += 1;
        violation = completed(scenario);
    }
    if (violation != NULL) {
        report(scenario, tally, way, at, 0, violation);
    }
    cut_recovery(scenario, tally, way, at, operations);
}

static bool prepare(const scenario *scenario, tally *tally) {
    world_init(&now);
    if (scenario->before != NULL && !scenario->before(&now)) {
        return false;
    }
    emulated_flash_cut(&now.flash, 0, CUT_BETWEEN, 1);
    memcpy(&base, &now, sizeof base);
    if (!scenario->act(&now)) {
        return false;
    }
    tally->operations = now.flash.operations;
    return true;
}

static tally run(const scenario *scenario) {
    tally tally = {0};
    if (!prepare(scenario, &tally)) {
        report(scenario, &tally, CUT_BETWEEN, 0, 0, "it does not come to its end with power");
        return tally;
    }
    for (cut_way way = CUT_BETWEEN; way < CUT_WAYS; way++) {
        for (uint64_t at = 1; at <= tally.operations + 1; at++) {
            cut(scenario, &tally, way, at);
        }
    }
    for (int i = 0; i < OUTCOMES; i++) {
        if ((scenario->outcomes >> i & 1) != (tally.won[i] > 0)) {
            report(scenario, &tally, CUT_BETWEEN, 0, 0,
                   "an outcome that is possible never won, or one that is not did");
        }
    }
    return tally;
}

static void print(const scenario *scenario, const tally *tally) {
    printf("%-24s%11llu%7llu%7llu%7llu%7llu\n", scenario->name, (unsigned long long)tally->operations,
           (unsigned long long)tally->cuts, (unsigned long long)tally->won[OUTCOME_OLD],
           (unsigned long long)tally->won[OUTCOME_NEW], (unsigned long long)tally->won[OUTCOME_TRIAL]);
    (void)fflush(stdout);
}

int main(void) {
    uint64_t cuts = 0;
    uint64_t violations = 0;
    printf("%-24s%11s%7s%7s%7s%7s\n", "scenario", "operations", "cuts", "old", "new", "trial");
    for (int i = 0; i < scenario_count && violations == 0; i++) {
        tally tally = run(&scenarios[i]);
        print(&scenarios[i], &tally);
        cuts += tally.cuts;
        violations += tally.violations;
    }
    violations += violations == 0 ? wear_report() : 0;
    printf("%llu cuts, %llu violations\n", (unsigned long long)cuts, (unsigned long long)violations);
    return violations == 0 && cuts >= LEAST_CUTS ? 0 : 1;
}

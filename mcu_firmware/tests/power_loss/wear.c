#include "wear.h"

#include "world.h"

#include <stdio.h>

/* DESIGN.md's budgets, erasures a day. */
#define WITH_LINK 10
#define WITHOUT_LINK 100
#define DAYS 14

static world node;

static bool update(uint32_t release) {
    return step_receive(&node, release, UINT32_MAX) && step_install(&node, release) && step_commit(&node);
}

/* Hourly ties, four labels of twenty windows, a head; on one day of the week a whole model in ten parts. */
static bool day_with_link(uint32_t day) {
    bool good = update(1 + day % 2 * 2);
    if (good && day % 7 == 6) {
        good = update(4);
    }
    for (uint32_t hour = 0; hour < 24 && good; hour++) {
        good = step_tie(&node, 1 + 24 * day + hour);
    }
    for (int label = 0; label < 4 && good; label++) {
        good = step_label(&node, 8) && step_label(&node, 8) && step_label(&node, 4);
    }
    return good;
}

/* A report a minute. */
static bool day_without_link(uint32_t day) {
    (void)day;
    for (int batch = 0; batch < 24 * 60 / ATTUNE_BATCH; batch++) {
        if (!step_backlog(&node, ATTUNE_BATCH)) {
            return false;
        }
    }
    return true;
}

static uint64_t measure(const char *name, bool (*live)(uint32_t day), uint64_t budget) {
    world_init(&node);
    bool good = world_start(&node) && step_keys(&node, 1);
    node.flash.erases = 0;
    for (uint32_t day = 0; day < DAYS && good; day++) {
        good = live(day);
    }
    double a_day = (double)node.flash.erases / DAYS;
    printf("erases a day %s: %.1f (budget %llu)\n", name, a_day, (unsigned long long)budget);
    return good && a_day <= (double)budget ? 0 : 1;
}

uint64_t wear_report(void) {
    return measure("with a link", day_with_link, WITH_LINK) + measure("without a link", day_without_link, WITHOUT_LINK);
}

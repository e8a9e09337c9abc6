/* attune-sim: many nodes in one process, fed with samples on standard input. */
#include "fleet.h"
#include "machine.h"
#include "options.h"

#include <stdlib.h>

static const char usage[] =
    "Usage: attune-sim --gateway HOST:PORT --nodes FILE [OPTION]... < FEED\n"
    "\n"
    "Many Attune nodes in one process. Ends on SIGTERM, or when the feed has ended and all reports are acknowledged.\n"
    "\n"
    "  --gateway HOST:PORT  where the gateway listens\n"
    "  --nodes FILE         a line `NODE_ID WINDOW_S KIND,KIND,...` for each node\n"
    "  --links N            TCP connections that the nodes share (default one a node, at most 256)\n"
    "  --hold N             let the feed wait while a node has N reports unacknowledged (1 to 64), instead of "
    "dropping\n"
    "                       the oldest; with 1 the feed's time cannot run ahead so far that a report is sent again\n"
    "  --drain SECONDS      how long to wait for acknowledgements after the end of the feed (default 30)\n"
    "  --boot-seed N        boot numbers that follow from N instead of random ones\n"
    "  --flash FILE         the nodes' flash, made at the first start: keys, labels and reports that nobody has taken\n"
    "                       outlive the process; without it they end with it\n"
    "  --identity-seed N    make keys from N instead of random ones: test nodes, which say so\n"
    "  --codes              print a line `NODE_ID CODE` for each node and end; `attune node add` asks for the codes\n"
    "  --stats              print a line of JSON at the end\n"
    "  --verbose            say on standard error when a link comes and goes, and what is run\n"
    "  --help, --version\n"
    "\n"
    "A feed line is `NODE TICK_MS SENSOR VALUE` (NODE counts the lines of FILE from 0) or `@TICK_MS`.\n"
    "`NODE TICK_MS button CLASS` presses its button: the last ten minutes were `free` or `occupied`.\n";

#define DEFAULT_LINKS 256u
#define LARGEST_DRAIN_S 86400u

typedef struct sim_options {
    const char *gateway, *nodes, *links, *hold, *drain, *boot_seed, *flash, *identity_seed;
    bool stats, verbose, codes;
} sim_options;

static void read_options(sim_options *o, int argc, char **argv) {
    const option_row rows[] = {
        {"gateway", &o->gateway, NULL}, {"nodes", &o->nodes, NULL},
        {"links", &o->links, NULL},     {"drain", &o->drain, NULL},
        {"hold", &o->hold, NULL},       {"boot-seed", &o->boot_seed, NULL},
        {"flash", &o->flash, NULL},     {"identity-seed", &o->identity_seed, NULL},
        {"codes", NULL, &o->codes},     {"stats", NULL, &o->stats},
        {"verbose", NULL, &o->verbose}, {NULL, NULL, NULL},
    };
    options_read(argc, argv, usage, rows);
}

static uint32_t *draw_boots(const char *seed, uint32_t count) {
    uint32_t *boots = machine_memory(count, sizeof *boots);
    const uint64_t number = seed != NULL ? options_number("boot-seed", seed, 10, UINT64_MAX) : 0;
    for (uint32_t i = 0; i < count; i++) {
        boots[i] = seed != NULL ? machine_seeded(number, i) : machine_random();
    }
    return boots;
}

static uint32_t count_links(const sim_options *o, uint32_t nodes) {
    const uint64_t asked = o->links != NULL ? options_number("links", o->links, 10, UINT16_MAX) : DEFAULT_LINKS;
    if (asked == 0) {
        machine_fail(2, "--links has to be at least 1.");
    }
    return asked < nodes ? (uint32_t)asked : nodes;
}

static void open_stores(const sim_options *o, fleet_setup *setup) {
    setup->entries = roster_read(options_required("nodes", o->nodes), &setup->nodes);
    stores_open(setup->kept, setup->entries, setup->nodes, o->flash);
    if (o->identity_seed != NULL) {
        stores_seed(setup->kept, options_number("identity-seed", o->identity_seed, 10, UINT64_MAX));
    }
}

static void read_setup(const sim_options *o, fleet_setup *setup) {
    const char *wrong = link_resolve(options_required("gateway", o->gateway), &setup->gateway);
    if (wrong != NULL) {
        machine_fail(2, "--gateway: %s.", wrong);
    }
    open_stores(o, setup);
    setup->links = count_links(o, setup->nodes);
    setup->boots = draw_boots(o->boot_seed, setup->nodes);
    setup->hold = o->hold != NULL ? (uint16_t)options_number("hold", o->hold, 10, ATTUNE_BACKLOG) : 0;
    setup->verbose = o->verbose;
    const uint64_t drain_s = o->drain != NULL ? options_number("drain", o->drain, 10, LARGEST_DRAIN_S) : FLEET_DRAIN_S;
    setup->drain_ms = (uint32_t)drain_s * 1000u;
}

int main(int argc, char **argv) {
    static source feed;
    static fleet nodes;
    machine_name("attune-sim");
    sim_options o = {0};
    read_options(&o, argc, argv);
    stores kept = {0};
    fleet_setup setup = {.feed = &feed, .kept = &kept};
    if (o.codes) {
        open_stores(&o, &setup);
        stores_print_codes(&kept);
        return 0;
    }
    read_setup(&o, &setup);
    (void)source_open(&feed, "-", 0.0);
    fleet_init(&nodes, &setup);
    const uint32_t left = fleet_run(&nodes, machine_end_signal());
    if (left > 0) {
        machine_say("%u reports were not acknowledged; check that gateway and daemon run.", left);
    }
    if (o.stats) {
        fleet_print_statistics(&nodes);
    }
    fleet_free(&nodes);
    stores_close(&kept);
    free((void *)setup.entries);
    free((void *)setup.boots);
    return left > 0 ? 1 : 0;
}

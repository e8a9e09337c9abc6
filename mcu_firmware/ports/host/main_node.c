/* attune-node: one node as a process, over TCP. */
#include "fleet.h"
#include "machine.h"
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: attune-node --gateway HOST:PORT --id NODE_ID --sensors KIND,KIND,... [OPTION]...\n"
    "\n"
    "One Attune node. Prints the code that `attune node add` asks for. Ends on SIGTERM, or when its samples have ended "
    "and all reports are acknowledged.\n"
    "\n"
    "  --gateway HOST:PORT  where the gateway listens\n"
    "  --id NODE_ID         16 hex digits, not beginning with eight zeros\n"
    "  --sensors KINDS      such as temperature,humidity,light,co2,pir; a level has its mean, and slope and variation\n"
    "                       over the last hours, as features: with +mean its mean alone, with +spread its spread too\n"
    "  --window SECONDS     length of a window, 10 to 600 (default 60)\n"
    "  --samples FILE       sample feed, - for standard input; the feed is the node's clock. A file without --rate is\n"
    "                       read as fast as reports are acknowledged. Without this option no sample ever comes.\n"
    "  --rate RATE          play the feed RATE times as fast as it was recorded\n"
    "  --boot HEX           boot number instead of a random one\n"
    "  --flash FILE         the node's flash, made at the first start: keys, labels and reports that nobody has taken\n"
    "                       outlive the process; without it they end with it\n"
    "  --identity-seed N    make keys from N instead of random ones: a test node, which says so\n"
    "  --verbose            say on standard error when the link comes and goes, and what is run\n"
    "  --help, --version\n"
    "\n"
    "A feed line is `NODE TICK_MS SENSOR VALUE` (NODE is 0, SENSOR counts from 0) or `@TICK_MS`.\n"
    "`NODE TICK_MS button CLASS` presses its button: the last ten minutes were `free` or `occupied`.\n";

typedef struct node_options {
    const char *gateway, *id, *sensors, *window, *samples, *rate, *boot, *flash, *identity_seed;
    bool verbose;
} node_options;

static void check(const char *option, const char *wrong) {
    if (wrong != NULL) {
        machine_fail(2, "--%s: %s.", option, wrong);
    }
}

static void read_options(node_options *o, int argc, char **argv) {
    const option_row rows[] = {
        {"gateway", &o->gateway, NULL},
        {"id", &o->id, NULL},
        {"sensors", &o->sensors, NULL},
        {"window", &o->window, NULL},
        {"samples", &o->samples, NULL},
        {"rate", &o->rate, NULL},
        {"boot", &o->boot, NULL},
        {"flash", &o->flash, NULL},
        {"identity-seed", &o->identity_seed, NULL},
        {"verbose", NULL, &o->verbose},
        {NULL, NULL, NULL},
    };
    options_read(argc, argv, usage, rows);
}

static void read_entry(const node_options *o, roster_entry *entry) {
    check("id", roster_id(options_required("id", o->id), entry->id));
    check("window", roster_window(o->window, &entry->window_s));
    check("sensors", roster_sensors(options_required("sensors", o->sensors), entry));
}

static void open_feed(const node_options *o, source *feed, fleet_setup *setup) {
    if (o->samples == NULL) {
        return;
    }
    const double rate = o->rate != NULL ? options_positive("rate", o->rate) : 0.0;
    if (!source_open(feed, o->samples, rate)) {
        machine_fail(2, "The samples in %s cannot be read (%s).", o->samples, strerror(errno));
    }
    setup->feed = feed;
    /* A file can wait; standard input is the world, which does not. */
    setup->hold = o->rate == NULL && strcmp(o->samples, "-") != 0 ? ATTUNE_BACKLOG / 2 : 0;
}

static void print_code(const fleet *nodes) {
    char code[ATTUNE_CODE_TEXT];
    attune_session_code(&nodes->node[0].session, code);
    (void)printf("Code: %s\n", code);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    static source feed;
    static fleet nodes;
    stores kept = {0};
    machine_name("attune-node");
    node_options o = {.window = "60"};
    read_options(&o, argc, argv);
    roster_entry entry = {0};
    read_entry(&o, &entry);
    const uint32_t boot = o.boot != NULL ? (uint32_t)options_number("boot", o.boot, 16, UINT32_MAX) : machine_random();
    fleet_setup setup = {.entries = &entry, .nodes = 1, .links = 1, .boots = &boot, .verbose = o.verbose};
    setup.drain_ms = FLEET_DRAIN_S * 1000;
    check("gateway", link_resolve(options_required("gateway", o.gateway), &setup.gateway));
    open_feed(&o, &feed, &setup);
    stores_open(&kept, &entry, 1, o.flash);
    if (o.identity_seed != NULL) {
        stores_seed(&kept, options_number("identity-seed", o.identity_seed, 10, UINT64_MAX));
    }
    setup.kept = &kept;
    fleet_init(&nodes, &setup);
    print_code(&nodes);
    const uint32_t left = fleet_run(&nodes, machine_end_signal());
    if (left > 0) {
        machine_say("%u reports were not acknowledged; check that gateway and daemon run.", left);
    }
    fleet_free(&nodes);
    stores_close(&kept);
    return left > 0 ? 1 : 0;
}

/* The nodes of one process, their links and their feed, in one poll(2) loop. A single node is a fleet of one. */
#ifndef ATTUNE_HOST_FLEET_H
#define ATTUNE_HOST_FLEET_H

#include "link.h"
#include "node/node.h"
#include "roster.h"
#include "running.h"
#include "source.h"
#include "stores.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* How long acknowledgements are waited for after the end of the feed, unless told otherwise. */
#define FLEET_DRAIN_S 30u

typedef struct fleet_setup {
    const roster_entry *entries;
    uint32_t nodes;
    uint32_t links; /* node i speaks over link i modulo links */
    link_address gateway;
    source *feed;          /* NULL: the nodes' clock is the machine's, and no sample ever comes */
    const uint32_t *boots; /* one a node */
    stores *kept;          /* what the nodes keep */
    uint32_t drain_ms;     /* how long acknowledgements are waited for after the end of the feed */
    uint16_t hold;         /* the feed waits while a node has so many reports unacknowledged; 0: it never waits */
    bool verbose;
} fleet_setup;

typedef struct fleet {
    fleet_setup setup;
    attune_node *node;
    uint8_t *ready;    /* the node may have something to send */
    running *said;     /* what people were told last of what each node runs */
    uint32_t *by_hint; /* node indices in order of their hints */
    link_line *link;
    uint32_t *turn; /* of each link, the node that sends next, counted within the link */
    struct pollfd *watched;
    uint64_t tick_ms;     /* the nodes' clock */
    uint64_t clock_ms;    /* the machine's clock when the nodes' clock was set to it */
    uint64_t drain_ms;    /* the machine's clock when waiting ends; 0 while the feed lasts */
    uint32_t busiest;     /* a node that kept the fleet waiting when last looked at */
    uint64_t misdirected; /* lines for nodes that do not exist */
} fleet;

/* Makes the fleet; ends the process with a sentence if its nodes cannot live together. */
void fleet_init(fleet *f, const fleet_setup *setup);

/* Runs until end_fd is readable, or the feed is over and all is acknowledged or the time for that is up. Returns the
 * number of reports that nobody acknowledged. */
uint32_t fleet_run(fleet *f, int end_fd);

/* One line of JSON on standard output. */
void fleet_print_statistics(const fleet *f);

void fleet_free(fleet *f);

#endif

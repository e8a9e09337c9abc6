#include "fleet.h"

#include "machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A node wants to be polled at least once a second. */
#define TURN_MS 250

/* Steps of a clock that runs by itself: nothing of a node is due to the millisecond. */
#define CLOCK_MS 50

static const char firmware[] = "attune-node host";
static const char hardware[] = "host";

static uint32_t hint_of(const fleet *f, uint32_t index) { return roster_hint(f->setup.entries[index].id); }

/* The position of the first node whose hint is not below the one asked for. */
static uint32_t find_hint(const fleet *f, uint32_t hint) {
    uint32_t low = 0;
    uint32_t high = f->setup.nodes;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (hint_of(f, f->by_hint[middle]) < hint) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

typedef struct hinted {
    uint32_t hint;
    uint32_t index;
} hinted;

static int by_hint(const void *left, const void *right) {
    const uint32_t a = ((const hinted *)left)->hint;
    const uint32_t b = ((const hinted *)right)->hint;
    return (a > b) - (a < b);
}

static void index_hints(fleet *f) {
    const uint32_t count = f->setup.nodes;
    hinted *pairs = machine_memory(count, sizeof *pairs);
    for (uint32_t i = 0; i < count; i++) {
        pairs[i] = (hinted){hint_of(f, i), i};
    }
    qsort(pairs, count, sizeof *pairs, by_hint);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && pairs[i].hint == pairs[i - 1].hint) {
            machine_fail(2, "Nodes %u and %u have ids with the same first eight digits; give each its own.",
                         pairs[i - 1].index, pairs[i].index);
        }
        f->by_hint[i] = pairs[i].index;
    }
    free(pairs);
}

static void start_node(fleet *f, uint32_t index) {
    const roster_entry *entry = &f->setup.entries[index];
    attune_identity identity = {.boot = f->setup.boots[index],
                                .reset_reason = attune_v1_ResetReason_RESET_REASON_POWER_ON,
                                .test = f->setup.kept->seeded};
    memcpy(identity.node_id, entry->id, sizeof identity.node_id);
    memcpy(identity.firmware, firmware, sizeof firmware);
    memcpy(identity.hardware, hardware, sizeof hardware);
    attune_node *node = &f->node[index];
    if (attune_node_init(node, &identity, entry->sensor, entry->sensors, entry->window_s) != ATTUNE_SCHEMA_OK) {
        machine_fail(2, "Node %u cannot have these sensors; name 1 to 12 sensors with at most 24 features.", index);
    }
    const attune_keeper keeper = stores_keeper();
    if (attune_node_keep(node, &f->setup.kept->store[index]) != ATTUNE_STORE_OK ||
        !attune_node_open_keys(node, &keeper)) {
        machine_fail(1, "The flash of node %u cannot be read or written; see whether the disk is full.", index);
    }
}

void fleet_init(fleet *f, const fleet_setup *setup) {
    memset(f, 0, sizeof *f);
    f->setup = *setup;
    f->node = machine_memory(setup->nodes, sizeof *f->node);
    f->ready = machine_memory(setup->nodes, sizeof *f->ready);
    f->said = machine_memory(setup->nodes, sizeof *f->said);
    f->by_hint = machine_memory(setup->nodes, sizeof *f->by_hint);
    f->link = machine_memory(setup->links, sizeof *f->link);
    f->turn = machine_memory(setup->links, sizeof *f->turn);
    f->watched = machine_memory(setup->links + 2, sizeof *f->watched);
    f->clock_ms = machine_now_ms();
    index_hints(f);
    for (uint32_t i = 0; i < setup->nodes; i++) {
        start_node(f, i);
    }
    for (uint32_t i = 0; i < setup->links; i++) {
        link_init(&f->link[i], &f->setup.gateway);
    }
}

void fleet_free(fleet *f) {
    for (uint32_t i = 0; i < f->setup.links; i++) {
        if (f->link[i].fd >= 0) {
            (void)close(f->link[i].fd);
        }
    }
    free(f->node);
    free(f->ready);
    free(f->said);
    free(f->by_hint);
    free(f->link);
    free(f->turn);
    free(f->watched);
}

/* Links to nodes. */

static void on_state(void *context, uint32_t link, bool up) {
    fleet *f = context;
    for (uint32_t i = link; i < f->setup.nodes; i += f->setup.links) {
        attune_node_link(&f->node[i], up);
        f->ready[i] = up;
    }
    if (f->setup.verbose) {
        machine_say("Link %u is %s.", link, up ? "up" : "down");
    }
}

static void hand_over(fleet *f, uint32_t index, uint8_t *frame, size_t size) {
    attune_node *node = &f->node[index];
    const uint64_t blinked_ms = node->blink_ms;
    attune_node_receive(node, frame, size);
    if (node->blink_ms > blinked_ms) {
        machine_say("Node %u blinks for %u s.", index, (unsigned)((node->blink_ms - node->now_ms) / 1000));
    }
    f->ready[index] = 1;
}

static void on_frame(void *context, uint32_t link, uint8_t *frame, size_t size) {
    fleet *f = context;
    const uint8_t none[8] = {0};
    const uint32_t hint = roster_hint(size >= ATTUNE_FRAME_HEADER ? frame + 1 : none);
    if (hint == 0) {
        for (uint32_t i = link; i < f->setup.nodes; i += f->setup.links) {
            hand_over(f, i, frame, size);
        }
        return;
    }
    const uint32_t position = find_hint(f, hint);
    const uint32_t index = position < f->setup.nodes ? f->by_hint[position] : 0;
    if (position < f->setup.nodes && hint_of(f, index) == hint && index % f->setup.links == link) {
        hand_over(f, index, frame, size);
    }
}

/* Nobody can say whose frame it was: it counts once, for the first node of the link. */
static void on_damaged(void *context, uint32_t link) {
    fleet *f = context;
    attune_node_damaged(&f->node[link]);
}

static void pump_node(fleet *f, uint32_t index, link_line *link) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    while (link_takes(link)) {
        const size_t size = attune_node_send(&f->node[index], frame, sizeof frame);
        if (size == 0) {
            f->ready[index] = 0;
            return;
        }
        link_put(link, frame, size);
    }
}

/* Each node in its turn; a link that is full goes on with the same node when it has room. */
static void pump_link(fleet *f, uint32_t index) {
    link_line *link = &f->link[index];
    const uint32_t nodes = (f->setup.nodes - index + f->setup.links - 1) / f->setup.links;
    for (uint32_t i = 0; i < nodes && link_takes(link); i++) {
        const uint32_t node = index + f->turn[index] * f->setup.links;
        if (f->ready[node]) {
            pump_node(f, node, link);
        }
        if (f->ready[node]) {
            break;
        }
        f->turn[index] = (f->turn[index] + 1) % nodes;
    }
    link_flush(link);
}

/* The feed to nodes. */

static void set_time(fleet *f, uint64_t tick_ms) {
    if (tick_ms < f->tick_ms) {
        return;
    }
    f->tick_ms = tick_ms;
    for (uint32_t i = 0; i < f->setup.nodes; i++) {
        attune_node_poll(&f->node[i], tick_ms);
        f->ready[i] = 1;
    }
}

static void take_sample(fleet *f, const attune_feed *line) {
    attune_node *node = &f->node[line->node];
    /* Retries follow the feed without lines that set the time. A window ends with all samples of its last tick, so that time
     * is known to have passed up to just before this one's, and not further. */
    if (line->tick_ms > node->now_ms) {
        attune_node_poll(node, line->tick_ms - 1);
    }
    /* A node counts the readings that it refuses and says so in its health message. */
    (void)attune_node_sample(node, line->sensor, line->tick_ms, line->value);
    f->ready[line->node] = 1;
}

/* Samples and presses. */
static void take_fact(fleet *f, attune_feed_event event, const attune_feed *line) {
    if (line->node >= f->setup.nodes) {
        f->misdirected++;
    } else if (event == ATTUNE_FEED_PRESS) {
        attune_node_press(&f->node[line->node], line->tick_ms, line->class_index);
        f->ready[line->node] = 1;
    } else {
        take_sample(f, line);
    }
}

/* Reports and presses wait for acknowledgements. */
static bool busy(const fleet *f, uint32_t index, uint16_t waiting) {
    const attune_node *node = &f->node[index];
    return attune_backlog_waiting(&node->backlog) + node->button.waiting >= waiting;
}

/* True if a node has at least that many reports. The node found last is looked at first: while it is the reason to wait,
 * the others need not be asked. */
static bool any_busy(fleet *f, uint16_t waiting) {
    for (uint32_t i = 0; i < f->setup.nodes; i++) {
        if (busy(f, f->busiest, waiting)) {
            return true;
        }
        f->busiest = (f->busiest + 1) % f->setup.nodes;
    }
    return false;
}

static bool held(fleet *f) { return f->setup.hold > 0 && any_busy(f, f->setup.hold); }

/* Up to the next line that sets the time, so that what is due then is sent before time goes on. */
static void take_feed(fleet *f, uint64_t now_ms) {
    source *feed = f->setup.feed;
    bool waits = held(f);
    while (!waits) {
        const attune_feed_event event = source_next(feed, now_ms);
        if (event == ATTUNE_FEED_TIME) {
            set_time(f, feed->feed.tick_ms);
        }
        if (event != ATTUNE_FEED_SAMPLE && event != ATTUNE_FEED_PRESS) {
            return;
        }
        take_fact(f, event, &feed->feed);
        /* Only the node of the line can have become busy. */
        waits = f->setup.hold > 0 && feed->feed.node < f->setup.nodes && busy(f, feed->feed.node, f->setup.hold);
    }
}

/* Without a feed, and after its end, the nodes' clock is the machine's. */
static void run_clock(fleet *f, uint64_t now_ms) {
    if (f->setup.feed != NULL && f->drain_ms == 0) {
        f->clock_ms = now_ms;
        f->drain_ms = source_over(f->setup.feed) ? now_ms + f->setup.drain_ms : 0;
    } else if (now_ms >= f->clock_ms + CLOCK_MS) {
        set_time(f, f->tick_ms + (now_ms - f->clock_ms));
        f->clock_ms = now_ms;
    }
}

/* The loop. */

static int least(int timeout, uint64_t ms) { return ms < (uint64_t)timeout ? (int)ms : timeout; }

static int time_to_wait(fleet *f, uint64_t now_ms) {
    int timeout = TURN_MS;
    for (uint32_t i = 0; i < f->setup.links; i++) {
        const link_line *link = &f->link[i];
        if (link->state == LINK_DOWN) {
            timeout = least(timeout, link->due_ms > now_ms ? link->due_ms - now_ms : 0);
        }
    }
    const source *feed = f->setup.feed;
    if (feed == NULL || source_over(feed) || source_hungry(feed) || held(f)) {
        return timeout;
    }
    return least(timeout, source_wait_ms(feed, now_ms));
}

/* The end signal first, then the feed, then the links; a negative descriptor is not watched. */
static void watch(fleet *f, int end_fd) {
    const source *feed = f->setup.feed;
    f->watched[0] = (struct pollfd){.fd = end_fd, .events = POLLIN};
    f->watched[1] = (struct pollfd){.fd = feed != NULL && source_hungry(feed) ? feed->fd : -1, .events = POLLIN};
    for (uint32_t i = 0; i < f->setup.links; i++) {
        f->watched[i + 2] = (struct pollfd){.fd = f->link[i].fd, .events = link_events(&f->link[i])};
    }
}

static void serve(fleet *f, uint64_t now_ms) {
    const link_owner owner = {.context = f, .state = on_state, .frame = on_frame, .damaged = on_damaged};
    if (f->watched[1].revents != 0) {
        source_read(f->setup.feed);
    }
    for (uint32_t i = 0; i < f->setup.links; i++) {
        link_serve(&f->link[i], i, f->watched[i + 2].revents, now_ms, &owner);
    }
    if (f->setup.feed != NULL) {
        take_feed(f, now_ms);
    }
    run_clock(f, now_ms);
    for (uint32_t i = 0; f->setup.verbose && i < f->setup.nodes; i++) {
        running_tell(&f->said[i], &f->node[i], i);
    }
    for (uint32_t i = 0; i < f->setup.links; i++) {
        pump_link(f, i);
    }
}

static bool over(fleet *f, uint64_t now_ms) { return f->drain_ms > 0 && (now_ms >= f->drain_ms || !any_busy(f, 1)); }

static uint32_t reports_waiting(const fleet *f) {
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < f->setup.nodes; i++) {
        waiting += attune_backlog_waiting(&f->node[i].backlog);
    }
    return waiting;
}

uint32_t fleet_run(fleet *f, int end_fd) {
    uint64_t now_ms = machine_now_ms();
    while (!over(f, now_ms)) {
        watch(f, end_fd);
        if (poll(f->watched, f->setup.links + 2, time_to_wait(f, now_ms)) < 0) {
            continue; /* interrupted by the end signal, which the next turn finds in its pipe */
        }
        if (f->watched[0].revents != 0) {
            return 0;
        }
        now_ms = machine_now_ms();
        serve(f, now_ms);
    }
    return reports_waiting(f);
}

typedef struct totals {
    uint64_t frames_out, frames_in, ups;
    uint64_t reports, dropped, refused, damaged, labels;
} totals;

static totals totals_of(const fleet *f) {
    totals t = {0};
    for (uint32_t i = 0; i < f->setup.links; i++) {
        t.frames_out += f->link[i].frames_out;
        t.frames_in += f->link[i].frames_in;
        t.ups += f->link[i].ups;
    }
    for (uint32_t i = 0; i < f->setup.nodes; i++) {
        const attune_node *node = &f->node[i];
        t.reports += node->backlog.next_seq - 1;
        t.dropped += node->backlog.dropped;
        t.refused += node->counters.refused_samples;
        t.damaged += node->counters.bad_frames;
        t.labels += node->log.count;
    }
    return t;
}

void fleet_print_statistics(const fleet *f) {
    const totals t = totals_of(f);
    const uint64_t malformed = f->misdirected + (f->setup.feed != NULL ? f->setup.feed->malformed : 0);
    (void)printf("{\"nodes\": %u, \"links\": %u, \"links_up\": %" PRIu64 ", \"frames_out\": %" PRIu64
                 ", \"frames_in\": %" PRIu64 ", \"frames_damaged\": %" PRIu64 ", \"reports\": %" PRIu64
                 ", \"reports_waiting\": %u, \"reports_dropped\": %" PRIu64 ", \"samples_refused\": %" PRIu64
                 ", \"lines_malformed\": %" PRIu64 ", \"labels_learned\": %" PRIu64 "}\n",
                 f->setup.nodes, f->setup.links, t.ups, t.frames_out, t.frames_in, t.damaged, t.reports,
                 reports_waiting(f), t.dropped, t.refused, malformed, t.labels);
}

/* What a node makes of a daemon's messages when somebody has that daemon's keys: the texts of sealed frames are the input's. Properties:
 * the node keeps its invariants (sound_node.h), hands out no more than it may, and when the daemon is itself again, it says hello
 * and its next window arrives. What commands do to the session's keys is the tests' of sessions. */
#include "fake_daemon.h"
#include "fuzz/script.h"
#include "node/parts.h"
#include "sound_node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Few enough for what the daemon remembers, and for a node to be quick about it. */
#define STEPS 24
#define MINUTES 30

/* What waits in flash comes first, a batch after the other. */
#define RECOVERY_S 55

static attune_node node;
static fake_daemon daemon_;
static attune_node made_node; /* both after twenty windows, of which some are labelled */
static fake_daemon made_daemon;

static void minute(void) {
    const uint64_t end = attune_window_end_ms(&node.window);
    (void)attune_node_sample(&node, 0, end, (float)(end % 500));
    (void)attune_node_sample(&node, 2, end, 1);
    attune_node_poll(&node, end);
}

static void begin(void) {
    const uint8_t sensors[] = {ATTUNE_LIGHT, ATTUNE_CO2, ATTUNE_PIR};
    const attune_identity identity = {.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = 77};
    must(attune_node_init(&node, &identity, sensors, sizeof sensors, 60) == ATTUNE_SCHEMA_OK);
    fake_daemon_init(&daemon_, &node);
    attune_node_link(&node, true);
    fake_daemon_exchange(&daemon_);
    for (int i = 0; i < 20; i++) {
        minute();
        fake_daemon_exchange(&daemon_);
    }
    fake_daemon_label(&daemon_, 1, 0, 3, 9);
    fake_daemon_label(&daemon_, 2, 1, 10, 16);
    must(node.timed && node.log.count == 14);
    made_node = node;
    made_daemon = daemon_;
}

/* What the node has to say is lost. */
static void drain(void) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    for (int frames = 0; attune_node_send(&node, frame, sizeof frame) > 0; frames++) {
        must(frames < 2 * ATTUNE_BACKLOG);
    }
}

/* In memory of its exact size, so that the sanitizer sees a read beyond it. */
static void deliver(const uint8_t *text, size_t size) {
    uint8_t frame[ATTUNE_NODE_FRAME];
    memcpy(frame + ATTUNE_SEALED_TEXT, text, size);
    const size_t sealed = fake_daemon_seal(&daemon_, frame, size);
    uint8_t *exact = malloc(sealed > 0 ? sealed : 1);
    memcpy(exact, frame, sealed);
    attune_node_receive(&node, exact, sealed);
    free(exact);
}

/* What anybody may say: a frame of the argument's kind with the node's hint, sealed with no key. */
static void deliver_clear(const step *what) {
    const size_t size = ATTUNE_FRAME_HEADER + what->size;
    uint8_t *frame = malloc(size);
    frame[0] = what->argument % 8;
    memcpy(frame + 1, node.identity.node_id, ATTUNE_HINT);
    memcpy(frame + ATTUNE_FRAME_HEADER, what->bytes, what->size);
    attune_node_receive(&node, frame, size);
    free(frame);
    drain();
}

typedef struct text {
    uint8_t bytes[ATTUNE_NODE_FRAME - ATTUNE_SEALED_AROUND];
    size_t size;
} text;

static void add(text *all, const step *what) {
    const size_t room = sizeof all->bytes - all->size;
    const size_t size = what->size < room ? what->size : room;
    memcpy(all->bytes + all->size, what->bytes, size);
    all->size += size;
}

static void take(text *all, const step *what) {
    switch (what->operation % 6) {
    case 0:
        add(all, what);
        break;
    case 1:
        add(all, what);
        deliver(all->bytes, all->size);
        all->size = 0;
        break;
    case 2:
        for (uint8_t i = 0; i < what->argument % MINUTES; i++) {
            minute();
        }
        drain();
        break;
    case 3:
        attune_node_press(&node, node.now_ms, what->argument % ATTUNE_MAX_CLASSES);
        break;
    case 4:
        deliver_clear(what);
        break;
    default:
        attune_node_link(&node, false);
        attune_node_link(&node, true);
        drain();
    }
}

/* The daemon has its keys for itself again, and asks. What the node let go of on a forged acknowledgement is lost to it. */
static void expect_recovery(void) {
    static emulated_flash flash;
    static attune_store store;
    flash = daemon_.flash;
    store = daemon_.store;
    daemon_ = made_daemon;
    daemon_.flash = flash;
    daemon_.store = store;
    for (uint32_t seq = 1; seq < node.backlog.next_seq; seq++) {
        daemon_.have[seq] = seq < attune_node_first_seq(&node);
    }
    for (uint16_t i = 0; i < node.backlog.count; i++) {
        daemon_.have[attune_backlog_at(&node.backlog, i)->seq] = false;
    }
    node.session = made_node.session;
    node.link_up = true;
    const attune_v1_DaemonMessage ask = {.which_body = attune_v1_DaemonMessage_hello_request_tag};
    const uint32_t hellos = daemon_.hellos;
    fake_daemon_say(&daemon_, &ask);
    fake_daemon_exchange(&daemon_);
    must(daemon_.hellos == hellos + 1 && node.timed);
    minute();
    for (int second = 0; second < RECOVERY_S && !daemon_.have[node.backlog.next_seq - 1]; second++) {
        fake_daemon_exchange(&daemon_);
        attune_node_poll(&node, node.now_ms + 1000);
    }
    must(daemon_.have[node.backlog.next_seq - 1]);
    must_be_sound(&node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static text all;
    script input = {data, size};
    step next;
    if (made_node.now_ms == 0) {
        begin();
    }
    node = made_node;
    daemon_ = made_daemon;
    all.size = 0;
    for (int i = 0; i < STEPS && next_step(&input, &next); i++) {
        take(&all, &next);
    }
    drain();
    must_be_sound(&node);
    expect_recovery();
    return 0;
}

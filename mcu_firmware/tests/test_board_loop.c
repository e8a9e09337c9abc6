/* The loop of a board against a port made of arrays: what goes in and out of a node, in pieces of any size. */
#include "board/loop.h"
#include "check.h"
#include "fake_daemon.h"
#include "framing/frame.h"

#include <string.h>

#define LINE_BYTES 8192

static struct {
    uint64_t now_ms;
    bool up;
    bool refuses;
    char said[120];
    unsigned lamps; /* times that it was switched on */
    size_t heard;   /* bytes of out that the daemon has taken */
    unsigned damaged;
    attune_frame_decoder decoder;
    size_t takes; /* bytes that the link takes at a time */
    uint8_t out[LINE_BYTES];
    size_t out_size;
    uint8_t in[LINE_BYTES];
    size_t in_size;
    size_t in_taken;
    attune_reading reading[64];
    size_t readings;
    size_t readings_taken;
    attune_button_event press;
    bool pressed;
    unsigned kicks;
} port;

static fake_daemon daemon_;

static const attune_node_type type = {.window_s = 60, .sensors = 2, .sensor = {ATTUNE_TEMPERATURE, ATTUNE_CO2}};

uint64_t attune_port_now_ms(void) { return port.now_ms; }

bool attune_port_identity(attune_identity *identity) {
    *identity = (attune_identity){.node_id = {1, 2, 3, 4, 5, 6, 7, 8}, .boot = 9};
    return !port.refuses;
}

void attune_port_entropy(uint8_t *bytes, size_t size) {
    const attune_keeper keeper = fake_daemon_keeper(&daemon_);
    keeper.entropy(keeper.context, bytes, size);
}

static emulated_flash flash;

const attune_flash *attune_port_flash(void) { return &flash.port; }

void attune_port_say(const char *sentence) { (void)strncpy(port.said, sentence, sizeof port.said - 1); }

void attune_port_lamp(bool on) { port.lamps += on; }

const attune_node_type *attune_port_node_type(void) { return &type; }

bool attune_port_reading(attune_reading *reading) {
    if (port.readings_taken == port.readings) {
        return false;
    }
    *reading = port.reading[port.readings_taken++];
    return true;
}

bool attune_port_button(attune_button_event *event) {
    *event = port.press;
    const bool pressed = port.pressed;
    port.pressed = false;
    return pressed;
}

bool attune_port_link_up(void) { return port.up; }

size_t attune_port_link_receive(uint8_t *bytes, size_t capacity) {
    const size_t left = port.in_size - port.in_taken;
    const size_t size = left < capacity ? left : capacity;
    memcpy(bytes, port.in + port.in_taken, size);
    port.in_taken += size;
    return size;
}

size_t attune_port_link_send(const uint8_t *bytes, size_t size) {
    const size_t taken = size < port.takes ? size : port.takes;
    memcpy(port.out + port.out_size, bytes, taken);
    port.out_size += taken;
    return taken;
}

void attune_port_watchdog_kick(void) { port.kicks++; }

void attune_port_board(attune_board *board) { board->stack_free = 1234; }

static attune_loop loop;

static void put_on_line(uint8_t *frame, size_t size) {
    const size_t written = attune_frame_encode(frame, size, port.in + port.in_size, sizeof port.in - port.in_size);
    assert_true(written > 0);
    port.in_size += written;
}

static void begin(void) {
    memset(&port, 0, sizeof port);
    port.takes = 7;
    port.up = true;
    attune_frame_decoder_init(&port.decoder);
    emulated_flash_init(&flash);
    assert_int_equal(attune_store_open(&loop.store, &flash.port), ATTUNE_STORE_OK);
    fake_daemon_give_keys(&loop.store);
    assert_true(attune_loop_init(&loop));
    fake_daemon_init(&daemon_, &loop.node);
    daemon_.deliver = put_on_line;
    daemon_.keeps_silent_on_hello = true;
}

/* The daemon takes what is on the line. */
static void listen(void) {
    while (port.heard < port.out_size) {
        const attune_frame_event event = attune_frame_decode(&port.decoder, port.out[port.heard++]);
        port.damaged += event == ATTUNE_FRAME_DAMAGED || event == ATTUNE_FRAME_OVERSIZED;
        if (event == ATTUNE_FRAME_READY) {
            fake_daemon_take(&daemon_, port.decoder.buffer, port.decoder.size);
        }
    }
}

static void settle(void) {
    do {
        while (attune_loop_step(&loop)) {
        }
        listen();
    } while (port.in_taken < port.in_size);
}

static void greet(void) {
    settle();
    attune_v1_DaemonMessage time = {.which_body = attune_v1_DaemonMessage_time_tag};
    time.body.time.utc_ms = 1;
    fake_daemon_say(&daemon_, &time);
    settle();
}

static void frames_pass_in_pieces(void **state) {
    (void)state;
    begin();
    greet();
    assert_int_equal(daemon_.hellos, 1);
    assert_int_equal(daemon_.time_acks, 1);
    assert_int_equal(daemon_.healths, 1);
    assert_int_equal(port.damaged, 0);
    assert_int_equal(loop.node.board.stack_free, 1234);
}

static void readings_of_a_windows_last_tick_belong_to_it(void **state) {
    (void)state;
    begin();
    greet();
    port.reading[0] = (attune_reading){.tick_ms = 60000, .value = 20, .sensor = 0};
    port.reading[1] = (attune_reading){.tick_ms = 60000, .value = 500, .sensor = 1};
    port.readings = 1;
    port.now_ms = 59999;
    settle();
    port.readings = 2;
    settle();
    port.now_ms = 60000;
    settle();
    assert_int_equal(daemon_.arrivals, 1);
    assert_int_equal(loop.node.counters.refused_samples, 0);
    const attune_v1_Report *report = &daemon_.report[1];
    assert_int_equal(report->end_s, 60);
    /* Neither is ATTUNE_MISSING, 0x8000. */
    assert_true(report->features.bytes[1] != 0x80 && report->features.bytes[3] != 0x80);
}

static void a_press_goes_out(void **state) {
    (void)state;
    begin();
    greet();
    port.press = (attune_button_event){.tick_ms = 59000, .class_index = 1};
    port.pressed = true;
    settle();
    assert_int_equal(daemon_.presses, 1);
    assert_true(daemon_.button.tick_ms == 59000 && daemon_.button.class_index == 1);
}

static void a_new_connection_starts_clean(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 3; i++) {
        (void)attune_loop_step(&loop); /* the zero and two pieces of the handshake */
    }
    const size_t cut = port.out_size;
    listen();
    assert_true(cut > 8 && port.out[cut - 1] != 0);
    port.in[0] = 0x20;
    port.in_size = 1; /* the start of a frame that never ends */
    (void)attune_loop_step(&loop);
    port.up = false;
    (void)attune_loop_step(&loop);
    port.up = true;
    greet();
    /* The half handshake is damaged, and nothing after it: the zero of the new connection ends it. */
    assert_int_equal(daemon_.hellos, 1);
    assert_int_equal(port.damaged, 1);
    assert_int_equal(loop.node.counters.bad_frames, 0);
    assert_true(loop.node.timed);
}

static void damage_is_told_to_the_node(void **state) {
    (void)state;
    begin();
    greet();
    memcpy(port.in + port.in_size, "\x05garbage", 9);
    port.in_size += 9;
    settle();
    assert_int_equal(loop.node.counters.bad_frames, 1);
}

static void every_step_kicks_the_watchdog(void **state) {
    (void)state;
    begin();
    (void)attune_loop_step(&loop);
    (void)attune_loop_step(&loop);
    assert_int_equal(port.kicks, 2);
}

static void a_port_that_refuses_does_not_start(void **state) {
    (void)state;
    memset(&port, 0, sizeof port);
    port.refuses = true;
    assert_false(attune_loop_init(&loop));
    assert_string_equal(port.said, ""); /* it has said so itself */
}

/* Whatever the flash fails at: the node starts with all that it knows or not at all. */
static void a_flash_that_fails_stops_the_node(void **state) {
    (void)state;
    memset(&port, 0, sizeof port);
    emulated_flash_init(&flash);
    flash.dead = true;
    assert_false(attune_loop_init(&loop));
    assert_non_null(strstr(port.said, "replace the board"));
    uint64_t at = 1;
    for (;; at++) {
        emulated_flash_init(&flash);
        emulated_flash_cut(&flash, at, CUT_BETWEEN, 1);
        if (attune_loop_init(&loop)) {
            break;
        }
        emulated_flash_power_on(&flash);
        assert_true(attune_loop_init(&loop));
    }
    assert_true(at > 3);
}

static void a_node_that_is_looked_for_blinks(void **state) {
    (void)state;
    begin();
    greet();
    attune_v1_DaemonMessage message = {.which_body = attune_v1_DaemonMessage_command_tag};
    message.body.command.identify_s = 2;
    fake_daemon_say(&daemon_, &message);
    for (unsigned i = 0; i < 40; i++) {
        port.now_ms += 100;
        settle();
    }
    /* Twice a second, for two seconds. */
    assert_int_equal(port.lamps, 4);
    assert_false(loop.lamp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_pass_in_pieces),
        cmocka_unit_test(readings_of_a_windows_last_tick_belong_to_it),
        cmocka_unit_test(a_new_connection_starts_clean),
        cmocka_unit_test(damage_is_told_to_the_node),
        cmocka_unit_test(a_press_goes_out),
        cmocka_unit_test(every_step_kicks_the_watchdog),
        cmocka_unit_test(a_node_that_is_looked_for_blinks),
        cmocka_unit_test(a_port_that_refuses_does_not_start),
        cmocka_unit_test(a_flash_that_fails_stops_the_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

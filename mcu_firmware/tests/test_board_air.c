/* A board's node on the air: the loop and board/air.c against a central made of arrays, which stands where ble/ does. */
#include "ble/ble.h"
#include "board/loop.h"
#include "check.h"
#include "fake_daemon.h"
#include "framing/part.h"
#include "session/advertising.h"

#include <string.h>

#define PARTS 64

typedef struct value {
    uint8_t bytes[ATTUNE_BLE_PART];
    size_t size;
} value;

static struct {
    uint64_t now_ms;     /* the node's */
    uint64_t central_ms; /* the controller's */
    uint16_t part;       /* largest; 0: nobody listens */
    unsigned busy;       /* so many notifications find no buffer */
    attune_ble_wish wish;
    value written[PARTS]; /* to the inbox */
    size_t writes;
    size_t taken;
    size_t notified;   /* in this connection */
    size_t whole;      /* frames that came up, and of those: */
    size_t with_hint;  /* with anything but zeros for a hint */
    size_t frame_size; /* of the last one */
    attune_part_joiner joiner;
    uint8_t up[ATTUNE_NODE_FRAME];
    attune_part_cutter cutter;
    uint8_t down[1 + ATTUNE_NODE_FRAME];
} air;

static fake_daemon daemon_;
static emulated_flash flash;
static attune_loop loop;

/* --- The port --- */

static const attune_node_type type = {.window_s = 60, .sensors = 2, .sensor = {ATTUNE_TEMPERATURE, ATTUNE_CO2}};
static const uint8_t node_id[8] = {1, 2, 3, 4, 5, 6, 7, 8};

uint64_t attune_port_now_ms(void) { return air.now_ms; }

uint64_t attune_port_hci_ms(void) { return air.central_ms; }

bool attune_port_identity(attune_identity *identity) {
    *identity = (attune_identity){.boot = 9};
    memcpy(identity->node_id, node_id, sizeof node_id);
    return true;
}

void attune_port_entropy(uint8_t *bytes, size_t size) {
    const attune_keeper keeper = fake_daemon_keeper(&daemon_);
    keeper.entropy(keeper.context, bytes, size);
}

const attune_flash *attune_port_flash(void) { return &flash.port; }

void attune_port_say(const char *sentence) { fail_msg("%s", sentence); }

void attune_port_lamp(bool on) { (void)on; }

const attune_node_type *attune_port_node_type(void) { return &type; }

bool attune_port_reading(attune_reading *reading) {
    (void)reading;
    return false;
}

bool attune_port_button(attune_button_event *event) {
    (void)event;
    return false;
}

void attune_port_watchdog_kick(void) {}

void attune_port_board(attune_board *board) { board->stack_free = 1234; }

size_t attune_port_hci_receive(uint8_t *bytes, size_t capacity) {
    (void)bytes, (void)capacity;
    return 0;
}

size_t attune_port_hci_send(const uint8_t *bytes, size_t size) {
    (void)bytes;
    return size;
}

/* --- Where ble/ stands --- */

void attune_ble_init(attune_ble *ble, const attune_hci *hci) {
    (void)ble;
    assert_true(hci->send != NULL && hci->receive != NULL);
}

void attune_ble_step(attune_ble *ble, const attune_ble_wish *wish, uint64_t now_ms) {
    (void)ble;
    assert_true(now_ms == air.central_ms);
    air.wish = *wish;
}

uint16_t attune_ble_part(const attune_ble *ble) {
    (void)ble;
    return air.part;
}

size_t attune_ble_receive(attune_ble *ble, uint8_t *part, size_t capacity) {
    (void)ble;
    if (air.taken == air.writes) {
        return 0;
    }
    const value *oldest = &air.written[air.taken++];
    assert_true(oldest->size <= capacity);
    memcpy(part, oldest->bytes, oldest->size);
    return oldest->size;
}

bool attune_ble_send(attune_ble *ble, const uint8_t *part, size_t size) {
    (void)ble;
    assert_true(air.part > 0 && size <= air.part);
    if (air.busy > 0) {
        air.busy--;
        return false;
    }
    assert_int_equal(part[0] & ATTUNE_PART_NUMBER, air.notified++ % 64);
    const unsigned events = attune_part_join(&air.joiner, part, size);
    assert_true(events == 0 || events == ATTUNE_PART_READY);
    if (events == ATTUNE_PART_READY) {
        air.whole++;
        air.with_hint += memcmp(air.up + 1, "\0\0\0\0", 4) != 0;
        air.frame_size = air.joiner.size;
        memcpy(air.up + 1, node_id, ATTUNE_HINT);
        fake_daemon_take(&daemon_, air.up, air.joiner.size);
    }
    return true;
}

/* --- The central --- */

static void write_value(const uint8_t *bytes, size_t size) {
    assert_true(air.writes < PARTS && size <= ATTUNE_BLE_PART);
    memcpy(air.written[air.writes].bytes, bytes, size);
    air.written[air.writes++].size = size;
}

static void write_frame(uint8_t *frame, size_t size) {
    const uint8_t *part = NULL;
    memcpy(air.down + 1, frame, size);
    memset(air.down + 2, 0, ATTUNE_HINT);
    attune_part_begin(&air.cutter, air.down + 1, size);
    for (size_t n; (n = attune_part_next(&air.cutter, air.part, &part)) > 0; attune_part_sent(&air.cutter)) {
        write_value(part, n);
    }
}

static void settle(void) {
    for (unsigned step = 0; step < 200; step++) {
        (void)attune_loop_step(&loop);
        if (air.taken == air.writes) {
            air.taken = air.writes = 0;
        }
    }
}

static void listen(uint16_t part) {
    air.part = part;
    air.notified = 0;
    air.taken = air.writes = 0;
    air.cutter = (attune_part_cutter){.left = 0};
    attune_part_joiner_init(&air.joiner, air.up, sizeof air.up);
    settle();
}

static void begin(void) {
    memset(&air, 0, sizeof air);
    emulated_flash_init(&flash);
    assert_int_equal(attune_store_open(&loop.store, &flash.port), ATTUNE_STORE_OK);
    fake_daemon_give_keys(&loop.store);
    assert_true(attune_loop_init(&loop));
    fake_daemon_init(&daemon_, &loop.node);
    daemon_.deliver = write_frame;
    daemon_.keeps_silent_on_hello = true;
}

static void greet(void) {
    attune_v1_DaemonMessage time = {.which_body = attune_v1_DaemonMessage_time_tag};
    time.body.time.utc_ms = 1;
    fake_daemon_say(&daemon_, &time);
    settle();
}

/* --- The tests --- */

static void a_conversation_in_parts_of_any_size(void **state) {
    (void)state;
    const uint16_t sizes[] = {20, 61, 185, 244};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        begin();
        listen(sizes[i]);
        greet();
        assert_int_equal(daemon_.hellos, 1);
        assert_int_equal(daemon_.time_acks, 1);
        assert_int_equal(daemon_.healths, 1);
        assert_int_equal(loop.node.counters.bad_frames, 0);
        assert_true(air.whole >= 4 && air.with_hint == 0);
    }
}

static void parts_that_find_no_buffer_come_later(void **state) {
    (void)state;
    begin();
    air.busy = 5;
    listen(20);
    air.busy = 3;
    greet();
    air.part = 100; /* the MTU has grown meanwhile */
    settle();
    assert_int_equal(daemon_.time_acks, 1);
    assert_int_equal(daemon_.healths, 1);
}

static void a_frame_that_was_cut_off_is_no_part_of_the_next_connection(void **state) {
    (void)state;
    begin();
    daemon_.never_answers_handshakes = true;
    listen(20);
    air.now_ms += 5000;
    air.busy = 1;
    (void)attune_loop_step(&loop); /* the handshake once more, and nowhere to put it */
    assert_true(air.whole == 1 && air.busy == 0);
    write_value((const uint8_t[]){0x80, 4, 0}, 3);
    (void)attune_loop_step(&loop); /* the beginning of a frame that never ends */
    air.part = 0;
    (void)attune_loop_step(&loop);
    assert_false(loop.node.link_up);
    daemon_.never_answers_handshakes = false;
    listen(244);
    greet();
    assert_int_equal(daemon_.time_acks, 1);
    assert_int_equal(loop.node.counters.bad_frames, 0);
}

static void parts_that_make_no_sense_are_counted(void **state) {
    (void)state;
    begin();
    listen(244);
    greet();
    const uint32_t bad = loop.node.counters.bad_frames;
    write_value((const uint8_t[]){0x00}, 1);
    settle();
    assert_int_equal(loop.node.counters.bad_frames, bad + 1);
    for (uint8_t number = 9; number < 13; number++) {
        uint8_t part[ATTUNE_BLE_PART] = {(uint8_t)(number == 9 ? 0x80 | number : number)};
        write_value(part, sizeof part);
    }
    settle();
    assert_int_equal(loop.node.counters.bad_frames, bad + 2); /* too long */
    write_value((const uint8_t[]){0xC1, 4}, 2);
    settle();
    assert_int_equal(loop.node.counters.bad_frames, bad + 3); /* too short for a frame */
    air.cutter.number = 2;
    greet();
    assert_int_equal(daemon_.time_acks, 2);
}

/* It is taken, so that it holds nothing up, and dropped. */
static void what_comes_before_the_central_listens_is_dropped(void **state) {
    (void)state;
    begin();
    write_value((const uint8_t[]){0xC0, 5, 0, 0, 0, 0, 0}, 7); /* a call */
    write_value((const uint8_t[]){0x01, 5}, 2);
    (void)attune_loop_step(&loop);
    (void)attune_loop_step(&loop);
    assert_int_equal(air.taken, 2);
    assert_int_equal(loop.node.counters.bad_frames, 0);
    listen(244);
    greet();
    assert_int_equal(daemon_.time_acks, 1);
    assert_int_equal(loop.node.counters.bad_frames, 0);
}

/* What a daemon says to any node of a link, and what is for this one, is the same on the air. */
static void a_call_without_a_hint_is_for_this_node(void **state) {
    (void)state;
    begin();
    listen(244);
    greet();
    const uint32_t handshakes = daemon_.handshakes;
    fake_daemon_call(&daemon_);
    settle();
    assert_int_equal(daemon_.handshakes, handshakes + 1);
}

static void the_connection_is_fast_while_there_is_much_to_say(void **state) {
    (void)state;
    begin();
    daemon_.never_answers_handshakes = true;
    listen(244);
    (void)attune_loop_step(&loop);
    assert_true(air.wish.fast);
    air.central_ms += 60000;
    (void)attune_loop_step(&loop);
    assert_true(air.wish.fast);
    daemon_.never_answers_handshakes = false;
    fake_daemon_call(&daemon_);
    settle();
    greet();
    air.central_ms += 9999;
    (void)attune_loop_step(&loop);
    assert_true(air.wish.fast);
    air.central_ms += 1;
    (void)attune_loop_step(&loop);
    assert_false(air.wish.fast);
    /* Nine windows that nobody takes are more than there may be on the way. */
    daemon_.keeps_silent_on_reports = true;
    for (unsigned i = 0; i < 9; i++) {
        air.now_ms += 60000;
        (void)attune_loop_step(&loop);
    }
    (void)attune_loop_step(&loop);
    assert_true(air.wish.fast);
}

static void hint_and_address_are_new_after_four_hours(void **state) {
    (void)state;
    begin();
    (void)attune_loop_step(&loop);
    const attune_ble_wish first = air.wish;
    uint8_t key[ATTUNE_ADVERTISING_KEY];
    uint8_t hint[ATTUNE_ADVERTISED];
    attune_advertising_key(node_id, attune_store_keys(&loop.store)->key[ATTUNE_KEY_CODE], key);
    attune_advertised_hint(key, first.hint, hint);
    assert_memory_equal(first.hint, hint, sizeof hint);
    assert_int_equal(first.address[5] & 0xC0, 0xC0);
    air.now_ms = 4 * 3600 * 1000 - 1;
    (void)attune_loop_step(&loop);
    assert_memory_equal(&air.wish.hint, &first.hint, sizeof hint);
    air.now_ms += 1;
    (void)attune_loop_step(&loop);
    assert_memory_not_equal(&air.wish.hint, &first.hint, sizeof hint);
    assert_memory_not_equal(&air.wish.address, &first.address, sizeof first.address);
    attune_advertised_hint(key, air.wish.hint, hint);
    assert_memory_equal(air.wish.hint, hint, sizeof hint);
    /* Another start draws anew. */
    const attune_ble_wish second = air.wish;
    air.now_ms = 0;
    assert_true(attune_loop_init(&loop));
    (void)attune_loop_step(&loop);
    assert_memory_not_equal(&air.wish.hint, &second.hint, sizeof hint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_in_parts_of_any_size),
        cmocka_unit_test(parts_that_find_no_buffer_come_later),
        cmocka_unit_test(a_frame_that_was_cut_off_is_no_part_of_the_next_connection),
        cmocka_unit_test(parts_that_make_no_sense_are_counted),
        cmocka_unit_test(what_comes_before_the_central_listens_is_dropped),
        cmocka_unit_test(a_call_without_a_hint_is_for_this_node),
        cmocka_unit_test(the_connection_is_fast_while_there_is_much_to_say),
        cmocka_unit_test(hint_and_address_are_new_after_four_hours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Link, controller, sensors, button, clock, sleep and health of this board; flash, identity and watchdog have files of their own.
 *
 * The sensors are the sample feed (feed.h). Until its first line the node's clock is the system tick; from
 * then on it is the feed's, so that equal feeds give equal reports however fast they come. */
#include "port.h"

#include "clock.h"
#include "feed.h"
#include "feed_commands.h"
#include "stack.h"
#include "uart.h"

static attune_feed feed;
static bool fed;
static uint64_t now_ms;

/* A press that the feed told; the feed waits until it has been taken. */
static attune_button_event pressed;
static bool press_waits;

uint64_t attune_port_now_ms(void) {
    if (!fed) {
        now_ms = attune_clock_ms();
    }
    return now_ms;
}

static void feed_time(uint64_t tick_ms) {
    if (!fed) {
        (void)attune_port_now_ms();
        fed = true;
    }
    if (tick_ms > now_ms) {
        now_ms = tick_ms;
    }
}

static bool take_line(attune_reading *reading, attune_feed_event event) {
    if (event == ATTUNE_FEED_MALFORMED) {
        attune_feed_command(&feed);
    }
    if (event == ATTUNE_FEED_TIME) {
        feed_time(feed.tick_ms);
    }
    if (event == ATTUNE_FEED_SAMPLE && feed.tick_ms > 0) {
        /* More readings of this tick may follow, so time has only passed up to just before it. */
        feed_time(feed.tick_ms - 1);
    }
    if (feed.node != 0) {
        return false;
    }
    if (event == ATTUNE_FEED_PRESS) {
        pressed = (attune_button_event){.tick_ms = feed.tick_ms, .class_index = feed.class_index};
        press_waits = true;
    }
    if (event != ATTUNE_FEED_SAMPLE) {
        return false;
    }
    *reading = (attune_reading){.tick_ms = feed.tick_ms, .value = feed.value, .sensor = feed.sensor};
    return true;
}

bool attune_port_reading(attune_reading *reading) {
    uint8_t byte = 0;
    while (!press_waits && attune_uart_take(ATTUNE_UART_FEED, &byte)) {
        if (take_line(reading, attune_feed_take(&feed, (char)byte))) {
            return true;
        }
    }
    return false;
}

/* A key on the console is a press, too: o a short one, f a long one. */
bool attune_port_button(attune_button_event *event) {
    uint8_t key = 0;
    if (press_waits) {
        press_waits = false;
        *event = pressed;
        return true;
    }
    if (!attune_uart_key(&key) || (key != 'o' && key != 'f')) {
        return false;
    }
    *event = (attune_button_event){.tick_ms = attune_port_now_ms(), .class_index = key == 'o'};
    return true;
}

void attune_port_say(const char *sentence) { attune_uart_say(sentence); }

void attune_port_lamp(bool on) { attune_uart_say(on ? "lamp on\n" : "lamp off\n"); }

bool attune_port_link_up(void) { return true; }

size_t attune_port_link_receive(uint8_t *bytes, size_t capacity) {
    size_t size = 0;
    while (size < capacity && attune_uart_take(ATTUNE_UART_LINK, &bytes[size])) {
        size++;
    }
    return size;
}

size_t attune_port_link_send(const uint8_t *bytes, size_t size) { return attune_uart_send(bytes, size); }

size_t attune_port_hci_receive(uint8_t *bytes, size_t capacity) { return attune_port_link_receive(bytes, capacity); }

size_t attune_port_hci_send(const uint8_t *bytes, size_t size) { return attune_uart_send(bytes, size); }

/* Not the feed's time, which goes as fast as somebody sends it. */
uint64_t attune_port_hci_ms(void) { return attune_clock_ms(); }

/* With interrupts masked an interrupt that comes after the look still ends the wait. */
void attune_port_sleep(void) {
    __asm__ volatile("cpsid i" ::: "memory");
    if (!attune_uart_waiting(ATTUNE_UART_LINK) && !attune_uart_waiting(ATTUNE_UART_FEED)) {
        __asm__ volatile("wfi" ::: "memory");
    }
    __asm__ volatile("cpsie i" ::: "memory");
}

void attune_port_board(attune_board *board) {
    board->stack_free = attune_stack_free();
    board->battery_mv = 0;
}

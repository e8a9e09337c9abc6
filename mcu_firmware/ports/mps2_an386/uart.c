#include "uart.h"

#include "registers.h"

/* A power of two; a tenth of a frame's time at 115200 baud is less than a step of the loop. */
#define RING_SIZE 256u

typedef struct receiver {
    volatile uint8_t ring[RING_SIZE];
    volatile uint32_t written; /* by the interrupt, or with interrupts off */
    volatile uint32_t taken;   /* by the loop */
    volatile bool held;        /* the ring was full: a byte waits in the UART, and its interrupt is off */
} receiver;

static receiver receivers[ATTUNE_UART_RECEIVERS];

#ifdef ATTUNE_BLE_IMAGE
#define UART0_CARRIES ATTUNE_UART_FEED
#define UART1_CARRIES ATTUNE_UART_LINK
#else
#define UART0_CARRIES ATTUNE_UART_LINK
#define UART1_CARRIES ATTUNE_UART_FEED
#endif

static uart_registers *registers(attune_uart uart) { return uart == UART0_CARRIES ? UART0 : UART1; }

void attune_uart_begin(void) {
    const uint32_t receive = UART_CONTROL_TX | UART_CONTROL_RX | UART_CONTROL_RX_INTERRUPT;
    UART0->divider = UART1->divider = UART2->divider = CLOCK_HZ / ATTUNE_UART_BAUD;
    UART0->control = UART1->control = receive;
    UART2->control = UART_CONTROL_TX | UART_CONTROL_RX;
    INTERRUPT_ENABLE = 1u << UART0_RX_IRQ | 1u << UART1_RX_IRQ;
}

static void store_byte(attune_uart uart) {
    receiver *r = &receivers[uart];
    r->ring[r->written % RING_SIZE] = (uint8_t)registers(uart)->data;
    r->written++;
}

static void on_receive(attune_uart uart) {
    receiver *r = &receivers[uart];
    registers(uart)->interrupt = UART_INTERRUPT_RX;
    if (r->written - r->taken < RING_SIZE) {
        store_byte(uart);
        return;
    }
    r->held = true;
    registers(uart)->control &= ~UART_CONTROL_RX_INTERRUPT;
}

void attune_uart0_handler(void) { on_receive(UART0_CARRIES); }

void attune_uart1_handler(void) { on_receive(UART1_CARRIES); }

/* The held byte has had its interrupt already; it is fetched here. The interrupt is let in before the byte is read,
 * because the next one may arrive at once, and masked until the ring is whole again. */
static void release(attune_uart uart) {
    receivers[uart].held = false;
    __asm__ volatile("cpsid i" ::: "memory");
    registers(uart)->control |= UART_CONTROL_RX_INTERRUPT;
    store_byte(uart);
    __asm__ volatile("cpsie i" ::: "memory");
}

bool attune_uart_waiting(attune_uart uart) { return receivers[uart].written != receivers[uart].taken; }

bool attune_uart_take(attune_uart uart, uint8_t *byte) {
    receiver *r = &receivers[uart];
    if (!attune_uart_waiting(uart)) {
        return false;
    }
    *byte = r->ring[r->taken % RING_SIZE];
    r->taken++;
    if (r->held) {
        release(uart);
    }
    return true;
}

size_t attune_uart_send(const uint8_t *bytes, size_t size) {
    size_t taken = 0;
    uart_registers *link = registers(ATTUNE_UART_LINK);
    while (taken < size && (link->state & UART_STATE_TX_FULL) == 0) {
        link->data = bytes[taken++];
    }
    return taken;
}

void attune_uart_say(const char *text) {
    for (; *text != '\0'; text++) {
        while ((UART2->state & UART_STATE_TX_FULL) != 0) {
        }
        UART2->data = (uint8_t)*text;
    }
}

bool attune_uart_key(uint8_t *key) {
    if ((UART2->state & UART_STATE_RX_FULL) == 0) {
        return false;
    }
    *key = (uint8_t)UART2->data;
    return true;
}

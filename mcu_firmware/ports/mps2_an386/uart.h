/* The three serial lines: UART0 carries frames, UART1 the sample feed, UART2 sentences for people, and the keys that they press. In the
 * image with Bluetooth (ATTUNE_BLE_IMAGE) UART0 carries the feed, and UART1 what the controller says and hears (HCI). */
#ifndef ATTUNE_MPS2_UART_H
#define ATTUNE_MPS2_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ATTUNE_UART_BAUD 115200u

/* The link is that of frames or that to the controller. */
typedef enum attune_uart { ATTUNE_UART_LINK = 0, ATTUNE_UART_FEED = 1, ATTUNE_UART_RECEIVERS = 2 } attune_uart;

/* Sets up all three and lets the receive interrupts in. */
void attune_uart_begin(void);

/* Takes a received byte; false if none waits. While its ring is full the line is held: a sender with flow control
 * (QEMU's socket) waits, one without it loses bytes. */
bool attune_uart_take(attune_uart uart, uint8_t *byte);

/* True if a received byte waits. */
bool attune_uart_waiting(attune_uart uart);

/* Hands bytes to the link's transmitter; returns how many it took. Never waits. */
size_t attune_uart_send(const uint8_t *bytes, size_t size);

/* Writes text to UART2 and waits until it is out. */
void attune_uart_say(const char *text);

/* Takes a key that was pressed on UART2; false if none was. It holds one: nobody types between two turns of the loop. */
bool attune_uart_key(uint8_t *key);

/* Receive interrupts. */
void attune_uart0_handler(void);
void attune_uart1_handler(void);

#endif

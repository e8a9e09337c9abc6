/* What the files of the host are to each other, the lowest layer first. */
#ifndef ATTUNE_BLE_HOST_H
#define ATTUNE_BLE_HOST_H

#include "ble/ble.h"

/* --- Numbers of HCI (Core Specification, volume 4, part E) --- */

enum {
    OPCODE_DISCONNECT = 0x0406,
    OPCODE_SET_EVENT_MASK = 0x0C01,
    OPCODE_RESET = 0x0C03,
    OPCODE_WRITE_LE_HOST_SUPPORT = 0x0C6D,
    OPCODE_READ_BUFFER_SIZE = 0x1005,
    OPCODE_READ_RSSI = 0x1405,
    OPCODE_LE_SET_EVENT_MASK = 0x2001,
    OPCODE_LE_READ_BUFFER_SIZE = 0x2002,
    OPCODE_LE_READ_LOCAL_FEATURES = 0x2003,
    OPCODE_LE_SET_RANDOM_ADDRESS = 0x2005,
    OPCODE_LE_SET_ADVERTISING_PARAMETERS = 0x2006,
    OPCODE_LE_SET_ADVERTISING_DATA = 0x2008,
    OPCODE_LE_SET_ADVERTISING_ENABLE = 0x200A,
    OPCODE_LE_CONNECTION_UPDATE = 0x2013,
    OPCODE_LE_SET_DATA_LENGTH = 0x2022,
};

enum { STATUS_OK = 0x00, STATUS_UNKNOWN_CONNECTION = 0x02, STATUS_UNSUPPORTED_REMOTE_FEATURE = 0x1A };

/* Bits of the first byte of the controller's LE features. */
#define FEATURE_CONNECTION_PARAMETERS 0x02u
#define FEATURE_DATA_LENGTH 0x20u

/* L2CAP's fixed channels. */
enum { CHANNEL_ATT = 4, CHANNEL_SIGNALLING = 5, CHANNEL_SECURITY = 6 };

#define ATT_DEFAULT_MTU 23

static inline uint16_t get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] | bytes[1] << 8); }

static inline void put16(uint8_t *bytes, uint16_t value) {
    bytes[0] = (uint8_t)(value & 0xFFu);
    bytes[1] = (uint8_t)(value >> 8);
}

/* --- hci.c: packets of the H4 transport, commands --- */

/* Reads and handles what has come, a bounded part of it. True if nothing more waits: then what is missing is late. */
bool attune_ble_read(attune_ble *ble);

/* Sends what is due, as far as the line takes it. */
void attune_ble_write(attune_ble *ble);

/* Puts a command on the empty line; size at most ATTUNE_BLE_COMMAND - 4. */
void attune_ble_command(attune_ble *ble, uint16_t opcode, const uint8_t *parameters, size_t size);

/* Puts the head of a packet of data on the empty line; its body of size bytes lies in the outbox. */
void attune_ble_data(attune_ble *ble, uint16_t handle_and_flags, uint16_t body_at, uint16_t size);

/* A command that has no answer for too long restarts the controller. */
void attune_ble_watch_commands(attune_ble *ble);

/* Looks for the answer to a reset and for nothing else, until it is found. */
void attune_ble_hunt(attune_ble *ble);
void attune_ble_found(attune_ble *ble, uint8_t credits);

/* --- setup.c: from the reset to advertising --- */

/* The state in which a host begins. */
void attune_ble_begin(attune_ble *ble);

/* The controller is reset soon and set up anew; whoever is connected is lost. */
void attune_ble_restart(attune_ble *ble);

/* Puts the reset on the line; false if none is due. It waits for no other command. */
bool attune_ble_setup_reset(attune_ble *ble);

/* The answer to a reset has been found; credits is how many commands the controller takes. */
void attune_ble_was_reset(attune_ble *ble, uint8_t credits);

/* Puts the next command of the set-up on the line; false if none is due. */
bool attune_ble_setup_command(attune_ble *ble);

/* Takes an answer: status and what follows it, size at least 1. */
void attune_ble_setup_answer(attune_ble *ble, uint16_t opcode, const uint8_t *answer, size_t size);

/* Whether a central may connect: the controller has been told to let it. */
bool attune_ble_may_connect(const attune_ble *ble);

/* Advertises again, for the connection is gone. */
void attune_ble_advertise(attune_ble *ble);

/* Resets for another hint or address, and from time to time. */
void attune_ble_watch_setup(attune_ble *ble, const attune_ble_wish *wish);

/* --- advertise.c --- */

#define ADVERTISING_DATA 32 /* a length and 31 bytes, as the command wants it */

extern const uint8_t attune_ble_advertising_parameters[15];
void attune_ble_advertising_data(const attune_ble *ble, uint8_t data[ADVERTISING_DATA]);

/* --- link.c: the connection --- */

void attune_ble_event_disconnected(attune_ble *ble, const uint8_t *event, size_t size);
void attune_ble_event_completed_packets(attune_ble *ble, const uint8_t *event, size_t size);
void attune_ble_event_le(attune_ble *ble, const uint8_t *event, size_t size);

bool attune_ble_is_link(const attune_ble *ble, uint16_t handle);

/* Forgets the connection and all that waited for it. */
void attune_ble_link_down(attune_ble *ble);

/* Puts the next command that the connection needs on the line; false if none is due. */
bool attune_ble_link_command(attune_ble *ble);
void attune_ble_link_answer(attune_ble *ble, uint16_t opcode, uint8_t status);

/* Ends the connection of a central that leaves it unused. */
void attune_ble_watch_link(attune_ble *ble);

/* The central has turned notifications on or off. */
void attune_ble_listen(attune_ble *ble, bool listening);

/* --- parameters.c: connection parameters --- */

/* Asks for others, if the wish means others and it is time; true if a command has been put on the line. */
bool attune_ble_ask_parameters(attune_ble *ble);

/* The central's controller does not know the link layer's request: asks once more, by L2CAP. */
void attune_ble_ask_by_l2cap(attune_ble *ble);

/* The link's parameters have changed; or status says why what was asked for came to nothing. */
void attune_ble_updated(attune_ble *ble, uint8_t status, uint16_t interval, uint16_t latency);

/* --- l2cap.c: channels --- */

/* Begins or goes on with a packet, by the handle and flags of what comes; false if it is to be skipped. */
bool attune_ble_l2cap_begin(attune_ble *ble, uint16_t handle_and_flags);

/* Takes further bytes of it. */
void attune_ble_l2cap_add(attune_ble *ble, const uint8_t *bytes, size_t size);

/* What lies in the packet may be whole now. */
void attune_ble_l2cap_end(attune_ble *ble);

/* Tries again to hand on a part for which there was no room; false if there still is none. */
bool attune_ble_l2cap_release(attune_ble *ble);

/* Room for a packet's payload of size bytes that is to be sent, NULL if there is none; then sends it, its true size at most size. */
uint8_t *attune_ble_l2cap_reserve(attune_ble *ble, size_t size);
void attune_ble_l2cap_commit(attune_ble *ble, uint16_t channel, size_t size);

/* Puts the next piece of a packet on the line; false if none waits or the controller's buffers are full. */
bool attune_ble_l2cap_fragment(attune_ble *ble);

/* --- att.c: the attribute server; channels.c: the two others --- */

/* False if the inbox had no room; then the packet comes again. */
bool attune_ble_att(attune_ble *ble, const uint8_t *pdu, size_t size);

/* Of a command that is longer than the channel takes only the first two bytes need be there. */
void attune_ble_signal(attune_ble *ble, const uint8_t *command, size_t size);
void attune_ble_pairing(attune_ble *ble, const uint8_t *command, size_t size);

/* The request for connection parameters; false if there is no room now. */
bool attune_ble_signal_parameters(attune_ble *ble, const uint8_t parameters[8]);

/* --- ble.c --- */

/* False if there is no room. */
bool attune_ble_inbox_put(attune_ble *ble, const uint8_t *part, size_t size);

#endif

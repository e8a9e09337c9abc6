/* The signalling channel (volume 3, part A, 4) and that of the security manager (part H, 3): what a peripheral without channels of its own and
 * without pairing must answer there. */
#include "ble/host.h"

#include <string.h>

enum { SIGNAL_REJECT = 0x01, SIGNAL_PARAMETERS = 0x12, SIGNAL_PARAMETERS_ANSWER = 0x13 };
enum { NOT_UNDERSTOOD = 0, TOO_LONG = 1 };

#define SIGNALLING_MTU 23 /* what every device takes at least */

enum { PAIRING_REQUEST = 0x01, PAIRING_FAILED = 0x05, PAIRING_NOT_SUPPORTED = 0x05 };

/* What finds no room is dropped: only a central that does not wait for answers brings that about. */
static bool say(attune_ble *ble, uint16_t channel, const uint8_t *bytes, size_t size) {
    uint8_t *payload = attune_ble_l2cap_reserve(ble, size);
    if (payload == NULL) {
        return false;
    }
    memcpy(payload, bytes, size);
    attune_ble_l2cap_commit(ble, channel, size);
    return true;
}

void attune_ble_signal(attune_ble *ble, const uint8_t *command, size_t size) {
    if (size < 2 || command[1] == 0 || command[0] == SIGNAL_REJECT || command[0] == SIGNAL_PARAMETERS_ANSWER) {
        return; /* nothing is asked: whether parameters change is told by the controller */
    }
    const bool long_one = size > SIGNALLING_MTU;
    uint8_t reject[8] = {SIGNAL_REJECT,  command[1], long_one ? 4 : 2, 0, long_one ? TOO_LONG : NOT_UNDERSTOOD, 0,
                         SIGNALLING_MTU, 0};
    (void)say(ble, CHANNEL_SIGNALLING, reject, long_one ? 8 : 6);
}

bool attune_ble_signal_parameters(attune_ble *ble, const uint8_t parameters[8]) {
    attune_ble_link *link = &ble->link;
    link->identifier = link->identifier == 0xFF ? 1 : (uint8_t)(link->identifier + 1);
    uint8_t request[12] = {SIGNAL_PARAMETERS, link->identifier, 8, 0};
    memcpy(request + 4, parameters, 8);
    return say(ble, CHANNEL_SIGNALLING, request, sizeof request);
}

void attune_ble_pairing(attune_ble *ble, const uint8_t *command, size_t size) {
    static const uint8_t failed[] = {PAIRING_FAILED, PAIRING_NOT_SUPPORTED};
    if (size > 0 && command[0] == PAIRING_REQUEST) {
        (void)say(ble, CHANNEL_SECURITY, failed, sizeof failed);
    }
}

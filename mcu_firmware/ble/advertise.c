/* What is advertised (volume 3, part C, 11; Core Specification Supplement): flags, and the hint as service data. */
#include "ble/gatt.h"
#include "ble/host.h"

#include <string.h>

/* Every 211.25 ms, in units of 0.625 ms: a gateway that listens a tenth of the time hears a node in some seconds, and a phone's maker recommends this
 * interval for accessories. Connectable and undirected, from the random address, on all three channels, for everybody. */
const uint8_t attune_ble_advertising_parameters[15] = {0x52, 0x01, 0x52, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0};

/* General discoverable, no BR/EDR. */
static const uint8_t flags[] = {2, 0x01, 0x06};

#define SERVICE_DATA 0x21 /* of a service with a UUID of 128 bits */

void attune_ble_advertising_data(const attune_ble *ble, uint8_t data[ADVERTISING_DATA]) {
    const size_t service = 1 + sizeof flags;
    memset(data, 0, ADVERTISING_DATA);
    data[0] = sizeof flags + 2 + 16 + ATTUNE_BLE_HINT;
    memcpy(data + 1, flags, sizeof flags);
    data[service] = 1 + 16 + ATTUNE_BLE_HINT;
    data[service + 1] = SERVICE_DATA;
    attune_ble_uuid(ATTUNE_SERVICE, data + service + 2);
    memcpy(data + service + 2 + 16, ble->wish.hint, ATTUNE_BLE_HINT);
}

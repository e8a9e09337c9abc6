/* The node type of this board: a room sensor. */
#include "port.h"

static const attune_node_type room_sensor = {
    .window_s = 60,
    .sensors = 5,
    .sensor = {ATTUNE_TEMPERATURE | ATTUNE_HISTORY, ATTUNE_HUMIDITY | ATTUNE_HISTORY, ATTUNE_LIGHT | ATTUNE_HISTORY,
               ATTUNE_CO2 | ATTUNE_HISTORY, ATTUNE_PIR},
};

const attune_node_type *attune_port_node_type(void) { return &room_sensor; }

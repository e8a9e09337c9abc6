/* How the RAM of attune_loop, which is a variable of the port, divides into modules. */
#include "board/sizes.h"

#include "board/loop.h"

#define WINDOW (sizeof(attune_schema) + sizeof(attune_window))
#define LEARNER (2 * sizeof(attune_model) + sizeof(attune_label_log))

ATTUNE_HOLDS(port, window, WINDOW);
ATTUNE_HOLDS(port, learner, LEARNER);
ATTUNE_HOLDS(port, filter, sizeof(attune_filter));
ATTUNE_HOLDS(port, drift, sizeof(attune_sketch));
ATTUNE_HOLDS(port, store, sizeof(attune_store));
ATTUNE_HOLDS(port, session, sizeof(attune_session));
ATTUNE_HOLDS(port, node,
             sizeof(attune_node) - WINDOW - LEARNER - sizeof(attune_filter) - sizeof(attune_sketch) -
                 sizeof(attune_session));
ATTUNE_HOLDS(port, board, sizeof(attune_loop) - sizeof(attune_node) - sizeof(attune_store));

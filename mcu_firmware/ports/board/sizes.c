/* How the RAM of attune_loop divides into the modules of the core, as sizes of sections that are never loaded. The
 * report on the firmware reads them from the linker's map. */
#include "board/loop.h"

#define HOLDS(module, bytes)                                                                                           \
    __attribute__((section(".attune.sizes." #module), used)) static const char size_of_##module[bytes]

#define WINDOW (sizeof(attune_schema) + sizeof(attune_window))
#define LEARNER (2 * sizeof(attune_model) + sizeof(attune_label_log))
#define FRAMING (sizeof(attune_frame_decoder) + ATTUNE_STREAM_SIZE(ATTUNE_NODE_FRAME))

HOLDS(window, WINDOW);
HOLDS(learner, LEARNER);
HOLDS(filter, sizeof(attune_filter));
HOLDS(drift, sizeof(attune_sketch));
HOLDS(store, sizeof(attune_store));
HOLDS(session, sizeof(attune_session));
HOLDS(node,
      sizeof(attune_node) - WINDOW - LEARNER - sizeof(attune_filter) - sizeof(attune_sketch) - sizeof(attune_session));
HOLDS(framing, FRAMING);
HOLDS(board, sizeof(attune_loop) - sizeof(attune_node) - sizeof(attune_store) - FRAMING);

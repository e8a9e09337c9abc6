/* Every size of the node core. A port may override one on the compiler's command line; the build prints the sizes. */
#ifndef ATTUNE_CONFIG_H
#define ATTUNE_CONFIG_H

/* Sensors of one node type: a board with more has more than one node's worth of wire format. */
#define ATTUNE_MAX_SENSORS 12

/* Features of one window: 24 int16 fit one sealed report of 96 bytes. */
#define ATTUNE_MAX_FEATURES 24

/* Classes that a head can have, 2 to 8; a node says so in its hello. */
#ifndef ATTUNE_MAX_CLASSES
#define ATTUNE_MAX_CLASSES 8
#endif

/* Window length in seconds. */
#define ATTUNE_MIN_WINDOW_S 10
#define ATTUNE_MAX_WINDOW_S 600

/* Reports that wait for an acknowledgement, in RAM: an hour of 60 s windows, and what comes while they move to flash. */
#ifndef ATTUNE_BACKLOG
#define ATTUNE_BACKLOG 64
#endif

/* Reports on their way at the same time. */
#define ATTUNE_IN_FLIGHT 8

/* Labelled windows that the node holds beside its release: an hour of labels at 60 s windows. */
#ifndef ATTUNE_LABEL_LOG
#define ATTUNE_LABEL_LOG 64
#endif

/* Labelled windows in one label message: eight of 24 features keep it below the largest frame. */
#define ATTUNE_LABEL_PART 8

/* Largest frame, kind and hint included. */
#define ATTUNE_MAX_FRAME 1024

/* Largest frame that a node sends or takes: a label message with eight windows, and some air. */
#define ATTUNE_NODE_FRAME 640

#endif

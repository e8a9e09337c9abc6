/* How a variable that the map shows as one module's divides into those of the core, as sizes of sections that are never loaded. The
 * report on the firmware reads them from the linker's map. */
#ifndef ATTUNE_BOARD_SIZES_H
#define ATTUNE_BOARD_SIZES_H

/* So many bytes of RAM in a variable of module from are those of module to. */
#define ATTUNE_HOLDS(from, to, bytes)                                                                                  \
    __attribute__((section(".attune.sizes." #from "." #to), used)) static const char size_of_##to[bytes]

#endif

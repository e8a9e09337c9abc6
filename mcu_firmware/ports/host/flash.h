/* A node's flash on a machine, under the rules of store/flash.h: in a file, where it outlives the process, or in memory.
 *
 * A file holds the complement of every byte, so that what was never programmed is zero and takes no room on the disk. In memory a block takes
 * as much as has been programmed of it. */
#ifndef ATTUNE_HOST_FLASH_H
#define ATTUNE_HOST_FLASH_H

#include "store/flash.h"

#include <sys/types.h>

#define HOST_FLASH_BLOCKS 64u
#define HOST_FLASH_SIZE (HOST_FLASH_BLOCKS * ATTUNE_FLASH_BLOCK)
#define HOST_FLASH_UNIT 16u

typedef struct host_flash {
    attune_flash port;
    int fd;                            /* -1: in memory */
    off_t begin;                       /* of its first block in the file */
    uint8_t *block[HOST_FLASH_BLOCKS]; /* in memory: the bytes of a block from its beginning; those behind are erased */
    uint16_t held[HOST_FLASH_BLOCKS];  /* how many */
} host_flash;

/* Erased, in memory. It must stay where it is. */
void host_flash_in_memory(host_flash *flash);

/* What a file that was opened for reading and writing holds from a byte on; erased where it ends. The file stays the caller's. */
void host_flash_in_file(host_flash *flash, int fd, off_t begin);

void host_flash_close(host_flash *flash);

#endif

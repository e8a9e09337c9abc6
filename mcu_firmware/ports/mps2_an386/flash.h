/* The emulated flash as a whole. Block 0 and 1 are the identity's, the next 64 the node's store (attune_port_flash), and the last one is for
 * commands of the test image. */
#ifndef ATTUNE_MPS2_FLASH_H
#define ATTUNE_MPS2_FLASH_H

#include "store/flash.h"

/* When the power came on: takes over the image that was brought in, or is erased if there is none. */
void attune_flash_power_on(void);

/* The rules of store/flash.h, for a part without a cache: a call that returned ATTUNE_FLASH_OK has reached the cells. Addresses are those of
 * the whole flash. */
attune_flash_result attune_flash_read(uint32_t address, uint8_t *bytes, uint32_t size);
attune_flash_result attune_flash_program(uint32_t address, const uint8_t *bytes, uint32_t size);
attune_flash_result attune_flash_erase(uint32_t address);

#endif

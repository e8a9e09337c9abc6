/* The flash emulation's start; reading and writing it is in port.h. */
#ifndef ATTUNE_MPS2_FLASH_H
#define ATTUNE_MPS2_FLASH_H

/* When the power came on: takes over the image that was brought in, or is erased if there is none. */
void attune_flash_power_on(void);

#endif

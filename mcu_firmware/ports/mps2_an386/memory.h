/* Where things lie in the board's memory beside the regions of mps2_an386.ld. */
#ifndef ATTUNE_MPS2_MEMORY_H
#define ATTUNE_MPS2_MEMORY_H

#include <stdint.h>

/* Bounds set by the linker script. */
extern uint32_t attune_stack_begin[];
extern uint32_t attune_stack_end[];
extern const uint32_t attune_data_image[];
extern uint32_t attune_data_begin[];
extern uint32_t attune_data_end[];
extern uint32_t attune_bss_begin[];
extern uint32_t attune_bss_end[];

/* Bytes from one bound to another. They are different objects to the compiler, so their pointers may not be subtracted. */
static inline uint32_t attune_span(const volatile uint32_t *begin, const volatile uint32_t *end) {
    return (uint32_t)((uintptr_t)end - (uintptr_t)begin);
}

/* The flash is emulated in the board's PSRAM. QEMU keeps RAM over a reset, but copies what `-device loader` brought in
 * once more: an image is therefore brought in beside the flash, and copied into it when the power came on. */
#define FLASH_BEGIN 0x21000000u
#define FLASH_SIZE (67u * 4096u)
#define FLASH_IMAGE 0x21100000u /* FLASH_SIZE bytes, all zeros if there is none */

/* The board has no source of random numbers: whoever starts it brings some in. */
#define SEED_BEGIN 0x21200000u
#define SEED_SIZE 32u

/* A variable in .noinit keeps its value over every reset but a loss of power. */
#define KEPT_OVER_RESET __attribute__((section(".noinit")))

#endif

/* How deep the stack ever was, by painting it at the start. */
#ifndef ATTUNE_MPS2_STACK_H
#define ATTUNE_MPS2_STACK_H

#include <stdint.h>

/* Paints what lies below the caller's frame. Once, at the start. */
void attune_stack_paint(void);

/* Bytes at the bottom that still carry the paint. */
uint32_t attune_stack_free(void);

#endif

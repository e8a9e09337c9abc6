/* Of the test keeper, what the binding's own files share. */
#ifndef CORE_KEEPER_H
#define CORE_KEEPER_H

#include <stddef.h>

size_t core_keeper_size(void);

#endif

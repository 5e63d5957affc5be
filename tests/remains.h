/*
 * What is left of a secret in the memory of a process: heap, stacks, and whatever else can be
 * written and is no file.
 */
#ifndef UL_TESTS_REMAINS_H
#define UL_TESTS_REMAINS_H

#include <sys/types.h>

#include "base/mem.h"

enum { REMAINS_MAX = 64 };

/* One more thing that is looked for, of at most four: 16 to REMAINS_MAX bytes, kept where the
 * search does not find them, every byte inverted. */
void remains_remember(struct span secret);

/* A copy of the first that the search must find; wiped and freed by remains_uproot. */
uint8_t *remains_plant(void);
void remains_uproot(uint8_t *planted);

/* Copies in the memory of this process, pid 0, or of another one, which only root may look into.
 * *ret_bytes is how much was searched: 0 when one may not. */
size_t remains_count(pid_t pid, size_t *ret_bytes);

#endif

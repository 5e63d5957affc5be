/*
 * Keeps plain keys out of the swap space.
 */
#ifndef UL_DAEMON_KEEP_LOCK_H
#define UL_DAEMON_KEEP_LOCK_H

/*
 * Locks all the memory that this process has and will have when the limit (RLIMIT_MEMLOCK) allows
 * it for as much as that can be, since a lower one would fail when the memory is needed; else the
 * heap with some room to grow in, where keys are; else nothing. For a process that is about to
 * confine itself.
 */
void lock_memory(void);

#endif

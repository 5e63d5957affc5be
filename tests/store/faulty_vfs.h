/* A VFS of SQLite over the real one, whose calls that change the disk can be made to fail, and what
 * they wrote to be lost. */
#ifndef UL_TESTS_STORE_FAULTY_VFS_H
#define UL_TESTS_STORE_FAULTY_VFS_H

#include <stdbool.h>

enum fault_kind {
    FAULT_IO,   /* EIO; a write leaves the first half of its bytes */
    FAULT_FULL, /* ENOSPC; likewise */
    FAULT_LIE   /* a write that leaves zeros and says that all is well; nothing else fails */
};

/* Makes it the default VFS of this process. */
void faulty_vfs_install(void);
/* Lets the first `pass` calls through and fails the next one; `lasting`: all that follow, too. */
void faulty_vfs_arm(int pass, enum fault_kind kind, bool lasting);
/* Back to normal; returns how many calls were failed. */
int faulty_vfs_disarm(void);
/* Counts one more call, of something else that changes the disk; true: it is to fail. */
bool faulty_vfs_strikes(void);

/*
 * A power cut. From here on what SQLite writes is remembered until it syncs that file. The first
 * `pass` calls go through, the next one and all that follow fail: the machine is off.
 * faulty_vfs_power_on is the next boot: of what was not synced each write is there, lost or torn,
 * as the seed has it. Every handle must be closed by then. Returns how many calls came too late.
 */
void faulty_vfs_cut_power(int pass, unsigned seed);
int faulty_vfs_power_on(void);

#endif

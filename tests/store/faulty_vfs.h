/* A VFS of SQLite over the real one, whose calls that change the disk can be made to fail. */
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

#endif

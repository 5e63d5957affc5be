#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"

int lock_take(const char *inventory, int *ret_fd, struct error *err)
{
    AUTO_FREE char *path = mem_printf("%s.lock", inventory);
    char pid[16] = "";
    AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return error_set_errno(err, errno, "lock %s: cannot open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
        pid[len > 0 ? len : 0] = '\0';
        return error_set(err, E_BUSY, "inventory %s: another unlapsed holds it, process %s",
                         inventory, pid);
    }
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        return error_set_errno(err, errno, "lock %s: cannot write", path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

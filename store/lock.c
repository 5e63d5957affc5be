#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { PID_TEXT_MAX = 16 };

/* "unlapsed, process 4711"; the name is what the kernel has of it. */
static int held_by(int fd, const char *path, struct error *err)
{
    char pid[PID_TEXT_MAX] = "";
    ssize_t len = pread(fd, pid, sizeof pid - 1, 0);
    int64_t number;

    pid[len > 0 ? len : 0] = '\0';
    if (!text_number(pid, 1, INT32_MAX, &number))
        return error_set(err, E_BUSY, "inventory %s: another process holds it", path);
    AUTO_FREE char *comm = mem_printf("/proc/%s/comm", pid);
    AUTO_FD int proc = open(comm, O_RDONLY | O_CLOEXEC);
    char who[PID_TEXT_MAX + 1] = "";
    len = proc < 0 ? 0 : read(proc, who, sizeof who - 1);
    who[len > 0 ? len : 0] = '\0';
    who[strcspn(who, "\n")] = '\0';
    return error_set(err, E_BUSY, "inventory %s: %s holds it, process %s", path,
                     who[0] ? who : "another program", pid);
}

/* Made by root for a restore, it must not keep out the daemon that is another user. */
static void give_to_owner(const char *name, int fd)
{
    AUTO_FREE char *folder = mem_printf("%.*s/.", (int)(strrchr(name, '/') - name), name);
    struct stat st;

    if (geteuid() == 0 && stat(folder, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) < 0)
        return; /* the daemon then says what it may not open */
}

int inventory_lock(const char *path, int *ret_fd, struct error *err)
{
    AUTO_FREE char *real = realpath(path, NULL);
    AUTO_FREE char *name = mem_printf("%s.lock", real ? real : path);
    char pid[PID_TEXT_MAX];
    AUTO_FD int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return error_set_errno(err, errno, "lock %s: cannot open", name);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? held_by(fd, path, err)
                                    : error_set_errno(err, errno, "lock %s: cannot lock", name);
    give_to_owner(name, fd);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
        return error_set_errno(err, errno, "lock %s: cannot write", name);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

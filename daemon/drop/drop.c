#include "daemon/drop/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "daemon/drop/folder.h"

enum {
    WATCHED = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

static void close_folder(struct drop *drop)
{
    if (drop->watch >= 0)
        inotify_rm_watch(drop->inotify, drop->watch);
    drop->watch = -1;
    file_close(&drop->dir);
    settle_forget(&drop->settle);
}

/* The folder that stands at the path now, and the two below it. */
static int open_folder(struct drop *drop, struct error *err)
{
    AUTO_FD int dir = -1;
    AUTO_FD int accepted = -1;
    AUTO_FD int rejected = -1;
    struct stat st;
    int rc = file_open_dir(drop->path, &dir, err);

    if (rc < 0)
        return error_wrap(err, rc, "drop folder");
    if (fstat(dir, &st) < 0)
        return error_set_errno(err, errno, "drop folder %s: cannot look at", drop->path);
    drop->dir = dir;
    drop->device = st.st_dev;
    drop->inode = st.st_ino;
    rc = drop_open_sub(drop, true, &accepted, err);
    if (rc == 0)
        rc = drop_open_sub(drop, false, &rejected, err);
    if (rc < 0) {
        drop->dir = -1;
        return rc;
    }
    dir = -1;
    if (drop->inotify >= 0)
        drop->watch = inotify_add_watch(drop->inotify, drop->path, WATCHED);
    return 0;
}

int drop_open(const char *path, seconds_t settle, struct drop **ret, struct error *err)
{
    if (path[0] != '/')
        return error_set(err, E_INPUT, "drop folder %s: wanted an absolute path", path);
    int rc = file_make_dirs(path, 0755, err);
    if (rc < 0)
        return error_wrap(err, rc, "drop folder");
    struct drop *drop = mem_alloc(1, sizeof *drop);
    drop->path = mem_strdup(path);
    drop->dir = -1;
    drop->watch = -1;
    /* None is no failure: the slow timer looks too. */
    drop->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    settle_init(&drop->settle, settle);
    rc = open_folder(drop, err);
    if (rc < 0) {
        drop_close(drop);
        return rc;
    }
    *ret = drop;
    return 0;
}

void drop_close(struct drop *drop)
{
    if (!drop)
        return;
    close_folder(drop);
    settle_done(&drop->settle);
    file_close(&drop->inotify);
    free(drop->path);
    free(drop);
}

void drop_set_settle(struct drop *drop, seconds_t settle)
{
    drop->settle.time = settle;
}

/* Makes sure that the folder in hand is the one at the path: it may have been removed, replaced, or
 * have come back. */
static int refresh_folder(struct drop *drop, struct error *err)
{
    struct stat st;

    if (drop->dir >= 0 && lstat(drop->path, &st) == 0 && st.st_dev == drop->device &&
        st.st_ino == drop->inode)
        return 0;
    close_folder(drop);
    return open_folder(drop, err);
}

/* Names of files that are not finished or that nobody dropped: browsers, editors, sync clients,
 * Windows. */
static bool is_ignored(const char *name)
{
    static const char *const endings[] = {".part", ".crdownload", ".tmp"};
    size_t len = strlen(name);

    if (name[0] == '.' || strncmp(name, "~$", 2) == 0 || strcasecmp(name, "Thumbs.db") == 0 ||
        strcasecmp(name, "desktop.ini") == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        size_t tail = strlen(endings[i]);

        if (len >= tail && strcasecmp(name + len - tail, endings[i]) == 0)
            return true;
    }
    return false;
}

_Static_assert(BUF_MAX_DELIVERY == 1 << 20, "the sentence below names the limit");

/* Why a thing cannot be a delivery whatever is in it; NULL when it can. */
static const char *problem_of(const struct stat *st)
{
    if (S_ISLNK(st->st_mode))
        return "it is a symbolic link; drop the file itself";
    if (S_ISFIFO(st->st_mode))
        return "it is a named pipe (FIFO), not a file";
    if (S_ISSOCK(st->st_mode))
        return "it is a socket, not a file";
    if (!S_ISREG(st->st_mode))
        return "it is a device, not a file";
    if (st->st_nlink != 1)
        return "it is a hard link: the same file has another name too; drop a copy";
    if (st->st_size > BUF_MAX_DELIVERY)
        return "it is larger than 1 MiB, which no certificate delivery is";
    return NULL;
}

/* What happened to the reading of a file. */
enum reading { READ_WHOLE, READ_PROBLEM, READ_LATER };

/* A shortage of ours or a race is for the next look; anything else will not get better by itself.
 */
static enum reading judge_errno(int errnum, char *problem, size_t size)
{
    switch (errnum) {
    case ENOENT:
    case ELOOP:
    case ENXIO:
    case EINTR:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ESTALE:
        return READ_LATER;
    default:
        snprintf(problem, size, "it cannot be read: %s", strerrordesc_np(errnum));
        return READ_PROBLEM;
    }
}

static enum reading read_settled(struct drop *drop, const char *name, const struct stat *seen,
                                 struct blob *ret, char *problem, size_t size)
{
    AUTO_FD int fd =
        openat(drop->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return judge_errno(errno, problem, size);
    /* Another file took the name since the look, or it was written to. */
    if (!settle_is_same(seen, &st) || problem_of(&st))
        return READ_LATER;
    AUTO_BLOB struct blob data = {mem_alloc((size_t)st.st_size + 1, 1), 0};
    while (data.len <= (size_t)st.st_size) {
        ssize_t got = read(fd, data.data + data.len, (size_t)st.st_size + 1 - data.len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return judge_errno(errno, problem, size);
        if (got == 0)
            break;
        data.len += (size_t)got;
    }
    if (fstat(fd, &st) < 0 || !settle_is_same(seen, &st) || data.len != (size_t)st.st_size) {
        settle_restart(&drop->settle, &st);
        return READ_LATER;
    }
    *ret = blob_take(&data);
    return READ_WHOLE;
}

/* What is not read is known by its name and what the file system says of it. */
static void identify(const char *name, const struct stat *st, uint8_t ret[SHA256_LEN])
{
    AUTO_FREE char *text =
        mem_printf("%ju %ju %jd %jd.%09ld %s", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
                   (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, name);

    sha256_of(span_text(text), ret);
}

static void look_at(struct drop *drop, const char *name, drop_fn fn, void *self)
{
    struct error ignored; /* fn's: it logs, the next file is looked at all the same */
    struct stat st;
    char unreadable[160];
    AUTO_BLOB struct blob data = {0};

    if (is_ignored(name) || fstatat(drop->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        S_ISDIR(st.st_mode) || !settle_has(&drop->settle, &st))
        return;
    struct drop_file file = {
        .name = name, .device = st.st_dev, .inode = st.st_ino, .problem = problem_of(&st)};
    if (!file.problem) {
        enum reading reading = read_settled(drop, name, &st, &data, unreadable, sizeof unreadable);

        if (reading == READ_LATER)
            return;
        if (reading == READ_PROBLEM)
            file.problem = unreadable;
    }
    if (file.problem)
        identify(name, &st, file.sha256);
    else
        sha256_of(blob_span(&data), file.sha256);
    file.data = data;
    ignored = (struct error){0};
    fn(self, &file, &ignored);
}

int drop_scan(struct drop *drop, drop_fn fn, void *self, seconds_t *ret_again, struct error *err)
{
    int rc = refresh_folder(drop, err);

    if (rc < 0)
        return rc;
    int fd = openat(drop->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        rc = error_set_errno(err, errno, "drop folder %s: cannot list", drop->path);
        file_close(&fd);
        return rc;
    }
    settle_begin(&drop->settle);
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(list)))
        look_at(drop, entry->d_name, fn, self);
    int errnum = errno;
    closedir(list);
    settle_end(&drop->settle);
    if (errnum != 0)
        return error_set_errno(err, errnum, "drop folder %s: cannot list", drop->path);
    int64_t left = drop->settle.left_ms;
    *ret_again = left < 0 ? 0 : left < 1000 ? 1 : (left + 999) / 1000;
    return 0;
}

int drop_watch_fd(const struct drop *drop)
{
    return drop->inotify;
}

void drop_watch_drain(struct drop *drop)
{
    char events[4096];

    while (drop->inotify >= 0 && read(drop->inotify, events, sizeof events) > 0)
        ;
}

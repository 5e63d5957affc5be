#include "daemon/drop/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/delivery/delivery.h"
#include "daemon/drop/folder.h"

int drop_open(const char *path, seconds_t settle, struct drop **ret, struct error *err)
{
    struct error ignored; /* the first look tells what ails the folder */

    if (path[0] != '/')
        return error_set(err, E_INPUT, "drop folder %s: wanted an absolute path", path);
    file_make_dirs(path, 0755, &ignored);
    struct drop *drop = mem_alloc(1, sizeof *drop);
    drop->path = mem_strdup(path);
    drop->dir = -1;
    drop->watch = -1;
    /* None is no failure: the slow timer looks too. */
    drop->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    settle_init(&drop->settle, settle);
    *ret = drop;
    return 0;
}

void drop_close(struct drop *drop)
{
    if (!drop)
        return;
    folder_close(drop);
    settle_done(&drop->settle);
    file_close(&drop->inotify);
    free(drop->folder);
    free(drop->path);
    free(drop);
}

void drop_set_settle(struct drop *drop, seconds_t settle)
{
    drop->settle.time = settle;
}

void drop_file_done(struct drop_file *file)
{
    free(file->name);
    free(file->problem);
    blob_wipe(&file->data);
    *file = (struct drop_file){0};
}

static bool is_one_of(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, list[i]) == 0)
            return true;
    return false;
}

/* Names of files that are not finished or that nobody dropped: browsers, editors, sync clients,
 * Windows. Network file systems' ".nfs...", ".smb...", ".fuse_hidden..." begin with a dot. */
static bool is_ignored(const char *name)
{
    static const char *const endings[] = {".part",     ".partial", ".crdownload", ".download",
                                          ".filepart", ".tmp",     ".swp",        "~"};
    static const char *const names[] = {"Thumbs.db", "desktop.ini"};
    size_t len = strlen(name);

    if (name[0] == '.' || name[0] == '~' || is_one_of(name, names, COUNT_OF(names)))
        return true;
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        size_t tail = strlen(endings[i]);

        if (len >= tail && strcasecmp(name + len - tail, endings[i]) == 0)
            return true;
    }
    return false;
}

_Static_assert(DELIVERY_FILE_MAX == 10 << 20, "the sentence below names the limit");

const char *drop_problem_of(const struct stat *st)
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
    if (st->st_size > DELIVERY_FILE_MAX)
        return "it is larger than 10 MiB, which no certificate delivery is";
    return NULL;
}

/* What happened to the reading of a file. */
enum reading { READ_WHOLE, READ_PROBLEM, READ_LATER };

/* A shortage of ours or a race is for a later look; anything else will not get better by itself. */
static enum reading judge_errno(struct drop *drop, const struct drop_stamp *seen, int errnum,
                                char **problem)
{
    switch (errnum) {
    case EIO:
    case EINTR:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ETIMEDOUT:
        settle_put_off(&drop->settle, seen->device, seen->inode);
        drop->read_error = errnum;
        return READ_LATER;
    case ENOENT:
    case ELOOP:
    case ENXIO:
    case ESTALE:
        settle_restart(&drop->settle, seen->device, seen->inode);
        return READ_LATER;
    default:
        *problem = mem_printf("it cannot be read: %s", strerrordesc_np(errnum));
        return READ_PROBLEM;
    }
}

/* A copy over a network share reserves the file's size first: zeros that are filled later. */
static bool looks_unfinished(const struct blob *data)
{
    enum { HOLE = 16 };
    size_t tail = data->len < HOLE ? data->len : HOLE;

    for (size_t i = 1; i <= tail; i++)
        if (data->data[data->len - i] != 0)
            return false;
    return true;
}

static bool is_still(int fd, const struct drop_stamp *seen, struct stat *ret)
{
    struct drop_stamp stamp;

    if (fstat(fd, ret) < 0)
        return false;
    drop_stamp_of(ret, &stamp);
    return drop_stamp_is(&stamp, seen);
}

static enum reading read_settled(struct drop *drop, const char *name, const struct drop_stamp *seen,
                                 struct blob *ret, char **problem)
{
    AUTO_FD int fd =
        openat(drop->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return judge_errno(drop, seen, errno, problem);
    /* Another file took the name since the look, or it was written to. */
    if (!is_still(fd, seen, &st) || drop_problem_of(&st))
        return judge_errno(drop, seen, ESTALE, problem);
    AUTO_SECRET struct blob data = {mem_alloc((size_t)st.st_size + 1, 1), 0};
    while (data.len <= (size_t)st.st_size) {
        ssize_t got = read(fd, data.data + data.len, (size_t)st.st_size + 1 - data.len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return judge_errno(drop, seen, errno, problem);
        if (got == 0)
            break;
        data.len += (size_t)got;
    }
    if (!is_still(fd, seen, &st) || data.len != (size_t)st.st_size)
        return judge_errno(drop, seen, ESTALE, problem);
    if (looks_unfinished(&data) && settle_hold_fresh(&drop->settle, seen->device, seen->inode))
        return READ_LATER;
    *ret = blob_take(&data);
    return READ_WHOLE;
}

static enum reading take_queued(struct drop *drop, const struct queued *queued,
                                struct drop_file *file)
{
    struct drop_stamp stamp;
    struct stat st;

    if (fstatat(drop->dir, queued->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return READ_LATER;
    drop_stamp_of(&st, &stamp);
    if (!drop_stamp_is(&stamp, &queued->stamp))
        return READ_LATER;
    const char *problem = drop_problem_of(&st);
    enum reading reading = READ_PROBLEM;
    if (problem)
        file->problem = mem_strdup(problem);
    else
        reading = read_settled(drop, queued->name, &stamp, &file->data, &file->problem);
    if (reading == READ_PROBLEM)
        drop_identify(queued->name, &st, file->sha256);
    if (reading == READ_WHOLE)
        sha256_of(blob_span(&file->data), file->sha256);
    file->stamp = stamp;
    return reading;
}

int drop_next(struct drop *drop, struct drop_file *ret, struct error *err)
{
    while (drop->count > 0) {
        const struct queued *queued = &drop->queue[--drop->count];
        struct drop_file file = {.name = queued->name};

        if (take_queued(drop, queued, &file) != READ_LATER) {
            *ret = file;
            return 0;
        }
        drop_file_done(&file);
    }
    return error_set(err, E_NOT_FOUND, "drop folder %s: nothing more to take", drop->path);
}

void drop_forget(struct drop *drop)
{
    queue_clear(drop);
}

void drop_release(struct drop *drop)
{
    queue_clear(drop);
    file_close(&drop->dir);
}

bool drop_put_off(struct drop *drop, const struct drop_file *file)
{
    return settle_put_off(&drop->settle, file->stamp.device, file->stamp.inode);
}

/* Folders of file systems, storage boxes and Windows that nobody dropped. */
static bool is_known_folder(const char *name)
{
    static const char *const names[] = {
        "accepted", "rejected",  "lost+found",   "@eaDir",
        "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information"};

    return name[0] == '.' || is_one_of(name, names, COUNT_OF(names));
}

static void note_folder(struct drop *drop, const char *name)
{
    if (is_known_folder(name))
        return;
    /* The same one each time, whatever order the file system lists them in. */
    if (!drop->folder || strcmp(name, drop->folder) < 0) {
        free(drop->folder);
        drop->folder = mem_strdup(name);
    }
    drop->folders++;
}

static void look_at(struct drop *drop, const struct dirent *entry)
{
    struct stat st;

    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
        return;
    if (entry->d_type != DT_DIR && is_ignored(entry->d_name))
        return;
    if (fstatat(drop->dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(st.st_mode))
        note_folder(drop, entry->d_name);
    else if (!is_ignored(entry->d_name) && settle_has(&drop->settle, &st))
        queue_add(drop, entry->d_name, &st);
}

int drop_look(struct drop *drop, struct error *err)
{
    queue_clear(drop);
    int rc = folder_refresh(drop, err);
    if (rc < 0)
        return rc;
    int fd = openat(drop->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        rc = error_set_errno(err, errno, "drop folder %s: cannot list", drop->path);
        file_close(&fd);
        return rc;
    }
    drop->read_error = 0;
    drop->folders = 0;
    free(drop->folder);
    drop->folder = NULL;
    settle_begin(&drop->settle);
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(list)))
        look_at(drop, entry);
    int errnum = errno;
    closedir(list);
    settle_end(&drop->settle);
    queue_sort(drop);
    if (errnum != 0)
        return error_set_errno(err, errnum, "drop folder %s: cannot list", drop->path);
    return 0;
}

bool drop_has_more(const struct drop *drop)
{
    return drop->more;
}

int drop_read_error(const struct drop *drop)
{
    return drop->read_error;
}

bool drop_has_put_off(const struct drop *drop)
{
    return drop->settle.put_off > 0;
}

seconds_t drop_again(const struct drop *drop)
{
    int64_t left = drop->settle.next_ms - clock_monotonic_ms();

    if (drop->more || drop->count > 0)
        return 1;
    if (drop->settle.next_ms == INT64_MAX)
        return 0;
    return left < 1000 ? 1 : (left + 999) / 1000;
}

size_t drop_folders(const struct drop *drop, const char **ret_name)
{
    *ret_name = drop->folder;
    return drop->folders;
}

bool drop_is_mount(const struct drop *drop)
{
    return drop->is_mount;
}

void drop_expect_mount(struct drop *drop)
{
    drop->was_mount = true;
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

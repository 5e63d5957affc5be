#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef UNLAPSED_FAULTS
static file_fault_fn fault_hook;
static void *fault_self;

void file_fault_set(file_fault_fn fault, void *self)
{
    fault_hook = fault;
    fault_self = self;
}

static bool struck(const char *call)
{
    int errnum = fault_hook ? fault_hook(fault_self, call) : 0;

    if (errnum != 0)
        errno = errnum;
    return errnum != 0;
}
#else
#define struck(call) false
#endif

void file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int file_open_dir(const char *path, int *ret_fd, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, errno, "folder %s: cannot open", path);
    *ret_fd = fd;
    return 0;
}

int file_make_dirs(const char *path, mode_t mode, struct error *err)
{
    AUTO_FREE char *copy = mem_strdup(path);
    struct stat st;

    if (path[0] == '\0')
        return error_set(err, E_INPUT, "folder: wanted a path, got none");
    for (char *at = copy + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(copy, mode | 0300) < 0 && errno != EEXIST)
            return error_set_errno(err, errno, "folder %s: cannot make", copy);
        *at = '/';
    }
    if (mkdir(copy, mode) < 0 && errno != EEXIST)
        return error_set_errno(err, errno, "folder %s: cannot make", path);
    if (stat(copy, &st) < 0)
        return error_set_errno(err, errno, "folder %s: cannot look at", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, E_EXISTS, "folder %s: wanted a folder, got a file", path);
    return 0;
}

/* The link itself, not what a slash or a dot behind it means. */
static void trim(char *path)
{
    size_t len = strlen(path);

    while (len > 1 &&
           (path[len - 1] == '/' || (path[len - 1] == '.' && len > 2 && path[len - 2] == '/')))
        path[--len] = '\0';
}

/* A folder may be reached through links that root or we made, not through those of others. */
static int open_folder(const char *path, int *ret_fd, struct error *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOTDIR && lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        if (!file_is_trusted_owner(st.st_uid))
            return error_set(err, E_DENIED,
                             "folder %s: it is a symbolic link of uid %u; give the path of the "
                             "real folder",
                             path, (unsigned)st.st_uid);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd < 0)
        return error_set_errno(err, errno, "folder %s: cannot open", path);
    if (fstat(fd, &st) < 0)
        return error_set_errno(err, errno, "folder %s: cannot look at", path);
    if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0)
        return error_set(err, E_DENIED,
                         "folder %s: wanted one that not everybody can write, got mode %04o; "
                         "run: chmod o-w %s",
                         path, (unsigned)st.st_mode & 07777, path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int file_open_parent(const char *path, int *ret_dir, const char **ret_name, struct error *err)
{
    const char *slash = strrchr(path, '/');

    if (path[0] != '/' || slash[1] == '\0' || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
        return error_set(err, E_INPUT, "file %s: wanted an absolute path of a file", path);
    AUTO_FREE char *parent = mem_strdup(path);
    parent[slash == path ? 1 : slash - path] = '\0';
    trim(parent);
    int rc = open_folder(parent, ret_dir, err);
    if (rc < 0)
        return rc;
    *ret_name = slash + 1;
    return 0;
}

int file_read_fd(int fd, const char *name, size_t max, struct blob *ret, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set_errno(err, errno, "file %s: cannot look at", name);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_FORMAT, "file %s: wanted a regular file", name);
    if (st.st_size < 0 || (size_t)st.st_size > max)
        return error_set(err, E_TOO_LARGE, "file %s: wanted at most %zu bytes, got %lld", name, max,
                         (long long)st.st_size);
    AUTO_SECRET struct blob data = {mem_alloc((size_t)st.st_size + 1, 1), 0};
    while (data.len < (size_t)st.st_size) {
        ssize_t got = read(fd, data.data + data.len, (size_t)st.st_size - data.len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(err, errno, "file %s: cannot read", name);
        if (got == 0)
            break;
        data.len += (size_t)got;
    }
    *ret = blob_take(&data);
    return 0;
}

static int cannot_open(const char *name, struct error *err)
{
    /* open(2): what a socket, and a device without a driver, answer. */
    if (errno == ENXIO)
        return error_set(err, E_FORMAT, "file %s: wanted a regular file", name);
    return error_set_errno(err, errno, "file %s: cannot open", name);
}

int file_read_at(int dir, const char *name, size_t max, struct blob *ret, struct error *err)
{
    AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 && errno == ELOOP)
        return error_set(err, E_FORMAT, "file %s: wanted a regular file, got a symbolic link",
                         name);
    if (fd < 0)
        return cannot_open(name, err);
    return file_read_fd(fd, name, max, ret, err);
}

int file_open_read(const char *path, int *ret_fd, struct error *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return cannot_open(path, err);
    *ret_fd = fd;
    return 0;
}

int file_read(const char *path, size_t max, struct blob *ret, struct error *err)
{
    AUTO_FD int fd = -1;
    int rc = file_open_read(path, &fd, err);

    return rc < 0 ? rc : file_read_fd(fd, path, max, ret, err);
}

static int write_all(int fd, struct span data)
{
    while (data.len > 0) {
        if (struck("write"))
            return -1;
        ssize_t put = write(fd, data.data, data.len);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        data.data += put;
        data.len -= (size_t)put;
    }
    return 0;
}

static int fill(int fd, struct span data, struct file_access access)
{
    /* Created 0600: owner and mode are right before the first byte, wider access comes last. */
    if ((access.owner != (uid_t)-1 || access.group != (gid_t)-1) &&
        fchown(fd, access.owner, access.group) < 0)
        return -1;
    if (write_all(fd, data) < 0)
        return -1;
    return fchmod(fd, access.mode);
}

static int sync_dir(int dir, const char *name, struct error *err)
{
    if (struck("fsync") || fsync(dir) < 0)
        return error_set_errno(err, errno, "file %s: cannot sync its folder", name);
    return 0;
}

/* Undoes our own half-done work; the failure that led here is the one to report. */
static void discard(int dir, const char *name)
{
    if (!struck("unlink"))
        unlinkat(dir, name, 0);
}

/* Creates and writes, not synced. */
static int write_new(int dir, const char *name, struct span data, struct file_access access,
                     int *ret_fd, struct error *err)
{
    int fd = struck("open")
                 ? -1
                 : openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0)
        return error_set_errno(err, errno, "file %s: cannot create", name);
    if (fill(fd, data, access) < 0) {
        int failed = errno;
        close(fd);
        discard(dir, name);
        return error_set_errno(err, failed, "file %s: cannot write", name);
    }
    *ret_fd = fd;
    return 0;
}

int file_create_at(int dir, const char *name, struct span data, struct file_access access,
                   struct error *err)
{
    int fd = -1;
    int rc = write_new(dir, name, data, access, &fd, err);

    if (rc < 0)
        return rc;
    int failed = struck("fsync") || fsync(fd) < 0 ? errno : 0;
    if (close(fd) < 0 && failed == 0)
        failed = errno;
    if (failed != 0) {
        discard(dir, name);
        return error_set_errno(err, failed, "file %s: cannot write", name);
    }
    rc = sync_dir(dir, name, err);
    if (rc < 0)
        discard(dir, name);
    return rc;
}

int file_create_unsynced_at(int dir, const char *name, struct span data, struct file_access access,
                            struct error *err)
{
    int fd = -1;
    int rc = write_new(dir, name, data, access, &fd, err);

    if (rc < 0)
        return rc;
    /* A network file system says only now that there was no room. */
    if (close(fd) == 0)
        return 0;
    int failed = errno;
    discard(dir, name);
    return error_set_errno(err, failed, "file %s: cannot write", name);
}

int file_sync_all(int dir, const char *name, struct error *err)
{
    if (struck("fsync") || syncfs(dir) < 0)
        return error_set_errno(err, errno, "folder %s: cannot sync its file system", name);
    return 0;
}

int file_sync_dir(int dir, const char *name, struct error *err)
{
    return sync_dir(dir, name, err);
}

int file_write_fd(int fd, const char *name, struct span data, struct error *err)
{
    return write_all(fd, data) < 0 ? error_set_errno(err, errno, "file %s: cannot write", name) : 0;
}

int file_sync(int fd, const char *name, struct error *err)
{
    if (struck("fsync") || fsync(fd) < 0)
        return error_set_errno(err, errno, "file %s: cannot sync", name);
    return 0;
}

int file_link_at(int dir, const char *from, const char *to, struct error *err)
{
    struct stat one, other;

    if (!struck("link") && linkat(dir, from, dir, to, 0) == 0)
        return 0;
    int failed = errno;
    if (failed == ENOENT)
        return 0;
    if (failed == EEXIST && fstatat(dir, from, &one, AT_SYMLINK_NOFOLLOW) == 0 &&
        fstatat(dir, to, &other, AT_SYMLINK_NOFOLLOW) == 0 && one.st_dev == other.st_dev &&
        one.st_ino == other.st_ino)
        return 0;
    return error_set_errno(err, failed, "file %s: cannot link to %s", from, to);
}

int file_rename_at(int dir, const char *from, const char *to, struct error *err)
{
    if (struck("rename") || renameat(dir, from, dir, to) < 0)
        return error_set_errno(err, errno, "file %s: cannot rename to %s", from, to);
    return sync_dir(dir, to, err);
}

static char *temporary_of(const char *name)
{
    return mem_printf(".%.200s.unlapsed-new", name);
}

int file_replace_at(int dir, const char *name, struct span data, struct file_access access,
                    struct error *err)
{
    AUTO_FREE char *temporary = temporary_of(name);
    /* What a crash left there is of no use to anybody. */
    int rc = file_remove_at(dir, temporary, err);

    if (rc == 0)
        rc = file_create_at(dir, temporary, data, access, err);
    if (rc == 0) {
        rc = file_rename_at(dir, temporary, name, err);
        if (rc < 0)
            discard(dir, temporary);
    }
    return rc < 0 ? error_wrap(err, rc, "file %s: not replaced", name) : 0;
}

int file_replace(const char *path, struct span data, struct file_access access, struct error *err)
{
    AUTO_FD int dir = -1;
    const char *name;
    int rc = file_open_parent(path, &dir, &name, err);

    return rc < 0 ? rc : file_replace_at(dir, name, data, access, err);
}

static int stage(int dir, const struct file_new *file, struct file_access access, struct error *err)
{
    AUTO_FREE char *temporary = temporary_of(file->name);

    discard(dir, temporary);
    return file_create_unsynced_at(dir, temporary, file->data, access, err);
}

static int put(int dir, const struct file_new *file, struct error *err)
{
    AUTO_FREE char *temporary = temporary_of(file->name);

    if (struck("rename") || renameat(dir, temporary, dir, file->name) < 0)
        return error_set_errno(err, errno, "file %s: cannot rename to %s", temporary, file->name);
    return 0;
}

int file_replace_many_at(int dir, const char *name, const struct file_new *files, size_t count,
                         struct file_access access, struct error *err)
{
    size_t staged = 0, done = 0;
    int rc = 0;

    while (rc == 0 && staged < count)
        rc = stage(dir, &files[staged++], access, err);
    if (rc == 0)
        rc = file_sync_all(dir, name, err);
    while (rc == 0 && done < count) {
        rc = put(dir, &files[done], err);
        done += rc == 0;
    }
    for (size_t i = done; i < staged; i++) {
        AUTO_FREE char *temporary = temporary_of(files[i].name);
        discard(dir, temporary);
    }
    return rc == 0 ? sync_dir(dir, name, err) : rc;
}

int file_remove_at(int dir, const char *name, struct error *err)
{
    if (struck("unlink") || unlinkat(dir, name, 0) < 0) {
        if (errno == ENOENT)
            return 0;
        return error_set_errno(err, errno, "file %s: cannot remove", name);
    }
    return sync_dir(dir, name, err);
}

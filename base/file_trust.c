#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

bool file_is_trusted_owner(uid_t owner)
{
    return owner == 0 || owner == geteuid();
}

/* What the mode allows to others than the owner and root, of the bits that are refused. */
static mode_t find_excess(const struct stat *st, mode_t refused)
{
    if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0)
        return 0;
    return st->st_mode & (refused | S_IWOTH | (st->st_gid == 0 ? 0 : S_IWGRP));
}

static int judge(const char *path, const struct stat *st, mode_t refused, struct error *err)
{
    const char *what = S_ISDIR(st->st_mode) ? "folder" : "file";
    bool owned = file_is_trusted_owner(st->st_uid);
    mode_t excess = find_excess(st, refused);

    if (owned && excess == 0)
        return 0;
    AUTO_FREE char *own = owned ? mem_strdup("") : mem_printf("chown root %s", path);
    AUTO_FREE char *narrow =
        excess == 0 ? mem_strdup("") : mem_printf("chmod %s %s", refused ? "go-rwx" : "go-w", path);
    return error_set(err, E_DENIED,
                     "%s %s: wanted a %s that only root can %s, got mode %04o of uid %u; "
                     "run: %s%s%s",
                     what, path, what, refused ? "read and write" : "write",
                     (unsigned)st->st_mode & 07777, (unsigned)st->st_uid, own,
                     !owned && excess != 0 ? " && " : "", narrow);
}

/* Whoever owns a link decides where it leads, also in a folder that is sticky. */
static int judge_link(const char *path, struct error *err)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return error_set_errno(err, errno, "file %s: cannot look at", path);
    if (!S_ISLNK(st.st_mode) || file_is_trusted_owner(st.st_uid))
        return 0;
    return error_set(err, E_DENIED,
                     "file %s: wanted a symbolic link of root, got one of uid %u; "
                     "run: chown -h root %s",
                     path, (unsigned)st.st_uid, path);
}

int file_check_trusted_dir(const char *path, struct error *err)
{
    struct stat st;
    int rc = judge_link(path, err);

    if (rc < 0)
        return rc;
    if (stat(path, &st) < 0)
        return error_set_errno(err, errno, "folder %s: cannot look at", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, E_FORMAT, "folder %s: wanted a folder, got a file", path);
    return judge(path, &st, 0, err);
}

static int check_parent(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return file_check_trusted_dir(".", err);
    AUTO_FREE char *parent = mem_strdup(path);
    parent[slash == path ? 1 : slash - path] = '\0';
    return file_check_trusted_dir(parent, err);
}

/* Where the file is named and, past links, where it lies. */
static int check_folders(const char *path, struct error *err)
{
    int rc = judge_link(path, err);

    if (rc == 0)
        rc = check_parent(path, err);
    if (rc < 0)
        return rc;
    AUTO_FREE char *real = realpath(path, NULL);
    if (!real)
        return error_set_errno(err, errno, "file %s: cannot look at", path);
    return check_parent(real, err);
}

int file_check_trusted(const char *path, mode_t refused, struct error *err)
{
    struct stat st;
    int rc = check_folders(path, err);

    if (rc < 0)
        return rc;
    if (stat(path, &st) < 0)
        return error_set_errno(err, errno, "file %s: cannot look at", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_FORMAT, "file %s: wanted a regular file", path);
    return judge(path, &st, refused, err);
}

int file_read_trusted(const char *path, size_t max, struct blob *ret, struct error *err)
{
    AUTO_BLOB struct blob data = {0};
    AUTO_FD int fd = -1;
    struct stat st;
    int rc = file_open_read(path, &fd, err);

    /* What was opened is what is judged: the name may lead elsewhere a moment later. */
    if (rc == 0 && fstat(fd, &st) < 0)
        rc = error_set_errno(err, errno, "file %s: cannot look at", path);
    if (rc == 0)
        rc = file_read_fd(fd, path, max, &data, err);
    if (rc == 0)
        rc = judge(path, &st, 0, err);
    if (rc == 0)
        rc = check_folders(path, err);
    if (rc == 0)
        *ret = blob_take(&data);
    return rc;
}

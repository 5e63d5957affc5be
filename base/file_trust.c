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

enum { LINKS_MAX = 40, TARGET_MAX = 4096 };

/* A walk along a path, a component at a time. */
struct walk {
    int at;     /* where it is */
    char *rest; /* what is still to be walked */
    int links;
};

static void walk_done(struct walk *walk)
{
    file_close(&walk->at);
    free(walk->rest);
}

static int walk_root(struct walk *walk)
{
    file_close(&walk->at);
    walk->at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return walk->at < 0 ? -1 : 0;
}

/* Its target in front of what is left. The link is read by the descriptor that was judged. */
static int follow(struct walk *walk, int link, const char *behind)
{
    char target[TARGET_MAX];
    ssize_t len = readlinkat(link, "", target, sizeof target);

    if (len < 0 || len == TARGET_MAX || ++walk->links > LINKS_MAX) {
        errno = len < 0 ? errno : ELOOP;
        return -1;
    }
    char *rest = mem_printf("%.*s%s", (int)len, target, behind);
    free(walk->rest);
    walk->rest = rest;
    return rest[0] == '/' ? walk_root(walk) : 0;
}

/* 1, or 0 at the end of the path. */
static int step(struct walk *walk, const char *path, struct error *err)
{
    const char *begin = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(begin, "/");
    AUTO_FREE char *name = mem_printf("%.*s", (int)len, begin);
    AUTO_FREE char *behind = mem_strdup(begin + len);
    struct stat st;

    if (len == 0)
        return 0;
    AUTO_FD int next = openat(walk->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 || fstat(next, &st) < 0)
        return error_set_errno(err, errno, "folder %s: cannot open", path);
    if (S_ISLNK(st.st_mode) && !file_is_trusted_owner(st.st_uid))
        return error_set(
            err, E_REFUSED,
            "folder %s: wanted no symbolic link of others on the way to it, got \"%s\" "
            "of uid %u; give the path of the real folder",
            path, name, (unsigned)st.st_uid);
    /* The last one may be nobody's. */
    if (S_ISLNK(st.st_mode) && behind[strspn(behind, "/")] == '\0')
        return error_set_errno(err, ELOOP, "folder %s: cannot open", path);
    if (S_ISLNK(st.st_mode))
        return follow(walk, next, behind) < 0
                   ? error_set_errno(err, errno, "folder %s: cannot open", path)
                   : 1;
    file_close(&walk->at);
    walk->at = next;
    next = -1;
    free(walk->rest);
    walk->rest = mem_strdup(behind);
    return 1;
}

int file_open_dir_straight(const char *path, int *ret_fd, struct error *err)
{
    __attribute__((cleanup(walk_done))) struct walk walk = {.at = -1, .rest = mem_strdup(path)};
    int rc = path[0] == '/' && walk_root(&walk) == 0 ? 1 : E_INPUT;

    if (rc < 0)
        return error_set(err, rc, "folder %s: wanted an absolute path", path);
    while (rc > 0)
        rc = step(&walk, path, err);
    if (rc < 0)
        return rc;
    int fd = openat(walk.at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(err, errno, "folder %s: cannot open", path);
    *ret_fd = fd;
    return 0;
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

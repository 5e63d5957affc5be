/* The folder itself: found at its path, gone, come back, another one, not mounted. */
#include "daemon/drop/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"

enum {
    WATCHED = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF |
              IN_ONLYDIR | IN_DONT_FOLLOW,
};

void folder_close(struct drop *drop)
{
    if (drop->watch >= 0)
        inotify_rm_watch(drop->inotify, drop->watch);
    drop->watch = -1;
    file_close(&drop->dir);
    drop->swept = false;
    drop->known = false;
    settle_forget(&drop->settle);
    queue_clear(drop);
}

static bool has_subfolder(int dir)
{
    struct stat st;

    return fstatat(dir, "accepted", &st, AT_SYMLINK_NOFOLLOW) == 0 ||
           fstatat(dir, "rejected", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A share that is not mounted leaves an empty folder: whoever drops a file there drops it into a
 * hole, and a receipt would be hidden by the mount. */
static int check_mount(const struct drop *drop, int dir, bool is_mount, struct error *err)
{
    if (!drop->was_mount || is_mount || has_subfolder(dir))
        return 0;
    return error_set(err, E_NOT_FOUND,
                     "drop folder %s: what is mounted there is not mounted now; mount it, or make "
                     "the folders accepted and rejected in it when it is to be used as it is",
                     drop->path);
}

static int open_folder(struct drop *drop, struct error *err)
{
    AUTO_FD int dir = -1;
    struct stat st, above;
    /* Who can put a link into a folder above could have us take away what lies elsewhere. */
    int rc = file_open_dir_straight(drop->path, &dir, err);

    if (rc == E_REFUSED)
        return rc;
    if (rc < 0 && lstat(drop->path, &st) == 0 && !S_ISDIR(st.st_mode))
        return error_set(err, E_REFUSED,
                         "drop folder %s: wanted a folder, got a %s; put the folder back",
                         drop->path, S_ISLNK(st.st_mode) ? "symbolic link" : "file");
    if (rc < 0)
        return error_wrap(err, rc, "drop folder");
    if (fstat(dir, &st) < 0 || fstatat(dir, "..", &above, 0) < 0)
        return error_set_errno(err, errno, "drop folder %s: cannot look at", drop->path);
    bool is_mount = st.st_dev != above.st_dev;
    rc = check_mount(drop, dir, is_mount, err);
    if (rc < 0)
        return rc;
    /* The one that was let go of, or another. */
    if (!drop->known || st.st_dev != drop->device || st.st_ino != drop->inode)
        folder_close(drop);
    drop->dir = dir;
    dir = -1;
    drop->known = true;
    drop->device = st.st_dev;
    drop->inode = st.st_ino;
    drop->is_mount = is_mount;
    drop->was_mount = is_mount;
    return 0;
}

/* Nothing is judged that could not be filed afterwards. EROFS too (access(2)). */
static int check_writable(const struct drop *drop, int dir, const char *below, struct error *err)
{
    if (faccessat(dir, ".", R_OK | W_OK | X_OK, AT_EACCESS) == 0)
        return 0;
    return error_set_errno(err, errno, "drop folder %s%s: cannot be read and written by uid %u",
                           drop->path, below, (unsigned)geteuid());
}

/* What a crash left of receipts. */
static void sweep(int sub)
{
    int fd = openat(sub, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;

    if (!list) {
        file_close(&fd);
        return;
    }
    while ((entry = readdir(list)))
        if (strncmp(entry->d_name, RECEIPT_TEMPORARY, strlen(RECEIPT_TEMPORARY)) == 0)
            unlinkat(sub, entry->d_name, 0);
    closedir(list);
}

static int check_subfolders(struct drop *drop, struct error *err)
{
    int rc = check_writable(drop, drop->dir, "", err);

    for (int i = 0; rc == 0 && i < 2; i++) {
        AUTO_FD int sub = -1;

        rc = drop_open_sub(drop, i == 0, &sub, err);
        if (rc == 0)
            rc = check_writable(drop, sub, i == 0 ? "/accepted" : "/rejected", err);
        if (rc == 0 && !drop->swept)
            sweep(sub);
    }
    drop->swept = rc == 0;
    /* After making the two, which is no news. Past the limit of watches the slow timer looks. */
    if (rc == 0 && drop->watch < 0 && drop->inotify >= 0)
        drop->watch = inotify_add_watch(drop->inotify, drop->path, WATCHED);
    return rc;
}

int folder_refresh(struct drop *drop, struct error *err)
{
    struct stat st;
    int rc = 0;

    if (drop->dir < 0 || lstat(drop->path, &st) < 0 || st.st_dev != drop->device ||
        st.st_ino != drop->inode) {
        file_close(&drop->dir);
        rc = open_folder(drop, err);
        if (rc < 0)
            folder_close(drop);
    }
    return rc < 0 ? rc : check_subfolders(drop, err);
}

/*
 * Files through directory handles. A replaced file is either the old one or the new one, whole,
 * after a crash at any instant: exclusive temporary beside it, owner and mode before the first
 * byte, fsync, rename, fsync of the folder.
 */
#ifndef UL_BASE_FILE_H
#define UL_BASE_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/mem.h"

/* Owner, group and mode of a file to be written; (uid_t)-1 and (gid_t)-1 leave the creator's. */
struct file_access {
    uid_t owner;
    gid_t group;
    mode_t mode;
};

#define FILE_PRIVATE ((struct file_access){(uid_t)-1, (gid_t)-1, 0600})
#define FILE_PUBLIC ((struct file_access){(uid_t)-1, (gid_t)-1, 0644})

/* Opens a directory (the last component may not be a symbolic link). Returns 0 and the descriptor,
 * or E_NOT_FOUND, E_DENIED, E_IO. */
int file_open_dir(const char *path, int *ret_fd, struct error *err);

/* The same, and no symbolic link on the way is somebody else's than root's or ours: whoever owns
 * one decides where it leads. E_REFUSED, naming the link, when one is. path is absolute. */
int file_open_dir_straight(const char *path, int *ret_fd, struct error *err);

/* mkdir -p with a mode for what is made; existing directories are left as they are. */
int file_make_dirs(const char *path, mode_t mode, struct error *err);

/* Splits "/a/b/c.pem" into an opened directory and the base name (borrowed from path, which must be
 * absolute). E_DENIED when everybody may write the directory and it is not sticky, and when it is a
 * symbolic link of neither root nor us: others would choose what is written over. */
int file_open_parent(const char *path, int *ret_dir, const char **ret_name, struct error *err);

/* Reads a regular file whole. E_TOO_LARGE past max, E_FORMAT when it is not a regular file. The
 * last component is not followed. */
int file_read_at(int dir, const char *name, size_t max, struct blob *ret, struct error *err);
/* As file_read_at, following links, for files an administrator named. */
int file_read(const char *path, size_t max, struct blob *ret, struct error *err);

/* The two halves of file_read; name is for the error sentence. A FIFO or device does not block. */
int file_open_read(const char *path, int *ret_fd, struct error *err);
int file_read_fd(int fd, const char *name, size_t max, struct blob *ret, struct error *err);

/*
 * What steers root is trusted when the file, and the folder that holds it (and the folder where it
 * lies, when path is a link), belong to root or to our effective user and nobody else may write
 * them: group and others, but for the group 0. A sticky folder may be open to all. E_DENIED tells
 * the command that repairs it. `refused` are further mode bits a file may not have: 0077 for
 * secrets.
 */
int file_check_trusted(const char *path, mode_t refused, struct error *err);
int file_check_trusted_dir(const char *path, struct error *err);
/* As file_read, of a trusted file; judges the file it opened. */
int file_read_trusted(const char *path, size_t max, struct blob *ret, struct error *err);
/* Root, or our effective user. */
bool file_is_trusted_owner(uid_t owner);

/*
 * Writes a new file that must not exist yet, synced. A failure leaves nothing behind. E_EXISTS when
 * the name is taken.
 */
int file_create_at(int dir, const char *name, struct span data, struct file_access access,
                   struct error *err);

/*
 * As file_create_at for many files of one folder, which are then brought to the disk together:
 * file_sync_all syncs the whole file system that the folder lies on, contents and names, which is
 * many times faster than one by one. file_sync_dir syncs the names of one folder. `name` is for the
 * error sentence.
 */
int file_create_unsynced_at(int dir, const char *name, struct span data, struct file_access access,
                            struct error *err);
int file_sync_all(int dir, const char *name, struct error *err);
int file_sync_dir(int dir, const char *name, struct error *err);
/* All of it, at the descriptor's place; `name` is for the error sentence. */
int file_write_fd(int fd, const char *name, struct span data, struct error *err);
/* What was written through another descriptor of the file, too. */
int file_sync(int fd, const char *name, struct error *err);

/* Renames within one directory, replacing atomically, and syncs the directory. */
int file_rename_at(int dir, const char *from, const char *to, struct error *err);
/* Gives a file a second name in its directory, which is not synced; success when `to` is that file
 * already and when there is no `from`. E_EXISTS when `to` is another one. */
int file_link_at(int dir, const char *from, const char *to, struct error *err);

/* Creates a temporary beside name (".NAME.unlapsed-new", a long NAME cut) and renames it over name.
 * The temporary that a crash left goes with the next call; two calls at once for one name get into
 * each other's way. */
int file_replace_at(int dir, const char *name, struct span data, struct file_access access,
                    struct error *err);
int file_replace(const char *path, struct span data, struct file_access access, struct error *err);

/* file_replace_at for many files of one folder, brought to the disk together (file_sync_all). After
 * a failure each of them is the old one or the new one, whole. `name` is that of the folder. */
struct file_new {
    const char *name;
    struct span data;
};
int file_replace_many_at(int dir, const char *name, const struct file_new *files, size_t count,
                         struct file_access access, struct error *err);

/* Removes name; success when it was not there. Syncs the directory. */
int file_remove_at(int dir, const char *name, struct error *err);

/* Closes and sets to -1; accepts -1. The cleanup attribute of descriptors. */
void file_close(int *fd);
#define AUTO_FD __attribute__((cleanup(file_close)))

/*
 * The seam of the fault loop (tests only): called before each system call that changes the disk
 * with its name ("open", "write", "fsync", "link", "rename", "unlink"); a return other than 0 is
 * the errno the call fails with. NULL removes it.
 */
typedef int (*file_fault_fn)(void *self, const char *call);
void file_fault_set(file_fault_fn fault, void *self);

#endif

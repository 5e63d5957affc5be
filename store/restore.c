#include "store/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/events.h"
#include "store/mark.h"
#include "store/statement.h"

/* Beside the inventory: the copy while nothing is decided, and once it is. */
#define RESTORE_COPY ".%s.unlapsed-restore"
#define RESTORE_DECIDED "%s.restored"

/* What belongs to an inventory and may hold changes of it. */
static const char *const logs[] = {"-wal", "-journal"};

enum { PIECE = 1 << 20 };

struct place {
    int dir;
    const char *name;     /* of the inventory in it; borrowed */
    char *copy, *decided; /* names */
};

static void place_done(struct place *place)
{
    free(place->copy);
    free(place->decided);
    file_close(&place->dir);
}
#define AUTO_PLACE __attribute__((cleanup(place_done)))

static int place_open(const char *path, struct place *ret, struct error *err)
{
    struct place place = {.dir = -1};
    int rc = file_open_parent(path, &place.dir, &place.name, err);

    if (rc < 0)
        return rc;
    place.copy = mem_printf(RESTORE_COPY, place.name);
    place.decided = mem_printf(RESTORE_DECIDED, place.name);
    *ret = place;
    return 0;
}

void restore_look_done(struct restore_look *look)
{
    blob_done(&look->sealing_key);
}

static void forget(const struct place *place)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", "-link"};
    struct error ignored;

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        AUTO_FREE char *name = mem_printf("%s%s", place->copy, suffixes[i]);
        file_remove_at(place->dir, name, &ignored);
    }
}

void restore_forget(const char *path)
{
    AUTO_PLACE struct place place = {.dir = -1};
    struct error ignored;

    if (place_open(path, &place, &ignored) == 0)
        forget(&place);
}

/* The daemon may be another user than who restores. */
static struct file_access access_of(const struct place *place)
{
    struct file_access access = FILE_PRIVATE;
    struct stat st;

    if (geteuid() == 0 && (fstatat(place->dir, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
                           fstat(place->dir, &st) == 0)) {
        access.owner = st.st_uid;
        access.group = st.st_gid;
    }
    return access;
}

static int pour(int from, int to, const struct restore_job *job, struct error *err)
{
    AUTO_FREE char *piece = mem_alloc(PIECE, 1);
    ssize_t len;

    while ((len = read(from, piece, PIECE)) > 0) {
        int rc = file_write_fd(to, job->path, span_of(piece, (size_t)len), err);

        if (rc < 0)
            return rc;
    }
    return len < 0 ? error_set_errno(err, errno, "backup %s: cannot read", job->file) : 0;
}

static int copy_file(const struct place *place, const struct restore_job *job, struct error *err)
{
    AUTO_FD int from = -1;
    AUTO_FD int to = -1;
    struct stat st;
    int rc = file_open_read(job->file, &from, err);

    if (rc < 0)
        return rc;
    if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
        return error_set(err, E_FORMAT, "backup %s: wanted a regular file", job->file);
    rc = file_create_at(place->dir, place->copy, span_of(NULL, 0), access_of(place), err);
    if (rc < 0)
        return rc;
    to = openat(place->dir, place->copy, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_set_errno(err, errno, "file %s: cannot open", place->copy);
    rc = pour(from, to, job, err);
    return rc == 0 ? file_sync(to, place->copy, err) : rc;
}

static int last_event(struct inventory *inventory, utc_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = false;
    int rc = statement_open(inventory, "SELECT at FROM events ORDER BY id DESC LIMIT 1", &statement,
                            err);

    if (rc == 0)
        rc = statement_step(&statement, &row, err);
    if (rc == 0)
        *ret = row ? statement_read_int(&statement) : UTC_NEVER;
    return rc;
}

static int write_down(struct inventory *inventory, const struct restore_job *job, struct error *err)
{
    AUTO_FREE char *text = mem_printf("the inventory was restored from %s", job->file);
    int rc = inventory_begin(inventory, err);

    if (rc == 0)
        rc = events_add(inventory, job->now, 0, 0, job->actor, "restored", text, err);
    if (rc == 0)
        return inventory_commit(inventory, err);
    inventory_rollback(inventory);
    return rc;
}

/* The very way the daemon opens it. All of it is looked at afterwards: it is a copy. */
static int bring_up(const char *path, const struct restore_job *job, utc_t *ret_last,
                    struct error *err)
{
    struct inventory *inventory = NULL;
    int rc = inventory_open(path, &inventory, err);

    if (rc == 0)
        rc = last_event(inventory, ret_last, err);
    if (rc == 0)
        rc = write_down(inventory, job, err);
    inventory_close(inventory);
    return rc;
}

static int prepare(const struct place *place, const struct restore_job *job,
                   struct restore_look *ret, struct error *err)
{
    const char *slash = strrchr(job->path, '/');
    AUTO_FREE char *path =
        mem_printf("%.*s%s", (int)(slash - job->path + 1), job->path, place->copy);
    struct restore_look look = {.last_event = UTC_NEVER};
    AUTO_FD int fd = -1;
    int rc = copy_file(place, job, err);

    if (rc == 0)
        rc = bring_up(path, job, &look.last_event, err);
    if (rc == 0)
        rc = backup_verify(path, NULL, &look.counts, &look.sealing_key, err);
    if (rc == 0)
        rc = file_open_read(path, &fd, err);
    if (rc == 0)
        rc = file_sync(fd, path, err);
    if (rc < 0)
        restore_look_done(&look);
    else
        *ret = look;
    return rc;
}

/* Once it is decided nothing may be in the way: a file system without second names is found now.
 * Syncs the folder. */
static int try_link(const struct place *place, struct error *err)
{
    AUTO_FREE char *other = mem_printf("%s-link", place->copy);
    int rc = file_remove_at(place->dir, other, err);

    if (rc == 0)
        rc = file_link_at(place->dir, place->copy, other, err);
    return rc == 0 ? file_remove_at(place->dir, other, err) : rc;
}

/* A copy of an inventory that was not closed is not whole without its log. */
static int is_whole(const struct restore_job *job, struct error *err)
{
    struct inventory *inventory = NULL;
    int rc = inventory_open_still(job->file, &inventory, err);

    inventory_close(inventory);
    return rc;
}

int restore_prepare(const struct restore_job *job, struct restore_look *ret, struct error *err)
{
    AUTO_PLACE struct place place = {.dir = -1};
    int rc = restore_finish(job->path, err);

    if (rc == 0)
        rc = place_open(job->path, &place, err);
    if (rc == 0)
        rc = is_whole(job, err);
    if (rc != 0)
        return error_wrap(err, rc, "backup %s", job->file);
    forget(&place);
    rc = prepare(&place, job, ret, err);
    if (rc == 0) {
        rc = try_link(&place, err);
        if (rc < 0)
            restore_look_done(ret);
    }
    if (rc < 0) {
        forget(&place);
        return error_wrap(err, rc, "backup %s: not restored", job->file);
    }
    return 0;
}

/* "inventory.db.replaced-20261122T165714.123456Z", by the time at which it was decided: the same at
 * every try. Owned by the caller. */
static char *kept_name(const struct place *place, const struct stat *decided)
{
    char text[UTC_TEXT_MAX], stamp[UTC_TEXT_MAX], *at = stamp;

    utc_format(decided->st_mtime, text);
    for (const char *in = text; *in; in++)
        if (*in != '-' && *in != ':')
            *at++ = *in;
    *at = '\0';
    stamp[strcspn(stamp, "Z")] = '\0';
    return mem_printf("%s.replaced-%s.%06ldZ", place->name, stamp, decided->st_mtim.tv_nsec / 1000);
}

/* The old file with its log gets a second name, whole, before anything of it loses its first. */
static int keep_old(const struct place *place, const char *kept, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < COUNT_OF(logs); i++) {
        AUTO_FREE char *from = mem_printf("%s%s", place->name, logs[i]);
        AUTO_FREE char *to = mem_printf("%s%s", kept, logs[i]);

        rc = file_link_at(place->dir, from, to, err);
    }
    if (rc == 0)
        rc = file_link_at(place->dir, place->name, kept, err);
    return rc == 0 ? file_sync_dir(place->dir, place->name, err) : rc;
}

/* A log that stayed would be brought into the new file: each is gone, on the disk, before the
 * rename. */
static int exchange(const struct place *place, struct error *err)
{
    static const char *const gone[] = {"-wal", "-journal", "-shm", MARK_SUFFIX};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < COUNT_OF(gone); i++) {
        AUTO_FREE char *name = mem_printf("%s%s", place->name, gone[i]);

        rc = file_remove_at(place->dir, name, err);
    }
    return rc == 0 ? file_rename_at(place->dir, place->decided, place->name, err) : rc;
}

static int finish(const struct place *place, char **ret_kept, struct error *err)
{
    struct stat decided, old;

    *ret_kept = NULL;
    if (fstatat(place->dir, place->decided, &decided, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT
                   ? 0
                   : error_set_errno(err, errno, "file %s: cannot look at", place->decided);
    bool had = fstatat(place->dir, place->name, &old, AT_SYMLINK_NOFOLLOW) == 0;
    AUTO_FREE char *kept = kept_name(place, &decided);
    int rc = had ? keep_old(place, kept, err) : 0;
    if (rc == 0)
        rc = exchange(place, err);
    if (rc == 0 && had)
        *ret_kept = TAKE(kept);
    return rc;
}

bool restore_is_decided(const char *path)
{
    AUTO_FREE char *decided = mem_printf(RESTORE_DECIDED, path);
    struct stat st;

    return lstat(decided, &st) == 0;
}

int restore_finish(const char *path, struct error *err)
{
    AUTO_PLACE struct place place = {.dir = -1};
    AUTO_FREE char *kept = NULL;
    int rc = place_open(path, &place, err);

    return rc == 0 ? finish(&place, &kept, err) : rc;
}

int restore_commit(const char *path, char **ret_kept, struct error *err)
{
    AUTO_PLACE struct place place = {.dir = -1};
    AUTO_FREE char *kept = NULL;
    int rc = place_open(path, &place, err);

    if (rc == 0)
        rc = file_rename_at(place.dir, place.copy, place.decided, err);
    if (rc == 0)
        rc = finish(&place, &kept, err);
    if (rc < 0)
        return rc;
    const char *slash = strrchr(path, '/');
    *ret_kept = kept ? mem_printf("%.*s%s", (int)(slash - path + 1), path, kept) : NULL;
    return 0;
}

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/drop/folder.h"
#include "pki/delivery/delivery.h"

#define RECEIPT_ENDING ".txt"

enum {
    NAMES_TRIED = 10000,
    EXTENSION_MAX = 16, /* a longer tail is no extension and may be cut */
    TEMPORARY_MAX = 64,
    ONE_BY_ONE = 3, /* so few files are synced each for itself, whatever else is being written */
};

static const char *sub_name(bool accepted)
{
    return accepted ? "accepted" : "rejected";
}

int drop_open_sub(const struct drop *drop, bool accepted, int *ret_dir, struct error *err)
{
    const char *name = sub_name(accepted);

    if (drop->dir < 0)
        return error_set(err, E_NOT_FOUND, "drop folder %s: it is gone", drop->path);
    if (mkdirat(drop->dir, name, 0755) < 0 && errno != EEXIST)
        return error_set_errno(err, errno, "folder %s/%s: cannot make", drop->path, name);
    int fd = openat(drop->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return error_set(err, E_REFUSED, "folder %s/%s: wanted a folder, got a link or a file",
                         drop->path, name);
    if (fd < 0)
        return error_set_errno(err, errno, "folder %s/%s: cannot open", drop->path, name);
    *ret_dir = fd;
    return 0;
}

/*
 * "www.pem", "www-2.pem", "www-3.pem"... The end of the stem gives way where the name with the
 * receipt's ending would be longer than a name may be, at the start of a UTF-8 character.
 */
static void candidate(const char *name, int number, char ret[NAME_MAX + 1])
{
    char suffix[16] = "";
    const char *dot = strrchr(name, '.');
    size_t len = strlen(name);
    size_t extension = dot && dot != name ? len - (size_t)(dot - name) : 0;

    if (extension > EXTENSION_MAX)
        extension = 0;
    if (number > 1)
        snprintf(suffix, sizeof suffix, "-%d", number);
    size_t most = NAME_MAX - strlen(RECEIPT_ENDING) - extension - strlen(suffix);
    size_t stem = len - extension;
    if (stem > most) {
        stem = most;
        while (stem > 1 && ((unsigned char)name[stem] & 0xC0) == 0x80)
            stem--;
    }
    snprintf(ret, NAME_MAX + 1, "%.*s%s%s", (int)stem, name, suffix, name + len - extension);
}

static void receipt_name(const char *filed, char ret[NAME_MAX + 1])
{
    snprintf(ret, NAME_MAX + 1, "%s" RECEIPT_ENDING, filed);
}

static bool is_taken(int dir, const char *name)
{
    struct stat st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static bool is_what_was_read(int dir, const char *name, const struct drop_stamp *read)
{
    struct drop_stamp stamp;
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    drop_stamp_of(&st, &stamp);
    return drop_stamp_is(&stamp, read);
}

/* Renames, but never over something. */
static int rename_beside(int from_dir, const char *from, int to_dir, const char *to)
{
    if (renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    /* Network file systems know no such rename; there the look beforehand has to do. */
    if (is_taken(to_dir, to)) {
        errno = EEXIST;
        return -1;
    }
    return renameat(from_dir, from, to_dir, to);
}

/* After a rename: somebody may have put another file under the name since the look, or have written
 * to it. That was not read, so it goes back to be looked at. The rename itself is the only change
 * of the inode that is ours. */
static int confirm(struct drop *drop, const struct drop_file *file, int sub, const char *filed,
                   struct error *err)
{
    struct drop_stamp expected = file->stamp, stamp;
    struct stat st;

    if (fstatat(sub, filed, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        drop_stamp_of(&st, &stamp);
        expected.changed = stamp.changed;
        if (drop_stamp_is(&stamp, &expected))
            return 0;
    }
    rename_beside(sub, filed, drop->dir, file->name);
    return error_set(err, E_NOT_FOUND, "delivery %s: it is no longer the file that was read",
                     file->name);
}

/* Moves the file to the first name that is free together with its receipt's. */
static int move(struct drop *drop, const struct drop_file *file, int sub, char filed[NAME_MAX + 1],
                struct error *err)
{
    char beside[NAME_MAX + 1];

    for (int number = 1; number <= NAMES_TRIED; number++) {
        candidate(file->name, number, filed);
        receipt_name(filed, beside);
        if (is_taken(sub, beside))
            continue;
        if (rename_beside(drop->dir, file->name, sub, filed) == 0)
            return confirm(drop, file, sub, filed, err);
        if (errno != EEXIST)
            return error_set_errno(err, errno, "delivery %s: cannot be filed", file->name);
    }
    return error_set(err, E_EXISTS, "delivery %s: wanted a free name, tried %d", file->name,
                     NAMES_TRIED);
}

/* A name that a stranger cannot take beforehand. */
static void temporary_name(char ret[TEMPORARY_MAX])
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
        number = (uint64_t)clock_monotonic_ms();
    snprintf(ret, TEMPORARY_MAX, RECEIPT_TEMPORARY "-%016" PRIx64 ".tmp", number);
}

/* Filings on their way, with what belongs to each. */
struct batch {
    struct drop *drop;
    struct drop_filing *filings;
    size_t count;
    int subs[2]; /* rejected/, accepted/; -1: not needed */
    char (*temporaries)[TEMPORARY_MAX];
};

static int sub_of(const struct batch *batch, size_t at)
{
    return batch->subs[batch->filings[at].accepted];
}

static void remove_temporaries(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->temporaries[i][0] != '\0')
            unlinkat(sub_of(batch, i), batch->temporaries[i], 0);
}

/* The same sentence each time, whatever the temporary was called. */
static int without_name(const struct batch *batch, int code, struct error *err)
{
    const char *tail = strrchr(err->text, ':');
    AUTO_FREE char *why = mem_strdup(tail ? tail + 2 : err->text);

    return error_set(err, code, "drop folder %s: receipts cannot be written: %s", batch->drop->path,
                     why);
}

static int write_receipts(struct batch *batch, struct error *err)
{
    bool one_by_one = batch->count <= ONE_BY_ONE;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < batch->count; i++) {
        struct span text = span_text(batch->filings[i].receipt);
        char name[TEMPORARY_MAX];

        temporary_name(name);
        rc = one_by_one ? file_create_at(sub_of(batch, i), name, text, FILE_PUBLIC, err)
                        : file_create_unsynced_at(sub_of(batch, i), name, text, FILE_PUBLIC, err);
        if (rc == 0)
            memcpy(batch->temporaries[i], name, sizeof name);
    }
    for (int i = 0; rc == 0 && !one_by_one && i < 2; i++)
        if (batch->subs[i] >= 0)
            rc = file_sync_all(batch->subs[i], sub_name(i == 1), err);
    return rc < 0 ? without_name(batch, rc, err) : 0;
}

static void move_one(struct batch *batch, size_t at)
{
    struct drop_filing *filing = &batch->filings[at];
    int sub = sub_of(batch, at);
    char filed[NAME_MAX + 1];
    char beside[NAME_MAX + 1];
    struct error err = {0};

    filing->result = is_what_was_read(batch->drop->dir, filing->file->name, &filing->file->stamp)
                         ? move(batch->drop, filing->file, sub, filed, &err)
                         : error_set(&err, E_NOT_FOUND,
                                     "delivery %s: it is gone, or no longer the file that was read",
                                     filing->file->name);
    if (filing->result < 0) {
        filing->reason = mem_strdup(err.text);
        return;
    }
    filing->name = mem_strdup(filed);
    receipt_name(filed, beside);
    filing->receipt_missing = renameat(sub, batch->temporaries[at], sub, beside) < 0;
    if (!filing->receipt_missing)
        batch->temporaries[at][0] = '\0';
}

/* Both names of every file that moved. Where that cannot be made sure, the receipts are written
 * again. */
static void sync_names(struct batch *batch)
{
    struct error ignored;
    int rc = file_sync_dir(batch->drop->dir, "drop", &ignored);

    for (int i = 0; rc == 0 && i < 2; i++)
        if (batch->subs[i] >= 0)
            rc = file_sync_dir(batch->subs[i], sub_name(i == 1), &ignored);
    for (size_t i = 0; rc < 0 && i < batch->count; i++)
        batch->filings[i].receipt_missing = true;
}

void drop_filing_done(struct drop_filing *filing)
{
    free(filing->name);
    free(filing->reason);
    *filing = (struct drop_filing){0};
}

int drop_file_away(struct drop *drop, struct drop_filing *filings, size_t count, struct error *err)
{
    AUTO_FD int accepted = -1;
    AUTO_FD int rejected = -1;
    struct batch batch = {drop, filings, count, {-1, -1}, NULL};
    int rc = 0;

    if (count == 0)
        return 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        int *sub = filings[i].accepted ? &accepted : &rejected;

        if (*sub < 0)
            rc = drop_open_sub(drop, filings[i].accepted, sub, err);
    }
    if (rc < 0)
        return rc;
    batch.subs[0] = rejected;
    batch.subs[1] = accepted;
    batch.temporaries = mem_alloc(count, sizeof *batch.temporaries);
    /* The receipts are on the disk before anything moves: a full disk leaves the deliveries where
     * they are. */
    rc = write_receipts(&batch, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        move_one(&batch, i);
    remove_temporaries(&batch);
    if (rc == 0)
        sync_names(&batch);
    free(batch.temporaries);
    return rc;
}

void drop_identify(const char *name, const struct stat *st, uint8_t ret[SHA256_LEN])
{
    AUTO_FREE char *text =
        mem_printf("%ju %ju %jd %jd.%09ld %s", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
                   (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, name);

    sha256_of(span_text(text), ret);
}

/* The file called `name` when it was taken, whether it was read then or not. */
static bool is_that_file(int dir, const char *filed, const char *name,
                         const uint8_t sha256[SHA256_LEN])
{
    AUTO_SECRET struct blob data = {0};
    uint8_t hash[SHA256_LEN];
    struct stat st;

    if (fstatat(dir, filed, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    drop_identify(name, &st, hash);
    if (memcmp(hash, sha256, SHA256_LEN) == 0)
        return true;
    if (file_read_at(dir, filed, DELIVERY_FILE_MAX, &data, NULL) < 0)
        return false;
    sha256_of(blob_span(&data), hash);
    return memcmp(hash, sha256, SHA256_LEN) == 0;
}

int drop_receipt(struct drop *drop, bool accepted, const char *filed_name, const char *receipt,
                 struct error *err)
{
    AUTO_FD int sub = -1;
    char beside[NAME_MAX + 1];

    if (strchr(filed_name, '/') || strlen(filed_name) + strlen(RECEIPT_ENDING) > NAME_MAX)
        return error_set(err, E_INPUT, "receipt %s: wanted the name of a filed delivery",
                         filed_name);
    int rc = drop_open_sub(drop, accepted, &sub, err);
    if (rc < 0)
        return rc;
    receipt_name(filed_name, beside);
    char temporary[TEMPORARY_MAX];
    temporary_name(temporary);
    rc = file_create_at(sub, temporary, span_text(receipt), FILE_PUBLIC, err);
    if (rc == 0) {
        rc = file_rename_at(sub, temporary, beside, err);
        if (rc < 0)
            unlinkat(sub, temporary, 0);
    }
    return rc;
}

int drop_find_filed(struct drop *drop, bool accepted, const char *name,
                    const uint8_t sha256[SHA256_LEN], char **ret_name, struct error *err)
{
    AUTO_FD int sub = -1;
    AUTO_FREE char *found = NULL;
    char filed[NAME_MAX + 1];
    char beside[NAME_MAX + 1];
    int rc = drop_open_sub(drop, accepted, &sub, err);

    if (rc < 0)
        return rc;
    /* Past the first name that is free altogether nothing was filed. */
    for (int number = 1; number <= NAMES_TRIED; number++) {
        candidate(name, number, filed);
        receipt_name(filed, beside);
        bool is_there = is_taken(sub, filed);
        bool has_receipt = is_taken(sub, beside);
        if (!is_there && !has_receipt)
            break;
        if (!is_there || !is_that_file(sub, filed, name, sha256))
            continue;
        free(found);
        found = mem_strdup(filed);
        if (!has_receipt)
            break;
    }
    if (!found)
        return error_set(err, E_NOT_FOUND, "delivery %s: wanted it in %s/, got nothing like it",
                         name, sub_name(accepted));
    *ret_name = found;
    found = NULL;
    return 0;
}

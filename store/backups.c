#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/backup_name.h"

/* A folder that somebody fills with such names shall not take all memory. */
enum { LISTED_MAX = 10000, OF_A_SECOND = 99 };

static const char prefix[] = "inventory-";

void backups_done(struct backups *backups)
{
    free(backups->items);
    *backups = (struct backups){0};
}

void backup_remove_partial(int dir, const char *name)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    struct error ignored;

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        AUTO_FREE char *one = mem_printf("%s%s", name, suffixes[i]);
        file_remove_at(dir, one, &ignored);
    }
}

/* "20261122T165714Z" of "2026-11-22T16:57:14Z". */
static void compact(utc_t at, char *ret)
{
    char text[UTC_TEXT_MAX];

    utc_format(at, text);
    for (const char *in = text; *in; in++)
        if (*in != '-' && *in != ':')
            *ret++ = *in;
    *ret = '\0';
}

int backup_free_name(int dir, utc_t at, char *ret, struct error *err)
{
    char stamp[UTC_TEXT_MAX], more[8] = "";

    compact(at, stamp);
    for (int i = 1; i <= OF_A_SECOND; i++) {
        if (i > 1)
            snprintf(more, sizeof more, "_%d", i);
        snprintf(ret, BACKUP_NAME_MAX, "%s%s%s.db", prefix, stamp, more);
        if (faccessat(dir, ret, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
            return 0;
    }
    return error_set(err, E_EXISTS, "backup %s: there are too many of this second", ret);
}

bool backup_name_parse(const char *name, utc_t *ret_at)
{
    enum { STAMP = 16 };
    char text[UTC_TEXT_MAX];
    int64_t number;

    if (!text_starts(name, prefix) || !text_ends(name, ".db") || strlen(name) >= BACKUP_NAME_MAX)
        return false;
    const char *at = name + strlen(prefix);
    if (strlen(at) < STAMP + 3)
        return false;
    snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", at, at + 4, at + 6, at + 9,
             at + 11, at + 13);
    if (at[8] != 'T' || at[15] != 'Z' || !utc_parse(text, ret_at))
        return false;
    if (at[STAMP] == '.')
        return strlen(at) == STAMP + 3;
    AUTO_FREE char *more = mem_printf("%.*s", (int)(strlen(at) - STAMP - 4), at + STAMP + 1);
    return at[STAMP] == '_' && text_number(more, 2, OF_A_SECOND, &number);
}

static int newest_first(const void *one, const void *other)
{
    const struct backup *a = one, *b = other;

    if (a->made_at != b->made_at)
        return a->made_at < b->made_at ? 1 : -1;
    /* "_10" after "_9", and both after none */
    if (strlen(a->name) != strlen(b->name))
        return strlen(a->name) < strlen(b->name) ? 1 : -1;
    return strcmp(b->name, a->name);
}

static void collect(DIR *stream, struct backups *ret)
{
    const struct dirent *entry;
    size_t room = 0;

    while (ret->count < LISTED_MAX && (entry = readdir(stream))) {
        struct backup backup = {0};
        struct stat st;

        if (!backup_name_parse(entry->d_name, &backup.made_at) ||
            fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(st.st_mode))
            continue;
        snprintf(backup.name, sizeof backup.name, "%s", entry->d_name);
        backup.size = st.st_size;
        if (ret->count == room) {
            room = room ? 2 * room : 16;
            ret->items = mem_resize(ret->items, room, sizeof *ret->items);
        }
        ret->items[ret->count++] = backup;
    }
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof *ret->items, newest_first);
}

int backups_list(const char *folder, struct backups *ret, struct error *err)
{
    struct backups backups = {0};
    DIR *stream = opendir(folder);

    if (!stream && errno != ENOENT)
        return error_set_errno(err, errno, "folder %s: cannot read", folder);
    if (stream) {
        collect(stream, &backups);
        closedir(stream);
    }
    *ret = backups;
    return 0;
}

int backups_rotate(const char *folder, int64_t keep, seconds_t age, utc_t now, int *ret_removed,
                   struct error *err)
{
    AUTO_FREE char *partial = mem_printf("%s/" BACKUP_PARTIAL, folder);
    AUTO_BACKUPS struct backups backups = {0};
    const char *name = NULL;
    AUTO_FD int dir = -1;
    int rc = backups_list(folder, &backups, err);

    *ret_removed = 0;
    if (rc == 0)
        rc = file_open_parent(partial, &dir, &name, err);
    if (rc < 0)
        return rc;
    backup_remove_partial(dir, name);
    for (size_t i = (size_t)(keep > 0 ? keep : 1); rc == 0 && i < backups.count; i++) {
        if (backups.items[i].made_at > utc_add(now, -age))
            continue;
        rc = file_remove_at(dir, backups.items[i].name, err);
        *ret_removed += rc == 0;
    }
    return rc;
}

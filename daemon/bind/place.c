#include "daemon/bind/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pki/delivery/delivery.h"

enum { ACCOUNT_ROOM = 16 << 10 };

int place_open(const char *path, struct place *ret, struct error *err)
{
    struct place place = {.path = path, .dir = -1};
    int rc = file_open_parent(path, &place.dir, &place.name, err);

    if (rc < 0)
        return rc;
    if (snprintf(place.previous, sizeof place.previous, ".%s.unlapsed-previous", place.name) >=
        (int)sizeof place.previous) {
        file_close(&place.dir);
        return error_set(err, E_INPUT, "file %s: wanted a shorter name: others are put beside it",
                         path);
    }
    snprintf(place.staged, sizeof place.staged, ".%s.unlapsed-staged", place.name);
    snprintf(place.absent, sizeof place.absent, ".%s.unlapsed-absent", place.name);
    snprintf(place.writing, sizeof place.writing, ".%s.unlapsed-writing", place.name);
    *ret = place;
    return 0;
}

void place_done(struct place *place)
{
    file_close(&place->dir);
}

int place_has(const struct place *place, const char *name, bool *ret, struct error *err)
{
    struct stat st;
    int rc = fstatat(place->dir, name, &st, AT_SYMLINK_NOFOLLOW);

    if (rc < 0 && errno != ENOENT)
        return error_set_errno(err, errno, "file %s: cannot look at %s", place->path, name);
    /* Nothing of ours is a link or a folder: whoever made one may not steer root's writing. */
    if (rc == 0 && !S_ISREG(st.st_mode))
        return error_set(err, E_REFUSED, "file %s: %s beside it: wanted a regular file",
                         place->path, name);
    *ret = rc == 0;
    return 0;
}

static int refuse_link(const struct place *place, struct error *err)
{
    char to[PATH_MAX];
    ssize_t len = readlinkat(place->dir, place->name, to, sizeof to - 1);

    to[len < 0 ? 0 : len] = '\0';
    return error_set(err, E_REFUSED,
                     "file %s: it is a symbolic link to %s: replacing it would change what the "
                     "link means; give the path of the real file",
                     place->path, to);
}

int place_look(const struct place *place, bool *ret_there, struct stat *ret, struct error *err)
{
    struct stat st;

    if (fstatat(place->dir, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT)
            return error_set_errno(err, errno, "file %s: cannot look at", place->path);
        *ret_there = false;
        return 0;
    }
    if (S_ISLNK(st.st_mode))
        return refuse_link(place, err);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_REFUSED, "file %s: wanted a regular file or nothing", place->path);
    *ret_there = true;
    *ret = st;
    return 0;
}

int place_write(const struct place *place, const char *name, struct span data,
                struct file_access access, struct error *err)
{
    int rc = file_remove_at(place->dir, place->writing, err);

    if (rc == 0)
        rc = file_create_at(place->dir, place->writing, data, access, err);
    if (rc == 0)
        rc = file_rename_at(place->dir, place->writing, name, err);
    return rc < 0 ? error_wrap(err, rc, "file %s", place->path) : 0;
}

struct file_access place_access(const struct stat *st)
{
    return (struct file_access){st->st_uid, st->st_gid, st->st_mode & 0777};
}

static int find_user(const char *name, uid_t *ret, struct error *err)
{
    struct passwd entry, *found = NULL;
    AUTO_FREE char *room = mem_alloc(ACCOUNT_ROOM, 1);
    int errnum = getpwnam_r(name, &entry, room, ACCOUNT_ROOM, &found);
    int64_t number;

    if (found)
        *ret = found->pw_uid;
    else if (text_number(name, 0, UINT32_MAX - 1, &number))
        *ret = (uid_t)number;
    else if (errnum != 0 && errnum != ENOENT)
        return error_set_errno(err, errnum, "user %s: cannot be looked up", name);
    else
        return error_set(err, E_NOT_FOUND, "user %s: no such user on this machine", name);
    return 0;
}

static int find_group(const char *name, gid_t *ret, struct error *err)
{
    struct group entry, *found = NULL;
    AUTO_FREE char *room = mem_alloc(ACCOUNT_ROOM, 1);
    int errnum = getgrnam_r(name, &entry, room, ACCOUNT_ROOM, &found);
    int64_t number;

    if (found)
        *ret = found->gr_gid;
    else if (text_number(name, 0, UINT32_MAX - 1, &number))
        *ret = (gid_t)number;
    else if (errnum != 0 && errnum != ENOENT)
        return error_set_errno(err, errnum, "group %s: cannot be looked up", name);
    else
        return error_set(err, E_NOT_FOUND, "group %s: no such group on this machine", name);
    return 0;
}

int place_declared(const struct service_part *part, struct file_access *access, struct error *err)
{
    struct file_access found = *access;
    int rc = 0;

    if (part->owner)
        rc = find_user(part->owner, &found.owner, err);
    if (rc == 0 && part->group)
        rc = find_group(part->group, &found.group, err);
    if (rc < 0)
        return rc;
    if (part->has_mode)
        found.mode = part->mode & 0777;
    *access = found;
    return 0;
}

int place_certs(struct span file, struct blobs *ret, struct error *err)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    int rc = delivery_read(file, NULL, &objects, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < objects.count; i++)
        if (objects.items[i].kind == OBJECT_CERTIFICATE)
            blobs_add(ret, blob_span(&objects.items[i].der));
    return 0;
}

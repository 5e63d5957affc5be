#include "pki/ring.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { ID_TEXT_MAX = 2 * SEALING_ID_LEN + 1 };

void ring_wipe(struct ring *ring)
{
    mem_wipe(ring, sizeof *ring);
}

static const struct seal_key *find(const struct ring *ring, const uint8_t id[SEALING_ID_LEN])
{
    for (size_t i = 0; i < ring->count; i++)
        if (memcmp(ring->keys[i].id, id, SEALING_ID_LEN) == 0)
            return &ring->keys[i];
    return NULL;
}

int ring_find(const struct ring *ring, const uint8_t id[SEALING_ID_LEN], struct seal_key *ret,
              struct error *err)
{
    const struct seal_key *key = find(ring, id);
    char wanted[ID_TEXT_MAX], got[ID_TEXT_MAX];

    if (!key)
        return error_set(
            err, E_CORRUPT, "sealed key: does not open: wanted the sealing key %s, got %s%s",
            text_hex(id, SEALING_ID_LEN, wanted), text_hex(ring->keys[0].id, SEALING_ID_LEN, got),
            ring->count > 1 ? " and older ones" : "");
    *ret = *key;
    return 0;
}

static int add(struct ring *ring, const struct seal_key *key, const char *path, struct error *err)
{
    if (find(ring, key->id))
        return 0;
    if (ring->count == SEALING_KEYS_MAX)
        return error_set(err, E_TOO_LARGE,
                         "sealing key %s: wanted at most %d of them, got more: take away the "
                         "oldest that no backup needs any more",
                         path, SEALING_KEYS_MAX);
    ring->keys[ring->count++] = *key;
    return 0;
}

int ring_add_file(struct ring *ring, const char *path, struct error *err)
{
    AUTO_SEAL_KEY struct seal_key key = {0};
    int rc = seal_load_key(path, false, &key, err);

    return rc < 0 ? rc : add(ring, &key, path, err);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* "sealing.key.old-0011223344556677" for "sealing.key". */
static bool is_old_name(const char *entry, const char *name)
{
    uint8_t id[SEALING_ID_LEN];
    size_t len = strlen(name);

    return strncmp(entry, name, len) == 0 && text_starts(entry + len, ".old-") &&
           text_unhex(entry + len + strlen(".old-"), id, sizeof id);
}

static int add_old_files(struct ring *ring, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder =
        slash ? mem_printf("%.*s", (int)(slash - path) + 1, path) : mem_strdup(".");
    __attribute__((cleanup(close_dir))) DIR *dir = opendir(folder);
    int rc = 0;

    if (!dir)
        return error_set_errno(err, errno, "sealing key %s: cannot look for older ones", path);
    errno = 0;
    for (const struct dirent *entry; rc == 0 && (entry = readdir(dir)); errno = 0) {
        AUTO_FREE char *old = mem_printf("%s/%s", folder, entry->d_name);

        if (is_old_name(entry->d_name, slash ? slash + 1 : path))
            rc = ring_add_file(ring, old, err);
    }
    if (rc == 0 && errno != 0)
        rc = error_set_errno(err, errno, "sealing key %s: cannot look for older ones", path);
    return rc;
}

int ring_load(const char *path, bool create, struct ring *ret, struct error *err)
{
    int rc = seal_load_key(path, create, &ret->keys[0], err);

    ret->count = 1;
    if (rc == 0)
        rc = seal_sync_folder(path, err);
    if (rc == 0)
        rc = add_old_files(ret, path, err);
    if (rc < 0)
        ring_wipe(ret);
    return rc;
}

int ring_rotate(struct ring *ring, const char *path, struct error *err)
{
    AUTO_SEAL_KEY struct seal_key made = {0};

    /* As many files as this leaves must be opened by the next start. */
    if (ring->count == SEALING_KEYS_MAX)
        return error_set(err, E_TOO_LARGE,
                         "sealing key %s: wanted at most %d older ones, got %d: take away the "
                         "oldest that no backup needs any more, and restart",
                         path, SEALING_KEYS_MAX - 2, SEALING_KEYS_MAX - 1);
    int rc = seal_replace_key(path, &ring->keys[0], &made, err);
    if (rc < 0)
        return rc;
    memmove(&ring->keys[1], &ring->keys[0], ring->count * sizeof ring->keys[0]);
    ring->keys[0] = made;
    ring->count++;
    return 0;
}

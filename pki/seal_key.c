#include "pki/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/file.h"
#include "base/text.h"
#include "pki/crypto.h"

/* One byte more than the key, so that a longer file is noticed. */
static ssize_t read_bytes(int fd, uint8_t *ret, size_t size)
{
    size_t len = 0;

    while (len < size) {
        ssize_t got = read(fd, ret + len, size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        len += (size_t)got;
    }
    return (ssize_t)len;
}

static int check_access(int fd, const char *path, struct error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return error_set_errno(err, errno, "sealing key %s: cannot look at", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_CORRUPT, "sealing key %s: wanted a regular file", path);
    if ((st.st_mode & 077) != 0)
        return error_set(err, E_DENIED,
                         "sealing key %s: mode: wanted 0600 or 0400, got %04o: run chmod 0600 %s, "
                         "and ask who could read it until now",
                         path, (unsigned)st.st_mode & 07777, path);
    return 0;
}

void seal_key_wipe(struct seal_key *key)
{
    mem_wipe(key, sizeof *key);
}

static int name_key(struct seal_key *key, struct error *err)
{
    static const uint8_t purpose[] = "unlapsed: the name of this sealing key";
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};
    unsigned len = 0;

    if (!HMAC(EVP_sha256(), key->secret, SEAL_KEY_LEN, purpose, sizeof purpose - 1, digest, &len))
        return crypto_error(err, E_CRYPTO, "sealing key: cannot be named");
    memcpy(key->id, digest, SEALING_ID_LEN);
    return 0;
}

static int read_key(const char *path, struct seal_key *ret, struct error *err)
{
    uint8_t data[SEAL_KEY_LEN + 1];
    AUTO_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(err, errno, "sealing key %s: cannot open", path);
    int rc = check_access(fd, path, err);
    if (rc < 0)
        return rc;
    ssize_t len = read_bytes(fd, data, sizeof data);
    if (len < 0)
        rc = error_set_errno(err, errno, "sealing key %s: cannot read", path);
    else if (len != SEAL_KEY_LEN)
        rc = error_set(err, E_CORRUPT, "sealing key %s: wanted %d bytes, got %s%zd", path,
                       SEAL_KEY_LEN, len > SEAL_KEY_LEN ? "more than " : "",
                       len > SEAL_KEY_LEN ? (ssize_t)SEAL_KEY_LEN : len);
    else
        memcpy(ret->secret, data, SEAL_KEY_LEN);
    mem_wipe(data, sizeof data);
    return rc < 0 ? rc : name_key(ret, err);
}

/*
 * Written whole and synced under another name, then given its own by a rename that refuses to
 * replace: nobody, also after a crash, ever sees a part of a key, and the first to rename wins.
 */
static int place_key(int dir, const char *name, struct span key, struct error *err)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    char temporary[64];

    if (RAND_bytes(random, sizeof random) != 1)
        return crypto_error(err, E_CRYPTO, "sealing key: no random bytes");
    snprintf(temporary, sizeof temporary, ".unlapsed-%s.tmp", text_hex(random, sizeof random, hex));
    int rc = file_create_at(dir, temporary, key, FILE_PRIVATE, err);
    if (rc == 0 && renameat2(dir, temporary, dir, name, RENAME_NOREPLACE) < 0)
        rc = error_set_errno(err, errno, "file %s: cannot name it", name);
    if (rc < 0) {
        unlinkat(dir, temporary, 0);
        return rc;
    }
    if (fsync(dir) < 0)
        return error_set_errno(err, errno, "file %s: cannot sync its folder", name);
    return 0;
}

static int make_key(const char *path, struct error *err)
{
    uint8_t key[SEAL_KEY_LEN];
    AUTO_FD int dir = -1;
    const char *name;
    int rc = file_open_parent(path, &dir, &name, err);

    if (rc == 0 && RAND_priv_bytes(key, sizeof key) != 1)
        rc = crypto_error(err, E_CRYPTO, "no random bytes");
    if (rc == 0)
        rc = place_key(dir, name, span_of(key, sizeof key), err);
    mem_wipe(key, sizeof key);
    if (rc < 0 && rc != E_EXISTS)
        return error_wrap(err, rc, "sealing key %s: cannot make it", path);
    return 0;
}

int seal_load_key(const char *path, bool create, struct seal_key *ret, struct error *err)
{
    int rc = read_key(path, ret, err);

    if (rc != E_NOT_FOUND || !create)
        return rc;
    rc = make_key(path, err);
    /* What is in the file counts, also when it was us who wrote it. */
    return rc < 0 ? rc : read_key(path, ret, err);
}

int seal_sync_folder(const char *path, struct error *err)
{
    AUTO_FD int dir = -1;
    const char *name;
    int rc = file_open_parent(path, &dir, &name, err);

    if (rc < 0 || fsync(dir) == 0 || errno == EINVAL || errno == EROFS)
        return rc;
    return error_set_errno(err, errno, "sealing key %s: cannot sync its folder", path);
}

char *seal_old_path(const char *path, const uint8_t id[SEALING_ID_LEN])
{
    char hex[2 * SEALING_ID_LEN + 1];

    return mem_printf("%s.old-%s", path, text_hex(id, SEALING_ID_LEN, hex));
}

static bool is_same(const struct seal_key *a, const struct seal_key *b)
{
    return memcmp(a->id, b->id, SEALING_ID_LEN) == 0;
}

/* The old key is on the disk under its own name before the file changes. */
static int keep_old(const char *path, const struct seal_key *old, struct error *err)
{
    AUTO_SEAL_KEY struct seal_key there = {0};
    AUTO_FREE char *kept = seal_old_path(path, old->id);
    struct error why = {0};
    int rc = read_key(kept, &there, &why);

    /* It was kept before, by a change that got no further or that was undone by hand. */
    if (rc == 0 && is_same(&there, old))
        return 0;
    if (rc != E_NOT_FOUND)
        return error_set(err, E_EXISTS,
                         "sealing key %s: wanted to keep the old key as %s, got another file there",
                         path, kept);
    rc = file_replace(kept, span_of(old->secret, SEAL_KEY_LEN), FILE_PRIVATE, err);
    return rc < 0 ? error_wrap(err, rc, "sealing key %s: cannot keep the old one", path) : 0;
}

static int write_new(const char *path, struct error *err)
{
    uint8_t secret[SEAL_KEY_LEN];
    int rc = 0;

    if (RAND_priv_bytes(secret, sizeof secret) != 1)
        rc = crypto_error(err, E_CRYPTO, "no random bytes");
    if (rc == 0)
        rc = file_replace(path, span_of(secret, sizeof secret), FILE_PRIVATE, err);
    mem_wipe(secret, sizeof secret);
    return rc < 0 ? error_wrap(err, rc, "sealing key %s: cannot replace it", path) : 0;
}

int seal_replace_key(const char *path, const struct seal_key *old, struct seal_key *ret,
                     struct error *err)
{
    AUTO_SEAL_KEY struct seal_key there = {0}, kept = {0};
    AUTO_FREE char *kept_path = seal_old_path(path, old->id);
    char wanted[2 * SEALING_ID_LEN + 1], got[2 * SEALING_ID_LEN + 1];
    int rc = read_key(path, &there, err);

    if (rc < 0)
        return rc;
    if (!is_same(&there, old) && (read_key(kept_path, &kept, NULL) < 0 || !is_same(&kept, old)))
        return error_set(err, E_CORRUPT,
                         "sealing key %s: wanted the one in use, %s, got %s: put the right one "
                         "back",
                         path, text_hex(old->id, SEALING_ID_LEN, wanted),
                         text_hex(there.id, SEALING_ID_LEN, got));
    if (is_same(&there, old)) {
        rc = keep_old(path, old, err);
        if (rc == 0)
            rc = write_new(path, err);
    } else {
        rc = seal_sync_folder(path, err);
    }
    return rc < 0 ? rc : read_key(path, ret, err);
}

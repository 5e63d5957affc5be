#include "tests/store/faulty_vfs.h"

#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/mem.h"

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
    const char *path;   /* SQLite's, as long as the file is open */
};

/* A write or a truncation that was not synced yet. */
struct change {
    char *path;
    off_t at;
    struct blob new, old; /* new.len 0: a truncation to `at` */
    off_t old_size;
};

enum { CHANGES_MAX = 4096, SECTOR = 512 };

static struct {
    bool remembers;
    unsigned seed;
    struct change changes[CHANGES_MAX];
    size_t count;
} power;

static struct {
    bool armed;
    int pass;
    int struck;
    enum fault_kind kind;
    bool lasting;
} fault;

void faulty_vfs_arm(int pass, enum fault_kind kind, bool lasting)
{
    fault.armed = true;
    fault.pass = pass;
    fault.struck = 0;
    fault.kind = kind;
    fault.lasting = lasting;
}

int faulty_vfs_disarm(void)
{
    fault.armed = false;
    return fault.struck;
}

bool faulty_vfs_strikes(void)
{
    if (!fault.armed || fault.pass-- > 0)
        return false;
    fault.struck++;
    if (!fault.lasting)
        fault.armed = false;
    return true;
}

static bool fails(void)
{
    return fault.kind != FAULT_LIE && faulty_vfs_strikes();
}

static sqlite3_file *real_of(sqlite3_file *base)
{
    return ((struct file *)base)->real;
}

static int close_file(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int read_file(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), data, len, at);
}

static void forget_change(struct change *change)
{
    free(change->path);
    blob_done(&change->new);
    blob_done(&change->old);
}

/* With what was there before, so that it can be taken back. */
static void remember(sqlite3_file *base, off_t at, const void *data, size_t len)
{
    const char *path = ((struct file *)base)->path;
    sqlite3_file *real = real_of(base);
    struct change *change = &power.changes[power.count];
    sqlite3_int64 size = 0;

    if (!power.remembers || !path)
        return;
    assert(power.count < CHANGES_MAX);
    int result = real->pMethods->xFileSize(real, &size);
    assert(result == SQLITE_OK);
    off_t end = len > 0 && at + (off_t)len < size ? at + (off_t)len : size;
    *change = (struct change){.path = mem_strdup(path), .at = at, .old_size = size};
    if (len > 0)
        change->new = blob_copy(span_of(data, len));
    if (end > at) {
        change->old = (struct blob){mem_alloc((size_t)(end - at), 1), (size_t)(end - at)};
        result = real->pMethods->xRead(real, change->old.data, (int)change->old.len, at);
        assert(result == SQLITE_OK);
    }
    (void)result;
    power.count++;
}

static void forget_file(const char *path)
{
    size_t kept = 0;

    for (size_t i = 0; i < power.count; i++) {
        if (path && strcmp(power.changes[i].path, path) != 0)
            power.changes[kept++] = power.changes[i];
        else
            forget_change(&power.changes[i]);
    }
    power.count = kept;
}

static int write_file(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    static const char zeros[1 << 16];
    sqlite3_file *real = real_of(file);

    if (!faulty_vfs_strikes()) {
        remember(file, at, data, (size_t)len);
        return real->pMethods->xWrite(real, data, len, at);
    }
    if (fault.kind == FAULT_LIE)
        return real->pMethods->xWrite(real, zeros, len < (int)sizeof zeros ? len : 1, at);
    if (power.remembers && fault.struck == 1) {
        /* under way when the power went */
        remember(file, at, data, (size_t)len);
        real->pMethods->xWrite(real, data, len, at);
    } else if (!power.remembers) {
        real->pMethods->xWrite(real, data, len / 2, at);
    }
    return fault.kind == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    if (fails())
        return SQLITE_IOERR_TRUNCATE;
    remember(file, size, NULL, 0);
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

/* What is not to fail need not reach the disk, and takes no time: only the power cut of this file
 * looks whether it was synced. */
static int sync_file(sqlite3_file *file, int flags)
{
    (void)flags;
    if (fails())
        return SQLITE_IOERR_FSYNC;
    if (((struct file *)file)->path)
        forget_file(((struct file *)file)->path);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int control(sqlite3_file *file, int verb, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), verb, argument);
}

static int sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    if (extend && fails())
        return SQLITE_IOERR_SHMSIZE;
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shm_unmap(sqlite3_file *file, int delete_it)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = unlock,
    .xCheckReservedLock = check_lock,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *base, int flags,
                     int *ret_flags)
{
    struct file *file = (struct file *)base;

    (void)self;
    file->base.pMethods = NULL;
    if ((flags & SQLITE_OPEN_CREATE) && fails())
        return SQLITE_CANTOPEN;
    file->real = (sqlite3_file *)(file + 1);
    file->path = name;
    int result = real_vfs->xOpen(real_vfs, name, file->real, flags, ret_flags);
    if (result == SQLITE_OK)
        file->base.pMethods = &methods;
    return result;
}

static int delete_file(sqlite3_vfs *self, const char *name, int sync_folder)
{
    (void)self;
    (void)sync_folder;
    if (fails())
        return SQLITE_IOERR_DELETE;
    forget_file(name);
    return real_vfs->xDelete(real_vfs, name, 0);
}

void faulty_vfs_install(void)
{
    if (real_vfs)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    assert(real_vfs != NULL);
    vfs = *real_vfs;
    vfs.zName = "faulty";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct file) + real_vfs->szOsFile;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    int result = sqlite3_vfs_register(&vfs, 1);
    assert(result == SQLITE_OK);
    (void)result;
}

void faulty_vfs_cut_power(int pass, unsigned seed)
{
    forget_file(NULL);
    faulty_vfs_arm(pass, FAULT_IO, true);
    power.remembers = true;
    power.seed = seed;
}

static void take_back(const struct change *change, int fd)
{
    ssize_t put = pwrite(fd, change->old.data, change->old.len, change->at);

    assert(put == (ssize_t)change->old.len);
    (void)put;
    int rc = ftruncate(fd, change->old_size);
    assert(rc == 0);
    (void)rc;
}

/* A third of them is whole, a third lost, a third ends at some sector. */
static void make_survive(const struct change *change, int fd)
{
    int fate = rand_r(&power.seed) % 3;
    size_t len = fate == 0 ? change->new.len : 0;

    if (fate == 2 && change->new.len > 0)
        len = (size_t)rand_r(&power.seed) % change->new.len / SECTOR *SECTOR;
    if (change->new.len == 0 && fate == 0) {
        int rc = ftruncate(fd, change->at);
        assert(rc == 0);
        (void)rc;
    }
    ssize_t put = pwrite(fd, change->new.data, len, change->at);
    assert(put == (ssize_t)len);
    (void)put;
}

int faulty_vfs_power_on(void)
{
    int struck = faulty_vfs_disarm();

    power.remembers = false;
    for (size_t i = 0; i < 2 * power.count; i++) {
        bool back = i < power.count;
        const struct change *change = &power.changes[back ? power.count - 1 - i : i - power.count];
        int fd = open(change->path, O_WRONLY | O_CLOEXEC);

        assert(fd >= 0);
        if (back)
            take_back(change, fd);
        else
            make_survive(change, fd);
        close(fd);
    }
    forget_file(NULL);
    return struck;
}

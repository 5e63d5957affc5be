#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/drop/folder.h"
#include "pki/delivery/delivery.h"

static const uint8_t zeros[64 << 10];

static int overwrite(int fd, off_t size)
{
    for (off_t at = 0; at < size;) {
        size_t len = size - at < (off_t)sizeof zeros ? (size_t)(size - at) : sizeof zeros;
        ssize_t done = pwrite(fd, zeros, len, at);

        if (done < 0 && errno != EINTR)
            return -1;
        at += done > 0 ? done : 0;
    }
    return fsync(fd) < 0 || ftruncate(fd, 0) < 0 || fsync(fd) < 0 ? -1 : 0;
}

/* The file of somebody else cannot be changed, but it can be replaced: by one of our own. */
static int replace(int sub, const char *name, bool erase, struct error *err)
{
    AUTO_SECRET struct blob data = {0};
    int rc = erase ? 0 : file_read_at(sub, name, DELIVERY_FILE_MAX, &data, err);

    return rc < 0 ? rc : file_replace_at(sub, name, blob_span(&data), FILE_PRIVATE, err);
}

int drop_protect(struct drop *drop, bool accepted, const char *filed_name, bool erase,
                 struct error *err)
{
    AUTO_FD int sub = -1;
    AUTO_FD int fd = -1;
    struct stat st;

    if (strchr(filed_name, '/') || strlen(filed_name) > NAME_MAX)
        return error_set(err, E_INPUT, "delivery %s: wanted the name of a filed delivery",
                         filed_name);
    int rc = drop_open_sub(drop, accepted, &sub, err);
    if (rc < 0)
        return rc;
    fd = openat(sub, filed_name,
                (erase ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno != EACCES && errno != EPERM)
        return error_set_errno(err, errno, "delivery %s: cannot be kept from others", filed_name);
    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1))
        return error_set(err, E_REFUSED, "delivery %s: wanted a regular file with one link",
                         filed_name);
    if (fd < 0 || fchmod(fd, 0600) < 0)
        return replace(sub, filed_name, erase, err);
    if (erase && overwrite(fd, st.st_size) < 0)
        return error_set_errno(err, errno, "delivery %s: cannot be erased", filed_name);
    return 0;
}

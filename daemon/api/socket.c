#include "daemon/api/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

enum { BACKLOG = 64 };

static int address_of(const char *path, struct sockaddr_un *ret, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path[0] != '/')
        return error_set(err, E_INPUT, "%s: socket: wanted an absolute path", path);
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, E_INPUT, "%s: socket: wanted a path of at most %zu bytes, got %zu",
                         path, sizeof address.sun_path - 1, strlen(path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    *ret = address;
    return 0;
}

static int make_folder(const char *path, struct error *err)
{
    AUTO_FREE char *folder = mem_strdup(path);
    char *slash = strrchr(folder, '/');

    if (slash == folder)
        return 0;
    *slash = '\0';
    return file_make_dirs(folder, 0755, err);
}

/*
 * A socket file outlives its daemon. Only a refused connection proves that nobody listens; a full
 * backlog (EAGAIN) or a missing right (EACCES) proves nothing, and is somebody else's.
 */
static int remove_stale(const char *path, const struct sockaddr_un *address, struct error *err)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : error_set_errno(err, errno, "%s", path);
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, E_EXISTS, "%s: wanted a socket or nothing, got another file", path);
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, errno, "socket");
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return error_set(err, E_BUSY, "%s: another daemon answers there", path);
    if (errno != ECONNREFUSED)
        return error_set(err, E_BUSY, "%s: another daemon may be there: %s", path, strerror(errno));
    if (unlink(path) != 0 && errno != ENOENT)
        return error_set_errno(err, errno, "%s: remove the stale socket", path);
    return 0;
}

/*
 * Everybody may connect; what a caller may do is decided by its credentials (caller.h). A file's
 * mode cannot tell two groups with different rights, and a refusal in words serves people better
 * than EACCES.
 */
static int publish(int fd, struct listener *listener, struct error *err)
{
    struct stat st;

    if (chmod(listener->path, 0666) != 0 || lstat(listener->path, &st) != 0 ||
        listen(fd, BACKLOG) != 0)
        return error_set_errno(err, errno, "%s: listen", listener->path);
    listener->device = st.st_dev;
    listener->inode = st.st_ino;
    return 0;
}

int listener_open(const char *path, struct listener *ret, struct error *err)
{
    struct sockaddr_un address;
    struct listener listener = {.fd = -1};
    int rc = address_of(path, &address, err);

    if (rc == 0)
        rc = make_folder(path, err);
    if (rc == 0)
        rc = remove_stale(path, &address, err);
    if (rc != 0)
        return rc;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(err, errno, "socket");
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0)
        return errno == EADDRINUSE ? error_set(err, E_BUSY, "%s: another daemon took it", path)
                                   : error_set_errno(err, errno, "%s: bind", path);
    listener.path = mem_strdup(path);
    rc = publish(fd, &listener, err);
    if (rc != 0) {
        unlink(path);
        free(listener.path);
        return rc;
    }
    listener.fd = fd;
    fd = -1;
    *ret = listener;
    return 0;
}

void listener_close(struct listener *listener)
{
    struct stat st;

    if (!listener->path)
        return;
    if (lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
        st.st_ino == listener->inode)
        unlink(listener->path);
    file_close(&listener->fd);
    free(listener->path);
    listener->path = NULL;
}

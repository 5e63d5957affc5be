#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/text.h"
#include "daemon/bind/deployer.h"

enum { PID_FILE_MAX = 4096, DEADLINE_DEFAULT = 60 };

static int run(const struct service *service, char *const command[], struct error *err)
{
    const char *argv[SERVICE_ARGV_MAX + 1];

    for (size_t i = 0; i < COUNT_OF(argv); i++)
        argv[i] = command[i];
    /* Whoever may write the program would be root by it. */
    int rc = geteuid() == 0 ? file_check_trusted(argv[0], 0, err) : 0;
    if (rc < 0)
        return error_wrap(err, rc, "program of %s", service->name);
    return proc_run_checked(
        argv, service->command_deadline > 0 ? service->command_deadline : DEADLINE_DEFAULT, err);
}

int deployer_test(const struct deploy_order *order, struct error *err)
{
    const struct service *service = order->service;

    if (!service->test[0])
        return 0;
    int rc = run(service, service->test, err);
    return rc < 0 ? error_wrap(err, rc, "configuration test of %s", service->name) : 0;
}

/* The first word of the first line: postmaster.pid has more lines. */
static bool parse_pid(const struct blob *data, pid_t *ret)
{
    char text[16];
    size_t len = 0;
    int64_t number;

    while (len < data->len && data->data[len] >= '0' && data->data[len] <= '9')
        len++;
    if (len >= sizeof text || (len < data->len && !strchr(" \r\n", data->data[len])))
        return false;
    memcpy(text, data->data, len);
    text[len] = '\0';
    if (!text_number(text, 2, INT32_MAX, &number))
        return false;
    *ret = (pid_t)number;
    return true;
}

/* The real user of a process, from /proc/PID/status (proc(5)); false when that cannot be told. */
static bool find_owner(pid_t pid, uid_t *ret)
{
    char path[64];
    char line[256];
    unsigned owner;
    bool found = false;

    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "Uid: %u", &owner) == 1;
    fclose(file);
    if (found)
        *ret = owner;
    return found;
}

/* A pid file as it was opened, and the folder it lies in. */
struct pid_source {
    struct blob data;
    uid_t owner;
    uid_t folder_owner;
};

static int not_running(const struct service *service, const char *why, struct error *err)
{
    return error_set(err, E_COMMAND, "%s is not running: its pid file %s: %s", service->name,
                     service->pid_file, why);
}

/* Neither a link nor anything that others than its owner may write: each would let them choose whom
 * root signals. */
static int open_pid_file(const struct service *service, int dir, const char *name, int *ret_fd,
                         struct stat *ret, struct error *err)
{
    AUTO_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return not_running(service, strerrordesc_np(errno), err);
    if (fd < 0 && errno == ELOOP)
        return error_set(err, E_REFUSED, "pid file %s: wanted a regular file, got a symbolic link",
                         service->pid_file);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set_errno(err, errno, "pid file %s: cannot open", service->pid_file);
    if ((st.st_mode & S_IWOTH) != 0 || ((st.st_mode & S_IWGRP) != 0 && st.st_gid != 0))
        return error_set(err, E_REFUSED,
                         "pid file %s: wanted one that only its owner can write, got mode %04o",
                         service->pid_file, (unsigned)st.st_mode & 07777);
    *ret = st;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* What is judged is what is read: one descriptor for both. */
static int read_pid_file(const struct service *service, struct pid_source *ret, struct error *err)
{
    AUTO_FD int dir = -1;
    AUTO_FD int fd = -1;
    struct stat folder = {0}, st = {0};
    const char *name;
    int rc = file_open_parent(service->pid_file, &dir, &name, err);

    if (rc == E_NOT_FOUND)
        return not_running(service, strerrordesc_np(ENOENT), err);
    if (rc == 0 && fstat(dir, &folder) < 0)
        rc = error_set_errno(err, errno, "folder of %s: cannot look at", service->pid_file);
    if (rc < 0)
        return error_wrap(err, rc, "pid file of %s", service->name);
    rc = open_pid_file(service, dir, name, &fd, &st, err);
    if (rc < 0)
        return rc;
    rc = file_read_fd(fd, service->pid_file, PID_FILE_MAX, &ret->data, err);
    if (rc < 0)
        return error_wrap(err, rc, "pid file of %s", service->name);
    ret->owner = st.st_uid;
    ret->folder_owner = folder.st_uid;
    return 0;
}

/* Whoever may write the pid file, or put another in its place, chooses which process root signals:
 * that may only be one of their own. */
static int check_author(const struct service *service, const struct pid_source *source, pid_t pid,
                        struct error *err)
{
    const struct {
        const char *what;
        uid_t uid;
    } authors[] = {{"", source->owner}, {"its folder ", source->folder_owner}};
    uid_t owner;

    for (size_t i = 0; i < COUNT_OF(authors); i++) {
        if (file_is_trusted_owner(authors[i].uid))
            continue;
        if (!find_owner(pid, &owner) || owner != authors[i].uid)
            return error_set(err, E_REFUSED,
                             "pid file %s: %sbelongs to user %u, but process %d does not",
                             service->pid_file, authors[i].what, (unsigned)authors[i].uid, pid);
    }
    return 0;
}

static int find_pid(const struct service *service, const struct pid_source *source, pid_t *ret,
                    struct error *err)
{
    pid_t pid = 0;

    /* nginx -t makes an empty one when nginx is not running. */
    if (source->data.len == 0)
        return error_set(err, E_COMMAND, "%s is not running: its pid file %s is empty",
                         service->name, service->pid_file);
    if (!parse_pid(&source->data, &pid) || pid == getpid())
        return error_set(err, E_COMMAND, "pid file %s of %s: wanted the number of a process",
                         service->pid_file, service->name);
    if (kill(pid, 0) < 0 && errno == ESRCH)
        return error_set(err, E_COMMAND,
                         "%s is not running: pid file %s names process %d which is gone",
                         service->name, service->pid_file, pid);
    int rc = check_author(service, source, pid, err);
    if (rc == 0)
        *ret = pid;
    return rc;
}

static int read_pid(const struct service *service, pid_t *ret, struct error *err)
{
    struct pid_source source = {0};
    int rc = read_pid_file(service, &source, err);

    if (rc == 0)
        rc = find_pid(service, &source, ret, err);
    blob_done(&source.data);
    return rc;
}

static int send_signal(const struct service *service, struct error *err)
{
    pid_t pid = 0;

    if (!service->pid_file)
        return error_set(err, E_CONFIG, "service %s: wanted a pid file for its reload signal",
                         service->name);
    int rc = read_pid(service, &pid, err);
    if (rc < 0)
        return rc;
    if (kill(pid, service->reload_signal) == 0)
        return 0;
    if (errno == ESRCH)
        return error_set(err, E_COMMAND, "%s is not running: process %d has just ended",
                         service->name, pid);
    return error_set_errno(err, errno, "process %d: cannot signal", pid);
}

int deployer_reload(const struct deploy_order *order, struct error *err)
{
    const struct service *service = order->service;
    int rc = 0;

    if (service->reload[0])
        rc = run(service, service->reload, err);
    else if (service->reload_signal != 0)
        rc = send_signal(service, err);
    return rc < 0 ? error_wrap(err, rc, "reload of %s", service->name) : 0;
}

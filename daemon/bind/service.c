#include <errno.h>
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

/*
 * Whoever may write the pid file chooses which process root signals, so a file that is not root's
 * (or ours) may only name a process of its owner, and one that others may write names none.
 */
static int check_author(const struct service *service, const struct stat *st, pid_t pid,
                        struct error *err)
{
    uid_t owner;

    if ((st->st_mode & S_IWOTH) != 0)
        return error_set(err, E_REFUSED, "pid file %s: everybody may write it", service->pid_file);
    if (st->st_uid == 0 || st->st_uid == geteuid())
        return 0;
    if (!find_owner(pid, &owner) || owner != st->st_uid)
        return error_set(err, E_REFUSED, "pid file %s: belongs to user %u, but process %d does not",
                         service->pid_file, (unsigned)st->st_uid, pid);
    return 0;
}

static int read_pid(const struct service *service, pid_t *ret, struct error *err)
{
    AUTO_BLOB struct blob data = {0};
    struct stat st;
    pid_t pid = 0;

    if (stat(service->pid_file, &st) < 0)
        return error_set(err, E_COMMAND, "%s is not running: its pid file %s: %s", service->name,
                         service->pid_file, strerrordesc_np(errno));
    int rc = file_read(service->pid_file, PID_FILE_MAX, &data, err);
    if (rc < 0)
        return error_wrap(err, rc, "pid file of %s", service->name);
    /* nginx -t makes an empty one when nginx is not running. */
    if (data.len == 0)
        return error_set(err, E_COMMAND, "%s is not running: its pid file %s is empty",
                         service->name, service->pid_file);
    if (!parse_pid(&data, &pid) || pid == getpid())
        return error_set(err, E_COMMAND, "pid file %s of %s: wanted the number of a process",
                         service->pid_file, service->name);
    if (kill(pid, 0) < 0 && errno == ESRCH)
        return error_set(err, E_COMMAND,
                         "%s is not running: pid file %s names process %d which is gone",
                         service->name, service->pid_file, pid);
    rc = check_author(service, &st, pid, err);
    if (rc == 0)
        *ret = pid;
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

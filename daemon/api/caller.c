#include "daemon/api/caller.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

enum { NSS_BUFFER = 64 << 10, GROUPS_MAX = 65536, NAME_MOST = 64 };

int caller_of_socket(int fd, struct caller *ret, struct error *err)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
        return error_set_errno(err, errno, "peer credentials");
    *ret = (struct caller){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
    return 0;
}

static bool group_id(const char *name, gid_t *ret)
{
    AUTO_FREE char *buffer = mem_alloc(1, NSS_BUFFER);
    struct group group, *found = NULL;

    if (getgrnam_r(name, &group, buffer, NSS_BUFFER, &found) != 0 || !found)
        return false;
    *ret = found->gr_gid;
    return true;
}

/* All groups of the user in the database; none when the user is not in it. */
static gid_t *groups_of_user(const struct caller *caller, int *ret_count)
{
    AUTO_FREE char *buffer = mem_alloc(1, NSS_BUFFER);
    struct passwd user, *found = NULL;
    int count = 64;

    *ret_count = 0;
    if (getpwuid_r(caller->uid, &user, buffer, NSS_BUFFER, &found) != 0 || !found)
        return NULL;
    AUTO_FREE gid_t *groups = mem_alloc((size_t)count, sizeof *groups);
    while (getgrouplist(found->pw_name, found->pw_gid, groups, &count) < 0) {
        if (count > GROUPS_MAX)
            return NULL;
        groups = mem_resize(groups, (size_t)count, sizeof *groups);
    }
    *ret_count = count;
    return TAKE(groups);
}

static bool is_member(const struct caller *caller, const gid_t *groups, int count, const char *name)
{
    gid_t wanted;

    if (!name || !group_id(name, &wanted))
        return false;
    if (caller->gid == wanted)
        return true;
    for (int i = 0; i < count; i++)
        if (groups[i] == wanted)
            return true;
    return false;
}

enum role caller_role(const struct caller *caller, const char *read_group, const char *admin_group)
{
    int count = 0;

    if (caller->uid == 0 || caller->uid == geteuid())
        return ROLE_ADMIN;
    if (!read_group && !admin_group)
        return ROLE_NONE;
    AUTO_FREE gid_t *groups = groups_of_user(caller, &count);
    if (is_member(caller, groups, count, admin_group))
        return ROLE_ADMIN;
    return is_member(caller, groups, count, read_group) ? ROLE_READ : ROLE_NONE;
}

char *caller_text(const struct caller *caller, char ret[ACTOR_MAX])
{
    AUTO_FREE char *buffer = mem_alloc(1, NSS_BUFFER);
    struct passwd user, *found = NULL;

    snprintf(ret, ACTOR_MAX, "uid %u", caller->uid);
    if (getpwuid_r(caller->uid, &user, buffer, NSS_BUFFER, &found) != 0 || !found)
        return ret;
    size_t len = strlen(found->pw_name);
    if (len > 0 && len <= NAME_MOST && text_is_header_safe(found->pw_name, len))
        snprintf(ret, ACTOR_MAX, "uid %u (%s)", caller->uid, found->pw_name);
    return ret;
}

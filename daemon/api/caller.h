/* Who is at the other end of a connection, and what that gives the right to. */
#ifndef UL_DAEMON_API_CALLER_H
#define UL_DAEMON_API_CALLER_H

#include <sys/types.h>

#include "base/error.h"

enum role { ROLE_NONE, ROLE_READ, ROLE_ADMIN }; /* in rising order */

struct caller {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

/* The credentials the peer had when it connected (SO_PEERCRED, unix(7)): they cannot be forged. */
int caller_of_socket(int fd, struct caller *ret, struct error *err);

/*
 * root and the daemon's own user may do everything; members of admin_group as well; members of
 * read_group may read; nobody else anything. A group is NULL when there is none. Membership counts
 * by the connecting process's group and by the user's groups in the group database as they are now,
 * so that removing somebody from a group works at once.
 */
enum role caller_role(const struct caller *caller, const char *read_group, const char *admin_group);

/* "uid 0 (root)", for the audit trail: the name as the user database has it now, left out when it
 * has none that is printable and not too long. Returns ret. */
enum { ACTOR_MAX = 96 };
char *caller_text(const struct caller *caller, char ret[ACTOR_MAX]);

#endif

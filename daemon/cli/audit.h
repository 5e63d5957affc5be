/* `unlapse audit verify`: whether the audit trail is whole. */
#ifndef UL_DAEMON_CLI_AUDIT_H
#define UL_DAEMON_CLI_AUDIT_H

#include "daemon/cli/cli.h"

/* An event by id and hash, "1234:0a1b...", as `verify` and `status` print it. */
struct audit_mark {
    int64_t id;
    char hash[2 * 32 + 1]; /* lower-case hexadecimal */
};
bool audit_mark_parse(const char *text, struct audit_mark *ret);

/* expect: an event that must be in it; NULL: none in particular. */
enum cli_exit audit_verify(struct cli *cli, const struct audit_mark *expect);

#endif

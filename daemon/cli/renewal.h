/* What `renew` and `request` share: their arguments, and the call that begins a renewal. */
#ifndef UL_DAEMON_CLI_RENEWAL_H
#define UL_DAEMON_CLI_RENEWAL_H

#include "daemon/cli/cli.h"

struct renewal_arguments {
    const char *name;
    bool again;
};

/* As cli_parse. */
bool renewal_parse(struct cli *cli, int argc, char **argv, struct renewal_arguments *ret);
/* POST .../renewals; as client_call. */
int renewal_begin(struct cli *cli, const struct renewal_arguments *arguments, struct reply *ret,
                  struct error *err);

#endif

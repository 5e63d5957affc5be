/* `unlapse trust list`: the anchors that were added, and the pool of authorities. */
#ifndef UL_DAEMON_CLI_TRUST_LIST_H
#define UL_DAEMON_CLI_TRUST_LIST_H

#include "daemon/cli/cli.h"

enum cli_exit trust_list(struct cli *cli);
/* All pages of it. */
enum cli_exit trust_list_pool(struct cli *cli);

#endif

/* How `unlapse check` tells what it found: to people, and in JSON. */
#ifndef UL_DAEMON_CLI_CHECK_PRINT_H
#define UL_DAEMON_CLI_CHECK_PRINT_H

#include "daemon/cli/check_look.h"
#include "daemon/cli/cli.h"

/* The verdict, then for each look the chain and the findings. */
void check_print(struct cli *cli, const struct check_plan *plan, const struct check_looks *looks);

/* One document with everything; its keys are in unlapse(1). */
void check_print_json(struct cli *cli, const struct check_plan *plan,
                      const struct check_looks *looks);

/* "server", "client", "any" */
const char *check_purpose_text(enum chain_purpose purpose);
/* "sent", "hint", "anchor" */
const char *check_source_text(enum check_source source);

#endif

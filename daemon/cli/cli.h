/*
 * What every verb of `unlapse` shares: the global options, the output, and the way an option list
 * is read. A verb writes to cli->out, which becomes standard output only when the verb could tell
 * all it wanted, and returns an exit status.
 */
#ifndef UL_DAEMON_CLI_CLI_H
#define UL_DAEMON_CLI_CLI_H

#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "daemon/cli/client.h"
#include "daemon/cli/exit.h"
#include "daemon/cli/term.h"

#define CLI_DEFAULT_SOCKET "/run/unlapsed/api.sock"

struct cli {
    const char *socket;
    bool json;
    bool no_color;
    struct term term; /* of standard output */
    utc_t now;
    const struct verb *verb;
    FILE *out; /* in memory until the verb has ended: text and len */
    char *text;
    size_t len;
    enum cli_exit status; /* of a command line that leaves nothing to do */
};

struct verb {
    const char *name;
    enum cli_exit (*run)(struct cli *cli, int argc, char **argv);
    const char *synopsis; /* what follows the name */
    const char *summary;  /* one line */
    const char *details;  /* its options, for `unlapse help NAME`; "" when there are none */
};

/* The table; a NULL name ends it. */
extern const struct verb cli_verbs[];
const struct verb *cli_verb_find(const char *name);

enum { CLI_OPERAND = 1 };

/* One option of a verb or one operand (option CLI_OPERAND). Returns CLI_OK, or CLI_USAGE having
 * said why (cli_usage). */
typedef enum cli_exit (*cli_take_fn)(void *self, struct cli *cli, int option, const char *value);

/*
 * Reads argv[1..] of a verb, options and operands in any order; the global options are known
 * everywhere. own: the verb's long options, ended by a zero entry, or NULL. take may be NULL when
 * there is nothing to take. False when the verb has nothing more to do: the help was written, or a
 * mistake told, and cli->status is what to return.
 */
bool cli_parse(struct cli *cli, int argc, char **argv, const struct option *own, cli_take_fn take,
               void *self);

/* For verbs whose only argument is NAME: *ret_name is borrowed. */
bool cli_parse_name(struct cli *cli, int argc, char **argv, const char **ret_name);

/* Tells a mistake of the command line on standard error; returns CLI_USAGE. */
enum cli_exit cli_usage(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Opens cli->out, throwing away what was written. */
void cli_open_output(struct cli *cli);

/* Writes the help of a verb, or of everything, to cli->out. */
void cli_help(struct cli *cli);
void cli_help_verb(struct cli *cli, const struct verb *verb);

/*
 * Throws the output away, tells a failure on standard error (and with --json the error document on
 * standard output) and returns the exit status. reply is what client_call left, or NULL for a
 * failure of our own.
 */
enum cli_exit cli_fail(struct cli *cli, const struct reply *reply, const struct error *err);

/* What was written so far goes to standard output at once, for verbs that tell without an end.
 * False when it could not: errno says why. */
bool cli_pass_on(struct cli *cli);

/* "2026-11-22T16:57:14Z", "2026-11-22" (its first second) or "@" and seconds since 1970; false on
 * anything else. */
bool cli_parse_time(const char *text, utc_t *ret);

/* With --json: writes the reply as it came and returns true. */
bool cli_json(struct cli *cli, const struct reply *reply);

/* Writes text escaped for one line. */
void cli_put(struct cli *cli, const char *text);
/* "2026-11-22 16:57:14 UTC (in 2 h 5 min)", "... (3 d 1 h ago)", "never". */
void cli_put_time(struct cli *cli, utc_t at);
/* A heading in bold on a terminal. */
void cli_put_head(struct cli *cli, const char *text);
/* "LABEL  " in a column of its own. */
void cli_put_label(struct cli *cli, const char *label);
/* text in the colour of a state */
void cli_put_state(struct cli *cli, const char *state);

enum { CLI_SPAN_MAX = SECONDS_TEXT_MAX + 8 };

/* "2 h 5 min" from now, "3 d ago" when it is past, "now", "-" for never; ret holds CLI_SPAN_MAX
 * bytes; returns ret. */
char *cli_span(const struct cli *cli, utc_t at, char *ret);

#define VERB(name) enum cli_exit name(struct cli *cli, int argc, char **argv)
VERB(verb_add);
VERB(verb_backup);
VERB(verb_audit);
VERB(verb_check);
VERB(verb_check_config);
VERB(verb_doctor);
VERB(verb_explain);
VERB(verb_help);
VERB(verb_history);
VERB(verb_inspect);
VERB(verb_list);
VERB(verb_renew);
VERB(verb_request);
VERB(verb_restore);
VERB(verb_seal);
VERB(verb_show);
VERB(verb_status);
VERB(verb_trust);
VERB(verb_version);

#endif

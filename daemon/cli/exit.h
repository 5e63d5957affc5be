/* Exit statuses of `unlapse`, in one table: scripts depend on them, so a number is never given
 * another meaning. The manual page unlapse(1) lists the same table. */
#ifndef UL_DAEMON_CLI_EXIT_H
#define UL_DAEMON_CLI_EXIT_H

/* clang-format off */
#define EXIT_TABLE(X) \
    X(CLI_OK,           0, "done") \
    X(CLI_ERROR,        1, "an error, or the output could not be written") \
    X(CLI_USAGE,        2, "the command line is not acceptable") \
    X(CLI_UNCHANGED,    3, "nothing to do: it is so already") \
    X(CLI_CONFIG,       4, "the configuration has mistakes") \
    X(CLI_NOT_FOUND,    5, "there is no such object") \
    X(CLI_REFUSED,      6, "refused by a rule or for want of permission") \
    X(CLI_UNREACHABLE,  7, "the daemon cannot be reached") \
    X(CLI_ROLLED_BACK,  8, "a deployment failed and was rolled back") \
    X(CLI_NOT_VERIFIED, 9, "installed, but not verified over the network")
/* What `unlapse check` answers instead. */
#define CHECK_EXIT_TABLE(X) \
    X(CLI_CHECK_GOOD,          0, "good, perhaps with warnings") \
    X(CLI_CHECK_BAD,           1, "bad: at least one finding of that severity") \
    X(CLI_CHECK_USAGE,         2, "the command line is not acceptable") \
    X(CLI_CHECK_COULD_NOT_LOOK, 3, "could not look: no readable file, no certificate, no connection")
/* clang-format on */

enum cli_exit {
#define X(name, value, text) name = (value),
    EXIT_TABLE(X) CHECK_EXIT_TABLE(X)
#undef X
};

/* The exit status that goes with a result code of base/codes.h. */
enum cli_exit exit_of_code(int code);

/* The table as lines for `unlapse help`. */
const char *exit_text(enum cli_exit status);

#endif

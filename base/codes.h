/*
 * The result codes of every function in this tree, in one table: 0 is success, failures are
 * negative. Each code carries a retry class, so a caller that only decides "again or not" needs no
 * list of its own.
 */
#ifndef UL_BASE_CODES_H
#define UL_BASE_CODES_H

enum retry_class {
    RETRY_PERMANENT, /* the same call will fail again until somebody changes something */
    RETRY_TRANSIENT, /* the environment failed: back off and try again */
    RETRY_WAIT,      /* nothing is wrong: something expected has not arrived yet */
};

/* clang-format off */
#define CODE_TABLE(X) \
    X(E_INPUT,      -1, RETRY_PERMANENT, "the input is not acceptable") \
    X(E_CONFIG,     -2, RETRY_PERMANENT, "the configuration is not acceptable") \
    X(E_NOT_FOUND,  -3, RETRY_PERMANENT, "there is no such object") \
    X(E_EXISTS,     -4, RETRY_PERMANENT, "the object exists already") \
    X(E_REFUSED,    -5, RETRY_PERMANENT, "refused by a rule") \
    X(E_DENIED,     -6, RETRY_PERMANENT, "permission denied") \
    X(E_FORMAT,     -7, RETRY_PERMANENT, "the data is not of a known form") \
    X(E_TOO_LARGE,  -8, RETRY_PERMANENT, "the data is larger than its limit") \
    X(E_CRYPTO,     -9, RETRY_PERMANENT, "a cryptographic operation failed") \
    X(E_CORRUPT,   -10, RETRY_PERMANENT, "stored data is damaged") \
    X(E_IO,        -11, RETRY_TRANSIENT, "input or output failed") \
    X(E_FULL,      -12, RETRY_TRANSIENT, "there is no space left") \
    X(E_BUSY,      -13, RETRY_TRANSIENT, "the object is in use") \
    X(E_TIMEOUT,   -14, RETRY_TRANSIENT, "the deadline passed") \
    X(E_NETWORK,   -15, RETRY_TRANSIENT, "the network peer could not be reached or answered badly") \
    X(E_COMMAND,   -16, RETRY_TRANSIENT, "a program that was run failed") \
    X(E_NOT_SERVED,-17, RETRY_TRANSIENT, "an endpoint does not serve what it should") \
    X(E_NO_CHAIN,  -18, RETRY_WAIT,      "the chain to a trust anchor is not complete") \
    X(E_NOT_YET,   -19, RETRY_WAIT,      "the time for it has not come")
/* clang-format on */

enum code {
#define X(name, value, retry, text) name = (value),
    CODE_TABLE(X)
#undef X
};

/* The symbolic name ("E_INPUT") and the text of a code; "OK" for 0, "unknown" for a foreign number.
 */
const char *code_name(int code);
const char *code_text(int code);

/* The retry class of a failure; asserts that the code is one of the table. */
enum retry_class code_retry(int code);

/* The code that stands for an errno value: ENOSPC is E_FULL, EACCES is E_DENIED, ENOENT is
 * E_NOT_FOUND, else E_IO. */
int code_from_errno(int errnum);

#endif

#include "daemon/cli/exit.h"

#include "base/codes.h"

enum cli_exit exit_of_code(int code)
{
    switch ((enum code)code) {
    case E_INPUT:
        return CLI_USAGE;
    case E_CONFIG:
        return CLI_CONFIG;
    case E_NOT_FOUND:
        return CLI_NOT_FOUND;
    case E_REFUSED:
    case E_DENIED:
        return CLI_REFUSED;
    case E_COMMAND:
        return CLI_ROLLED_BACK;
    case E_NOT_SERVED:
        return CLI_NOT_VERIFIED;
    case E_EXISTS:
    case E_FORMAT:
    case E_TOO_LARGE:
    case E_CRYPTO:
    case E_CORRUPT:
    case E_IO:
    case E_FULL:
    case E_BUSY:
    case E_TIMEOUT:
    case E_NETWORK:
    case E_NO_CHAIN:
    case E_NOT_YET:
        return CLI_ERROR;
    }
    return CLI_ERROR;
}

const char *exit_text(enum cli_exit status)
{
    switch (status) {
#define X(name, value, text) \
    case name:               \
        return text;
        EXIT_TABLE(X)
#undef X
    }
    return "unknown";
}

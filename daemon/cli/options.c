#include "daemon/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { OWN_MAX = 16, OPTION_SOCKET = 1000, OPTION_JSON, OPTION_NO_COLOR };

static const struct option global[] = {
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"json", no_argument, NULL, OPTION_JSON},
    {"no-color", no_argument, NULL, OPTION_NO_COLOR},
    {"help", no_argument, NULL, 'h'},
    {0},
};

enum cli_exit cli_usage(const struct cli *cli, const char *format, ...)
{
    AUTO_FREE char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    AUTO_FREE char *escaped = text_escape_all(text ? text : "not acceptable");
    if (cli->verb)
        fprintf(stderr, "unlapse: %s: %s\nsee: unlapse help %s\n", cli->verb->name, escaped,
                cli->verb->name);
    else
        fprintf(stderr, "unlapse: %s\nsee: unlapse help\n", escaped);
    return CLI_USAGE;
}

static bool take_global(struct cli *cli, int option, const char *value)
{
    switch (option) {
    case OPTION_SOCKET:
        cli->socket = value;
        return true;
    case OPTION_JSON:
        cli->json = true;
        return true;
    case OPTION_NO_COLOR:
        cli->no_color = true;
        cli->term.color = false;
        return true;
    default:
        return false;
    }
}

static void join(const struct option *own, struct option *all)
{
    size_t count = 0;

    while (own && own[count].name) {
        if (count == OWN_MAX)
            abort();
        all[count] = own[count];
        count++;
    }
    memcpy(all + count, global, sizeof global);
}

static bool end(struct cli *cli, enum cli_exit status)
{
    cli->status = status;
    return false;
}

static bool take_one(struct cli *cli, int option, const char *value, const char *argument,
                     cli_take_fn take, void *self)
{
    if (option == ':')
        return end(cli, cli_usage(cli, "%s: wanted a value", argument));
    if (option == '?')
        return end(cli, cli_usage(cli, "%s: no such option, or no value is wanted", argument));
    if (take_global(cli, option, value))
        return true;
    if (!take)
        return end(cli, cli_usage(cli, "\"%s\" is too much", value));
    return take(self, cli, option, value) == CLI_OK || end(cli, CLI_USAGE);
}

bool cli_parse(struct cli *cli, int argc, char **argv, const struct option *own, cli_take_fn take,
               void *self)
{
    struct option all[OWN_MAX + COUNT_OF(global)];
    int option;

    join(own, all);
    optind = 0;
    opterr = 0;
    /* "-": operands come in their place, whatever POSIXLY_CORRECT says; ":": we tell mistakes. */
    while ((option = getopt_long(argc, argv, "-:h", all, NULL)) != -1) {
        if (option == 'h') {
            cli_help(cli);
            return end(cli, CLI_OK);
        }
        if (!take_one(cli, option, optarg, argv[optind - 1], take, self))
            return false;
    }
    while (optind < argc) {
        const char *operand = argv[optind++];

        if (!take_one(cli, CLI_OPERAND, operand, operand, take, self))
            return false;
    }
    return true;
}

static enum cli_exit take_name(void *self, struct cli *cli, int option, const char *value)
{
    const char **name = self;

    (void)option;
    if (*name)
        return cli_usage(cli, "\"%s\" is too much: one name is wanted", value);
    if (value[0] == '\0')
        return cli_usage(cli, "the name is empty");
    *name = value;
    return CLI_OK;
}

bool cli_parse_name(struct cli *cli, int argc, char **argv, const char **ret_name)
{
    const char *name = NULL;

    if (!cli_parse(cli, argc, argv, NULL, take_name, &name))
        return false;
    if (!name)
        return end(cli, cli_usage(cli, "the name of a certificate is wanted"));
    *ret_name = name;
    return true;
}

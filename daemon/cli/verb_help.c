#include "daemon/cli/cli.h"

static const char options[] =
    "  --socket PATH   the daemon's socket (default: $UNLAPSED_SOCKET or " CLI_DEFAULT_SOCKET ")\n"
    "  --json          what the daemon answered, as one JSON document\n"
    "  --no-color      no colours (as NO_COLOR in the environment)\n"
    "  -h, --help      help of a verb\n";

static void help_verb(struct cli *cli, const struct verb *verb)
{
    fprintf(cli->out, "unlapse %s%s%s: %s\n", verb->name, verb->synopsis[0] ? " " : "",
            verb->synopsis, verb->summary);
    if (verb->details[0] != '\0')
        fprintf(cli->out, "\n%s", verb->details);
    fprintf(cli->out, "\nEverywhere:\n%s", options);
}

static void help_all(struct cli *cli)
{
    static const enum cli_exit statuses[] = {
#define X(name, value, text) name,
        EXIT_TABLE(X)
#undef X
    };

    fprintf(cli->out, "unlapse: no certificate lapses. It talks to the daemon unlapsed.\n\n"
                      "unlapse [OPTION]... VERB [ARGUMENT]...\n\n");
    for (const struct verb *verb = cli_verbs; verb->name; verb++)
        fprintf(cli->out, "  %-13s %s\n", verb->name, verb->summary);
    fprintf(cli->out, "\nOptions:\n%s\nExit status:\n", options);
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        fprintf(cli->out, "  %d  %s\n", (int)statuses[i], exit_text(statuses[i]));
}

void cli_help(struct cli *cli)
{
    if (cli->verb)
        help_verb(cli, cli->verb);
    else
        help_all(cli);
}

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    const struct verb **verb = self;

    (void)option;
    if (*verb)
        return cli_usage(cli, "\"%s\" is too much: one verb is wanted", value);
    *verb = cli_verb_find(value);
    return *verb ? CLI_OK : cli_usage(cli, "\"%s\": there is no such verb", value);
}

VERB(verb_help)
{
    const struct verb *verb = NULL;

    if (!cli_parse(cli, argc, argv, NULL, take, &verb))
        return cli->status;
    cli->verb = verb;
    cli_help(cli);
    return CLI_OK;
}

#include "daemon/cli/cli.h"

VERB(verb_version)
{
    if (!cli_parse(cli, argc, argv, NULL, NULL, NULL))
        return cli->status;
    if (cli->json)
        fprintf(cli->out, "{\"schema_version\": 1, \"version\": \"%s\"}\n", UNLAPSED_VERSION);
    else
        fprintf(cli->out, "unlapse %s\n", UNLAPSED_VERSION);
    return CLI_OK;
}

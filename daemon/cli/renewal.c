#include "daemon/cli/renewal.h"

#include "daemon/cli/reply.h"

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct renewal_arguments *arguments = self;

    if (option != CLI_OPERAND) {
        arguments->again = true;
        return CLI_OK;
    }
    if (arguments->name)
        return cli_usage(cli, "\"%s\" is too much: one NAME is wanted", value);
    arguments->name = value;
    return CLI_OK;
}

bool renewal_parse(struct cli *cli, int argc, char **argv, struct renewal_arguments *ret)
{
    static const struct option own[] = {{"again", no_argument, NULL, 'a'}, {0}};

    if (!cli_parse(cli, argc, argv, own, take, ret))
        return false;
    if (ret->name && ret->name[0] != '\0')
        return true;
    cli->status = cli_usage(cli, "the NAME of a certificate is wanted");
    return false;
}

int renewal_begin(struct cli *cli, const struct renewal_arguments *arguments, struct reply *ret,
                  struct error *err)
{
    AUTO_FREE char *path = client_path("/v1/certificates/", arguments->name, "/renewals");
    AUTO_JSON json_t *body = json_pack("{s:b}", "again", (int)arguments->again);

    return client_call(cli->socket, path, body, ret, err);
}

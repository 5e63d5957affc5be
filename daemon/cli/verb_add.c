#include "daemon/cli/cli.h"

#include "daemon/cli/reply.h"
#include "daemon/cli/target.h"

struct arguments {
    const char *name;
    const char *policy;
    json_t *names, *targets;
};

static void arguments_done(struct arguments *arguments)
{
    json_decref(arguments->names);
    json_decref(arguments->targets);
}

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct arguments *arguments = self;
    struct error err = {0};
    json_t *target;

    switch (option) {
    case CLI_OPERAND:
        if (arguments->name)
            return cli_usage(cli, "\"%s\" is too much: one NAME is wanted", value);
        arguments->name = value;
        return CLI_OK;
    case 'n':
        if (json_array_append_new(arguments->names, json_string(value)) != 0)
            return cli_usage(cli, "--name: wanted UTF-8, got \"%s\"", value);
        return CLI_OK;
    case 'p':
        if (arguments->policy)
            return cli_usage(cli, "--policy: given twice");
        arguments->policy = value;
        return CLI_OK;
    default:
        if (target_parse(value, &target, &err) != 0)
            return cli_usage(cli, "%s", err.text);
        json_array_append_new(arguments->targets, target);
        return CLI_OK;
    }
}

static enum cli_exit send_it(struct cli *cli, const json_t *body)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (client_call(cli->socket, "/v1/certificates", body, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    const char *name = reply_text(reply.json, "name", &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    cli_put(cli, name);
    fputs(" is looked after from now on; see: unlapse explain ", cli->out);
    cli_put(cli, name);
    fputc('\n', cli->out);
    return CLI_OK;
}

VERB(verb_add)
{
    static const struct option own[] = {
        {"name", required_argument, NULL, 'n'},
        {"policy", required_argument, NULL, 'p'},
        {"target", required_argument, NULL, 't'},
        {0},
    };
    __attribute__((cleanup(arguments_done))) struct arguments arguments = {.names = json_array(),
                                                                           .targets = json_array()};

    if (!cli_parse(cli, argc, argv, own, take, &arguments))
        return cli->status;
    if (!arguments.name || arguments.name[0] == '\0')
        return cli_usage(cli, "the NAME of the certificate is wanted");
    AUTO_JSON json_t *body = json_pack("{s:s, s:O, s:O}", "name", arguments.name, "names",
                                       arguments.names, "targets", arguments.targets);
    if (body && arguments.policy &&
        json_object_set_new(body, "policy", json_string(arguments.policy)) != 0)
        return cli_usage(cli, "--policy: wanted UTF-8, got \"%s\"", arguments.policy);
    if (!body)
        return cli_usage(cli, "wanted UTF-8, got \"%s\"", arguments.name);
    return send_it(cli, body);
}

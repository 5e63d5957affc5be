#include "daemon/cli/cli.h"

#include "base/text.h"

#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

struct arguments {
    const char *name;
    int64_t limit;
};

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct arguments *arguments = self;

    if (option != CLI_OPERAND) {
        if (!text_number(value, 1, 10000, &arguments->limit))
            return cli_usage(cli, "--limit: wanted a number from 1 to 10000, got \"%s\"", value);
        return CLI_OK;
    }
    if (arguments->name || value[0] == '\0')
        return cli_usage(cli, "\"%s\" is not wanted: one name at most", value);
    arguments->name = value;
    return CLI_OK;
}

static void add_row(struct table *table, const json_t *item, struct error *bad)
{
    const char *certificate = reply_text_or_null(item, "certificate", bad);
    const char *kind = reply_text(item, "kind", bad);
    char at[UTC_TEXT_MAX];

    table_cell(table, utc_format_plain(reply_time(item, "at", bad), at), COLOR_PLAIN);
    table_cell(table, certificate ? certificate : "-", COLOR_PLAIN);
    table_cell(table, reply_text(item, "actor", bad), COLOR_PLAIN);
    table_cell(table, kind, color_of_kind(kind));
    table_cell(table, reply_text(item, "text", bad), COLOR_PLAIN);
}

static char *path_of(const struct arguments *arguments)
{
    AUTO_FREE char *query = mem_printf("/history?limit=%lld", (long long)arguments->limit);

    return arguments->name ? client_path("/v1/certificates/", arguments->name, query)
                           : mem_printf("/v1%s", query);
}

VERB(verb_history)
{
    static const struct option own[] = {{"limit", required_argument, NULL, 'l'}, {0}};
    static const char *const headers[] = {"AT", "CERTIFICATE", "BY", "WHAT", "TEXT", NULL};
    struct arguments arguments = {.limit = 100};
    AUTO_REPLY struct reply reply = {0};
    AUTO_TABLE struct table table = {0};
    struct error err = {0};

    if (!cli_parse(cli, argc, argv, own, take, &arguments))
        return cli->status;
    AUTO_FREE char *path = path_of(&arguments);
    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    table_init(&table, headers);
    const json_t *events = reply_array(reply.json, "events", &err);
    for (size_t i = 0; i < json_array_size(events); i++)
        add_row(&table, json_array_get(events, i), &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    table_print(&table, &cli->term, cli->out);
    return CLI_OK;
}

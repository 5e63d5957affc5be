#include "daemon/cli/cli.h"

#include <string.h>

#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    seconds_t *expiring = self;

    if (option == CLI_OPERAND)
        return cli_usage(cli, "\"%s\" is too much", value);
    if (!seconds_parse(value, expiring))
        return cli_usage(cli, "--expiring: wanted a time like 12h, 30d or 2w, got \"%s\"", value);
    return CLI_OK;
}

/* Appends the certificates of a page that are asked for. */
static void keep(const json_t *page, utc_t before, json_t *all, struct error *bad)
{
    for (size_t i = 0; i < json_array_size(page); i++) {
        json_t *item = json_array_get(page, i);

        if (before == UTC_NEVER || reply_time(item, "not_after", bad) <= before)
            json_array_append(all, item);
    }
}

/* One page, with *after moved to where the next one begins, NULL when this was the last. */
static enum cli_exit fetch_page(struct cli *cli, utc_t before, json_t *all, char **after)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    AUTO_FREE char *path = *after ? client_path("/v1/certificates?after=", *after, "")
                                  : mem_strdup("/v1/certificates");

    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    keep(reply_array(reply.json, "certificates", &err), before, all, &err);
    const char *more = reply_text_or_null(reply.json, "more_after", &err);
    if (err.code == 0 && more && *after && strcmp(more, *after) <= 0)
        error_set(&err, E_FORMAT, "the daemon's reply: more_after: it does not move on");
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    free(*after);
    *after = more ? mem_strdup(more) : NULL;
    return CLI_OK;
}

static enum cli_exit put_document(struct cli *cli, json_t *all)
{
    AUTO_JSON json_t *document =
        json_pack("{s:i, s:n, s:O}", "schema_version", 1, "more_after", "certificates", all);

    json_dumpf(document, cli->out, JSON_INDENT(2));
    fputc('\n', cli->out);
    return CLI_OK;
}

static void add_row(struct cli *cli, struct table *table, const json_t *item, struct error *bad)
{
    const json_t *names = reply_array(item, "names", bad);
    const json_t *next = reply_object(item, "next", bad);
    const char *state = reply_text(item, "state", bad);
    utc_t not_after = reply_time(item, "not_after", bad);
    char span[CLI_SPAN_MAX];
    AUTO_BUF struct buf joined = {0};

    buf_init(&joined, BUF_MAX_REPLY);
    for (size_t i = 0; i < json_array_size(names); i++)
        buf_printf(&joined, "%s%s", i > 0 ? " " : "", reply_item_text(names, i, bad));
    table_cell(table, reply_text(item, "name", bad), COLOR_PLAIN);
    table_cell(table, state, color_of_state(state));
    table_cell(table, cli_span(cli, not_after, span),
               not_after < cli->now ? COLOR_BAD : COLOR_PLAIN);
    table_cell(table, reply_text(next, "says", bad), COLOR_PLAIN);
    table_cell(table, cli_span(cli, reply_time(next, "at", bad), span), COLOR_PLAIN);
    table_cell(table, buf_text(&joined), COLOR_PLAIN);
}

VERB(verb_list)
{
    static const struct option own[] = {{"expiring", required_argument, NULL, 'e'}, {0}};
    static const char *const headers[] = {"NAME", "STATE", "ENDS IN", "NEXT", "IN", "NAMES", NULL};
    AUTO_JSON json_t *all = json_array();
    AUTO_TABLE struct table table = {0};
    seconds_t expiring = UTC_NEVER;
    AUTO_FREE char *after = NULL;
    struct error bad = {0};

    if (!cli_parse(cli, argc, argv, own, take, &expiring))
        return cli->status;
    do {
        enum cli_exit status = fetch_page(cli, utc_add(cli->now, expiring), all, &after);
        if (status != CLI_OK)
            return status;
    } while (after);
    if (cli->json)
        return put_document(cli, all);
    table_init(&table, headers);
    for (size_t i = 0; i < json_array_size(all); i++)
        add_row(cli, &table, json_array_get(all, i), &bad);
    if (bad.code != 0)
        return cli_fail(cli, NULL, &bad);
    table_print(&table, &cli->term, cli->out);
    return CLI_OK;
}

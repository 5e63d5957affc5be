#include "daemon/cli/trust_list.h"

#include <inttypes.h>

#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

static void add_row(struct cli *cli, struct table *table, const json_t *item, struct error *bad)
{
    utc_t not_after = reply_time(item, "not_after", bad);
    const char *comment = reply_text_or_null(item, "comment", bad);
    char span[CLI_SPAN_MAX], at[UTC_TEXT_MAX];

    table_cell(table, reply_text(item, "subject", bad), COLOR_PLAIN);
    table_cell(table, cli_span(cli, not_after, span),
               not_after < cli->now ? COLOR_BAD : COLOR_PLAIN);
    table_cell(table, utc_format_plain(reply_time(item, "added_at", bad), at), COLOR_PLAIN);
    table_cell(table, reply_text(item, "added_by", bad), COLOR_PLAIN);
    table_cell(table, comment ? comment : "-", COLOR_PLAIN);
    table_cell(table, reply_text(item, "sha256", bad), COLOR_PLAIN);
}

enum cli_exit trust_list(struct cli *cli)
{
    static const char *const headers[] = {"SUBJECT", "ENDS IN", "ADDED", "BY",
                                          "COMMENT", "SHA-256", NULL};
    AUTO_REPLY struct reply reply = {0};
    AUTO_TABLE struct table table = {0};
    struct error err = {0};

    if (client_call(cli->socket, "/v1/trust", NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    table_init(&table, headers);
    const json_t *anchors = reply_array(reply.json, "anchors", &err);
    for (size_t i = 0; i < json_array_size(anchors); i++)
        add_row(cli, &table, json_array_get(anchors, i), &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    table_print(&table, &cli->term, cli->out);
    return CLI_OK;
}

/* One page, with *after moved to where the next one begins, 0 when this was the last. */
static enum cli_exit fetch_page(struct cli *cli, json_t *all, int64_t *after)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    AUTO_FREE char *path = mem_printf("/v1/authorities?after=%" PRId64, *after);
    int64_t more = 0;

    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    const json_t *page = reply_array(reply.json, "authorities", &err);
    for (size_t i = 0; i < json_array_size(page); i++)
        json_array_append(all, json_array_get(page, i));
    if (!json_is_null(json_object_get(reply.json, "more_after")))
        more = reply_number(reply.json, "more_after", &err);
    if (err.code == 0 && more != 0 && more <= *after)
        error_set(&err, E_FORMAT, "the daemon's reply: more_after: it does not move on");
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    *after = more;
    return CLI_OK;
}

static void add_authority(struct cli *cli, struct table *table, const json_t *item,
                          struct error *bad)
{
    utc_t not_after = reply_time(item, "not_after", bad);
    bool anchored = reply_bool(item, "anchored", bad);
    char span[CLI_SPAN_MAX];

    table_cell(table, reply_text(item, "subject", bad), COLOR_PLAIN);
    table_cell(table, cli_span(cli, not_after, span),
               not_after < cli->now ? COLOR_BAD : COLOR_PLAIN);
    table_cell(table, anchored ? "to a trusted root" : "nowhere",
               anchored ? COLOR_GOOD : COLOR_BUSY);
    table_cell(table, cli_span(cli, reply_time(item, "seen_at", bad), span), COLOR_PLAIN);
    table_cell(table, reply_text(item, "sha256", bad), COLOR_PLAIN);
}

static enum cli_exit put_document(struct cli *cli, json_t *all)
{
    AUTO_JSON json_t *document =
        json_pack("{s:i, s:n, s:O}", "schema_version", 1, "more_after", "authorities", all);
    char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;

    if (text)
        fprintf(cli->out, "%s\n", text);
    free(text);
    return CLI_OK;
}

enum cli_exit trust_list_pool(struct cli *cli)
{
    static const char *const headers[] = {"SUBJECT", "ENDS IN", "LEADS", "SEEN", "SHA-256", NULL};
    AUTO_JSON json_t *all = json_array();
    AUTO_TABLE struct table table = {0};
    struct error bad = {0};
    int64_t after = 0;

    do {
        enum cli_exit status = fetch_page(cli, all, &after);
        if (status != CLI_OK)
            return status;
    } while (after != 0);
    if (cli->json)
        return put_document(cli, all);
    table_init(&table, headers);
    for (size_t i = 0; i < json_array_size(all); i++)
        add_authority(cli, &table, json_array_get(all, i), &bad);
    if (bad.code != 0)
        return cli_fail(cli, NULL, &bad);
    table_print(&table, &cli->term, cli->out);
    return CLI_OK;
}

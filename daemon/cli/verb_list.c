#include "daemon/cli/cli.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

/* A page is held in memory at a time, and output is kept until there is so much of it. */
enum { PAGE = 250, WRITE_AT = 64 << 10 };

struct wish {
    const char *state, *match, *policy, *expiring;
    int64_t limit;
};

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct wish *wish = self;
    seconds_t length;

    switch (option) {
    case 's':
        wish->state = value;
        return CLI_OK;
    case 'm':
        wish->match = value;
        return CLI_OK;
    case 'p':
        wish->policy = value;
        return CLI_OK;
    case 'e':
        if (!seconds_parse(value, &length))
            return cli_usage(cli, "--expiring: wanted a time like 12h, 30d or 2w, got \"%s\"",
                             value);
        wish->expiring = value;
        return CLI_OK;
    case 'l':
        if (!text_number(value, 1, INT64_MAX, &wish->limit))
            return cli_usage(cli, "--limit: wanted a number from 1 on, got \"%s\"", value);
        return CLI_OK;
    default:
        return cli_usage(cli, "\"%s\" is too much", value);
    }
}

static void add_parameter(char **path, const char *key, const char *value)
{
    if (!value)
        return;
    AUTO_FREE char *before = mem_printf("%s&%s=", *path, key);
    free(*path);
    *path = client_path(before, value, "");
}

/* What is written as the pages come. */
struct output {
    struct cli *cli;
    struct table table;
    int64_t count;
};

static void add_row(struct output *output, const json_t *item, struct error *bad)
{
    struct cli *cli = output->cli;
    struct table *table = &output->table;
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

static void add_item(struct output *output, const json_t *item)
{
    fputs(output->count > 0 ? ",\n    " : "\n    ", output->cli->out);
    json_dumpf(item, output->cli->out, JSON_COMPACT);
}

static void begin(struct output *output)
{
    static const char *const headers[] = {"NAME", "STATE", "ENDS IN", "NEXT", "IN", "NAMES", NULL};

    if (output->cli->json)
        fputs("{\n  \"schema_version\": 1,\n  \"certificates\": [", output->cli->out);
    else
        table_init(&output->table, headers);
}

/* more: what --limit has left out begins after it; NULL: nothing. */
static void end(struct output *output, const char *more)
{
    if (!output->cli->json)
        return;
    AUTO_JSON json_t *text = more ? json_string(more) : json_null();
    fprintf(output->cli->out, "%s],\n  \"more_after\": ", output->count > 0 ? "\n  " : "");
    json_dumpf(text, output->cli->out, JSON_ENCODE_ANY);
    fputs("\n}\n", output->cli->out);
}

static void put_page(struct output *output, const json_t *page, struct error *bad)
{
    for (size_t i = 0; i < json_array_size(page); i++) {
        if (output->cli->json)
            add_item(output, json_array_get(page, i));
        else
            add_row(output, json_array_get(page, i), bad);
        output->count++;
    }
    if (output->cli->json || bad->code != 0)
        return;
    table_pass_on(&output->table, &output->cli->term, output->cli->out);
}

/* One page, with *after moved to where the next one begins, NULL when this was the last. */
static enum cli_exit fetch_page(struct output *output, const struct wish *wish, char **after)
{
    struct cli *cli = output->cli;
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    int64_t left = wish->limit - output->count;
    AUTO_FREE char *path = mem_printf("/v1/certificates?limit=%d", left < PAGE ? (int)left : PAGE);

    add_parameter(&path, "state", wish->state);
    add_parameter(&path, "policy", wish->policy);
    add_parameter(&path, "match", wish->match);
    add_parameter(&path, "expiring", wish->expiring);
    add_parameter(&path, "after", *after);
    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    put_page(output, reply_array(reply.json, "certificates", &err), &err);
    const char *more = reply_text_or_null(reply.json, "more_after", &err);
    if (err.code == 0 && more && *after && strcmp(more, *after) <= 0)
        error_set(&err, E_FORMAT, "the daemon's reply: more_after: it does not move on");
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    free(*after);
    *after = more ? mem_strdup(more) : NULL;
    return CLI_OK;
}

static enum cli_exit put_pages(struct output *output, const struct wish *wish)
{
    AUTO_FREE char *after = NULL;

    begin(output);
    do {
        enum cli_exit status = fetch_page(output, wish, &after);

        if (status != CLI_OK)
            return status;
        if (ftell(output->cli->out) >= WRITE_AT && !cli_pass_on(output->cli)) {
            struct error err = {0};
            error_set_errno(&err, errno, "standard output");
            return cli_fail(output->cli, NULL, &err);
        }
    } while (after && output->count < wish->limit);
    end(output, after);
    return CLI_OK;
}

VERB(verb_list)
{
    static const struct option own[] = {
        {"state", required_argument, NULL, 's'},  {"match", required_argument, NULL, 'm'},
        {"policy", required_argument, NULL, 'p'}, {"expiring", required_argument, NULL, 'e'},
        {"limit", required_argument, NULL, 'l'},  {0}};
    struct wish wish = {.limit = INT64_MAX};
    struct output output = {.cli = cli};

    if (!cli_parse(cli, argc, argv, own, take, &wish))
        return cli->status;
    enum cli_exit status = put_pages(&output, &wish);
    table_done(&output.table);
    return status;
}

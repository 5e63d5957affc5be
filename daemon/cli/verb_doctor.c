#include "daemon/cli/cli.h"

#include <string.h>
#include <time.h>

#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

enum { FIRST_PAUSE_MS = 20, LONGEST_PAUSE_MS = 1000 };

static void pause_for(long milliseconds)
{
    const struct timespec length = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&length, NULL);
}

static int begin(const struct cli *cli, struct reply *reply, struct error *err)
{
    AUTO_JSON json_t *body = json_object();

    return client_call(cli->socket, "/v1/doctor", body, reply, err);
}

/* Asks until the run has ended: the daemon looks between its other work. */
static int wait_for_end(const struct cli *cli, struct reply *reply, struct error *err)
{
    int rc = begin(cli, reply, err);

    for (long pause = FIRST_PAUSE_MS; rc == 0; pause *= 2) {
        reply_done(reply);
        *reply = (struct reply){0};
        rc = client_call(cli->socket, "/v1/doctor", NULL, reply, err);
        if (rc < 0 || !reply_bool(reply->json, "running", err))
            break;
        if (pause > LONGEST_PAUSE_MS)
            pause = LONGEST_PAUSE_MS;
        pause_for(pause);
    }
    return rc < 0 ? rc : err->code;
}

static enum color color_of_result(const char *result)
{
    if (strcmp(result, "good") == 0)
        return COLOR_GOOD;
    return strcmp(result, "bad") == 0 ? COLOR_BAD : COLOR_BUSY;
}

static void put_table(struct cli *cli, const json_t *checks, struct error *bad)
{
    static const char *const headers[] = {"CHECK", "RESULT", "WHAT IS LOOKED FOR", NULL};
    AUTO_TABLE struct table table;

    table_init(&table, headers);
    for (size_t i = 0; i < json_array_size(checks); i++) {
        const json_t *check = json_array_get(checks, i);
        const char *result = reply_text(check, "result", bad);

        table_cell(&table, reply_text(check, "check", bad), COLOR_PLAIN);
        table_cell(&table, result, color_of_result(result));
        table_cell(&table, reply_text(check, "means", bad), COLOR_PLAIN);
    }
    table_print(&table, &cli->term, cli->out);
}

static void put_unwell(struct cli *cli, const json_t *check, struct error *bad)
{
    const json_t *broken = reply_array(check, "broken", bad);
    int64_t count = reply_number(check, "count", bad);
    size_t told = json_array_size(broken);

    fputc('\n', cli->out);
    cli_put_head(cli, reply_text(check, "check", bad));
    for (size_t i = 0; i < told; i++) {
        fputs("  ", cli->out);
        cli_put(cli, reply_item_text(broken, i, bad));
        fputc('\n', cli->out);
    }
    if (count > (int64_t)told)
        fprintf(cli->out, "  and %lld more\n", (long long)(count - (int64_t)told));
    fputs("  To do: ", cli->out);
    cli_put(cli, reply_text(check, "remedy", bad));
    fputc('\n', cli->out);
}

VERB(verb_doctor)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (!cli_parse(cli, argc, argv, NULL, NULL, NULL))
        return cli->status;
    if (wait_for_end(cli, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    bool well = reply_bool(reply.json, "well", &err);
    if (cli_json(cli, &reply))
        return well ? CLI_OK : CLI_ERROR;
    const json_t *checks = reply_array(reply.json, "checks", &err);
    put_table(cli, checks, &err);
    for (size_t i = 0; i < json_array_size(checks); i++)
        if (strcmp(reply_text(json_array_get(checks, i), "result", &err), "good") != 0)
            put_unwell(cli, json_array_get(checks, i), &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    return well ? CLI_OK : CLI_ERROR;
}

#include "daemon/cli/cli.h"

#include <string.h>

#include "daemon/cli/reply.h"

/* What is so, in one line: the first thing read at night. */
static void put_state(struct cli *cli, const json_t *json, struct error *bad)
{
    cli_put(cli, reply_text(json, "name", bad));
    fputc(' ', cli->out);
    cli_put(cli, reply_text(json, "says", bad));
    fputs(" (", cli->out);
    cli_put_state(cli, reply_text(json, "state", bad));
    fputs(").\n", cli->out);
}

static void put_why(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *why = reply_array(json, "why", bad);

    fputc('\n', cli->out);
    cli_put_head(cli, "Why");
    for (size_t i = 0; i < json_array_size(why); i++) {
        fputs("  ", cli->out);
        cli_put(cli, reply_item_text(why, i, bad));
        fputc('\n', cli->out);
    }
}

/* In these states it is a person's turn, whatever the daemon does next. */
static void put_waited_for(struct cli *cli, const json_t *json, struct error *bad)
{
    static const struct {
        const char *state, *says;
    } turns[] = {
        {"handed over", "order the certificate with the CSR (\"unlapse request\" prints it), and "
                        "drop what comes back"},
        {"rejected", "drop a certificate that fits; the reason for the refusal stands below"},
        {"waiting chain", "drop the authority's intermediate certificates"},
        {"chain ends", "drop the authority's current intermediate certificates"},
    };
    const char *state = reply_text(json, "state", bad);

    for (size_t i = 0; i < COUNT_OF(turns); i++) {
        if (strcmp(turns[i].state, state) != 0)
            continue;
        fputc('\n', cli->out);
        cli_put_head(cli, "What a person must do");
        fprintf(cli->out, "  %s.\n", turns[i].says);
    }
}

static const char *owner_says(const char *owner)
{
    if (strcmp(owner, "daemon") == 0)
        return "by the daemon";
    if (strcmp(owner, "person") == 0)
        return "waiting for a person";
    return "by nobody";
}

static void put_next(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *next = reply_object(json, "next", bad);
    utc_t at = reply_time(next, "at", bad);

    fputc('\n', cli->out);
    cli_put_head(cli, "What happens next");
    fputs("  ", cli->out);
    cli_put(cli, reply_text(next, "says", bad));
    const char *owner = reply_text(next, "owner", bad);
    if (at == UTC_NEVER) {
        fputs(".\n", cli->out);
        return;
    }
    fputs(at <= cli->now ? ", now; it was due at " : ", at ", cli->out);
    cli_put_time(cli, at);
    fprintf(cli->out, ", %s.\n", owner_says(owner));
}

static void put_errors(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *errors = reply_array(json, "errors", bad);

    if (json_array_size(errors) == 0)
        return;
    fputc('\n', cli->out);
    cli_put_head(cli, "Last errors");
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const json_t *item = json_array_get(errors, i);

        fputs("  ", cli->out);
        cli_put_time(cli, reply_time(item, "at", bad));
        fputs(": ", cli->out);
        cli_put(cli, reply_text(item, "what", bad));
        fputs(": ", cli->out);
        cli_put(cli, reply_text(item, "text", bad));
        fputc('\n', cli->out);
    }
}

static void put_fate(struct cli *cli, const json_t *item, struct error *bad)
{
    utc_t sent = reply_time(item, "sent_at", bad), refused = reply_time(item, "bad_at", bad);
    utc_t dropped = reply_time(item, "dropped_at", bad),
          next = reply_time(item, "next_try_at", bad);
    const char *error = reply_text_or_null(item, "last_error", bad);

    if (sent != UTC_NEVER) {
        fputs("sent ", cli->out);
        cli_put_time(cli, sent);
        return;
    }
    if (dropped != UTC_NEVER) {
        fputs("not sent: overtaken by events", cli->out);
        return;
    }
    fputs(refused != UTC_NEVER ? "given up " : "not sent yet, next attempt ", cli->out);
    cli_put_time(cli, refused != UTC_NEVER ? refused : next);
    if (error) {
        fputs("; last error: ", cli->out);
        cli_put(cli, error);
    }
}

static void put_told(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *told = reply_array(json, "told", bad);

    fputc('\n', cli->out);
    cli_put_head(cli, "Who was told");
    if (json_array_size(told) == 0)
        fputs("  nobody yet\n", cli->out);
    for (size_t i = 0; i < json_array_size(told); i++) {
        const json_t *item = json_array_get(told, i);

        fputs("  ", cli->out);
        cli_put(cli, reply_text(item, "recipient", bad));
        fputs(": ", cli->out);
        cli_put(cli, reply_text(item, "kind", bad));
        fputs(", ", cli->out);
        put_fate(cli, item, bad);
        fputc('\n', cli->out);
    }
}

VERB(verb_explain)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    const char *name;

    if (!cli_parse_name(cli, argc, argv, &name))
        return cli->status;
    AUTO_FREE char *path = client_path("/v1/certificates/", name, "/explain");
    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_state(cli, reply.json, &err);
    put_why(cli, reply.json, &err);
    put_waited_for(cli, reply.json, &err);
    put_next(cli, reply.json, &err);
    put_errors(cli, reply.json, &err);
    put_told(cli, reply.json, &err);
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

#include "daemon/cli/cli.h"

#include <string.h>

#include "daemon/cli/reply.h"

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    const char **action = self;

    (void)option;
    if (*action)
        return cli_usage(cli, "\"%s\" is too much", value);
    *action = value;
    return CLI_OK;
}

static void put_older(struct cli *cli, const json_t *json, const char *label, const char *key,
                      const char *none, struct error *bad)
{
    const json_t *list = reply_array(json, key, bad);

    cli_put_label(cli, label);
    for (size_t i = 0; i < json_array_size(list); i++) {
        fputs(i > 0 ? ", " : "", cli->out);
        cli_put(cli, reply_item_text(list, i, bad));
    }
    fprintf(cli->out, "%s\n", json_array_size(list) > 0 ? "" : none);
}

static void put_state(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *rotation = reply_object_or_null(json, "rotation", bad);
    int64_t left = reply_number(json, "left", bad);

    cli_put_label(cli, "Sealing key");
    cli_put(cli, reply_text(json, "key", bad));
    fputs(", in ", cli->out);
    cli_put(cli, reply_text(json, "file", bad));
    fputc('\n', cli->out);
    put_older(cli, json, "Older ones", "older", "none", bad);
    put_older(cli, json, "Missing", "missing", "none", bad);
    cli_put_label(cli, "Change");
    if (!rotation) {
        fputs("none goes on", cli->out);
    } else {
        fprintf(cli->out, "%lld keys are sealed anew so far; asked for by ",
                (long long)reply_number(rotation, "done", bad));
        cli_put(cli, reply_text(rotation, "by", bad));
        fputs(", ", cli->out);
        cli_put_time(cli, reply_time(rotation, "began_at", bad));
    }
    fprintf(cli->out, "; %lld keys are under older ones\n", (long long)left);
}

static enum cli_exit status(struct cli *cli)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (client_call(cli->socket, "/v1/seal", NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_state(cli, reply.json, &err);
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

/* What the administrator must do that no daemon can: copies of keys, apart from the inventory. */
static void put_advice(struct cli *cli, const json_t *json, struct error *bad)
{
    const char *file = reply_text(json, "file", bad);
    const json_t *older = reply_array(json, "older", bad);

    fputs("\nKeep a copy of ", cli->out);
    cli_put(cli, file);
    fputs(" apart from copies of the inventory: the one you had is that of the old key.\n"
          "Backups that were made before need the old key, which stays beside it:\n  ",
          cli->out);
    cli_put(cli, file);
    fputs(".old-", cli->out);
    cli_put(cli, json_array_size(older) > 0 ? reply_item_text(older, 0, bad) : "");
    fputs("\nWhen the last of those backups is gone, and \"unlapse seal status\" says that no keys "
          "are under\nolder ones, remove that file.\n",
          cli->out);
}

static enum cli_exit rotate(struct cli *cli)
{
    AUTO_JSON json_t *body = json_object();
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (client_call(cli->socket, "/v1/seal/rotations", body, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    bool existing = reply_bool(reply.json, "existing", &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    if (cli_json(cli, &reply))
        return existing ? CLI_UNCHANGED : CLI_OK;
    if (existing)
        fputs("The last change of the sealing key goes on yet: nothing was done.\n", cli->out);
    put_state(cli, reply.json, &err);
    if (!existing)
        put_advice(cli, reply.json, &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    return existing ? CLI_UNCHANGED : CLI_OK;
}

VERB(verb_seal)
{
    const char *action = NULL;

    if (!cli_parse(cli, argc, argv, NULL, take, &action))
        return cli->status;
    if (action && strcmp(action, "status") == 0)
        return status(cli);
    if (action && strcmp(action, "rotate") == 0)
        return rotate(cli);
    return cli_usage(cli, "wanted status or rotate, got \"%s\"", action ? action : "");
}

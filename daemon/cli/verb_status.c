#include "daemon/cli/cli.h"

#include "daemon/cli/reply.h"

static void put_daemon(struct cli *cli, const json_t *json, struct error *bad)
{
    utc_t started = reply_time(json, "started_at", bad);

    cli_put_label(cli, "Daemon");
    fputs("unlapsed ", cli->out);
    cli_put(cli, reply_text(json, "version", bad));
    fputs(" on ", cli->out);
    cli_put(cli, reply_text(json, "host", bad));
    fprintf(cli->out, ", process %lld\n", (long long)reply_number(json, "pid", bad));
    cli_put_label(cli, "Started");
    cli_put_time(cli, started);
    fputc('\n', cli->out);
    cli_put_label(cli, "Configuration");
    cli_put(cli, reply_text(json, "config", bad));
    fputc('\n', cli->out);
}

static void put_certificates(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *states = reply_object(json, "states", bad);
    int64_t total = reply_number(json, "certificates", bad);
    int64_t counted = reply_number(json, "counted", bad);
    const char *state, *between = " (";
    json_t *number;

    cli_put_label(cli, "Certificates");
    fprintf(cli->out, "%lld", (long long)total);
    json_object_foreach((json_t *)(uintptr_t)states, state, number)
    {
        if (json_integer_value(number) == 0)
            continue;
        fputs(between, cli->out);
        fprintf(cli->out, "%lld ", (long long)json_integer_value(number));
        cli_put_state(cli, state);
        between = ", ";
    }
    if (between[0] == ',')
        fputc(')', cli->out);
    if (counted < total)
        fprintf(cli->out, "; only the first %lld were looked at", (long long)counted);
    fputc('\n', cli->out);
}

static void put_mail(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *mail = reply_object(json, "mail", bad);
    int64_t waiting = reply_number(mail, "waiting", bad);

    cli_put_label(cli, "Mail");
    if (!reply_bool(mail, "enabled", bad))
        fputs("switched off; ", cli->out);
    if (waiting == 0) {
        fputs("nothing waits\n", cli->out);
        return;
    }
    fprintf(cli->out, "%lld waiting, the oldest since ", (long long)waiting);
    cli_put_time(cli, reply_time(mail, "oldest", bad));
    fputc('\n', cli->out);
}

static void put_drop(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *drop = reply_object(json, "drop", bad);
    const char *folder = reply_text_or_null(drop, "folder", bad);

    cli_put_label(cli, "Drop folder");
    cli_put(cli, folder ? folder : "unknown");
    if (reply_text_or_null(drop, "trouble", bad)) {
        fputs(", cannot be used since ", cli->out);
        cli_put_time(cli, reply_time(drop, "since", bad));
    }
    fputc('\n', cli->out);
}

static void put_backups(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *backups = reply_object_or_null(json, "backups", bad);

    cli_put_label(cli, "Backups");
    if (!backups) {
        fputs("unknown; see: unlapse backup list\n", cli->out);
        return;
    }
    if (reply_text_or_null(backups, "newest", bad)) {
        fputs("the newest ", cli->out);
        cli_put_time(cli, reply_time(backups, "made_at", bad));
    } else {
        fputs("none yet", cli->out);
    }
    fputs("; next ", cli->out);
    cli_put_time(cli, reply_time(backups, "next_at", bad));
    fputc('\n', cli->out);
}

static void put_damage(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *damage = reply_object_or_null(json, "damage", bad);

    if (!damage)
        return;
    cli_put_label(cli, "Inventory");
    fputs("DAMAGED since ", cli->out);
    cli_put_time(cli, reply_time(damage, "since", bad));
    fputs(": nothing is renewed\n", cli->out);
}

static void put_audit(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *audit = reply_object(json, "audit", bad);
    const json_t *head = reply_object(audit, "head", bad);

    cli_put_label(cli, "Audit trail");
    fprintf(cli->out,
            "%lld events, the newest is %lld:", (long long)reply_number(audit, "events", bad),
            (long long)reply_number(head, "id", bad));
    cli_put(cli, reply_text(head, "hash", bad));
    fputc('\n', cli->out);
}

static void put_next(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *next = reply_object_or_null(json, "next", bad);

    cli_put_label(cli, "Next");
    if (!next) {
        fputs("nothing is planned\n", cli->out);
        return;
    }
    const char *says = reply_text_or_null(next, "says", bad);
    cli_put(cli, reply_text(next, "certificate", bad));
    fputs(": ", cli->out);
    cli_put(cli, says ? says : "an action this program does not know");
    fputs(", ", cli->out);
    cli_put_time(cli, reply_time(next, "at", bad));
    fputc('\n', cli->out);
}

static void put_problems(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *problems = reply_array(json, "problems", bad);

    if (json_array_size(problems) == 0)
        return;
    fputc('\n', cli->out);
    cli_put_head(cli, "Problems");
    for (size_t i = 0; i < json_array_size(problems); i++) {
        const json_t *item = json_array_get(problems, i);
        const char *certificate = reply_text_or_null(item, "certificate", bad);

        fputs("  ", cli->out);
        cli_put(cli, certificate ? certificate : "unlapsed");
        fputs(": ", cli->out);
        cli_put(cli, reply_text(item, "text", bad));
        fputc('\n', cli->out);
    }
}

VERB(verb_status)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (!cli_parse(cli, argc, argv, NULL, NULL, NULL))
        return cli->status;
    if (client_call(cli->socket, "/v1/status", NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_daemon(cli, reply.json, &err);
    put_damage(cli, reply.json, &err);
    put_certificates(cli, reply.json, &err);
    put_mail(cli, reply.json, &err);
    put_drop(cli, reply.json, &err);
    put_backups(cli, reply.json, &err);
    put_audit(cli, reply.json, &err);
    put_next(cli, reply.json, &err);
    put_problems(cli, reply.json, &err);
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

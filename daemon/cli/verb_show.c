#include "daemon/cli/cli.h"

#include <string.h>

#include "daemon/cli/reply.h"

static void put_text(struct cli *cli, const char *label, const char *text)
{
    cli_put_label(cli, label);
    cli_put(cli, text ? text : "-");
    fputc('\n', cli->out);
}

static void put_time(struct cli *cli, const char *label, utc_t at)
{
    cli_put_label(cli, label);
    cli_put_time(cli, at);
    fputc('\n', cli->out);
}

/* A time only when it happened. */
static void put_fact(struct cli *cli, const json_t *object, const char *key, const char *label,
                     struct error *bad)
{
    utc_t at = reply_time(object, key, bad);

    if (at != UTC_NEVER)
        put_time(cli, label, at);
}

static void put_names(struct cli *cli, const json_t *object, struct error *bad)
{
    const json_t *names = reply_array(object, "names", bad);

    cli_put_label(cli, "Names");
    for (size_t i = 0; i < json_array_size(names); i++) {
        fputs(i > 0 ? ", " : "", cli->out);
        cli_put(cli, reply_item_text(names, i, bad));
    }
    fputc('\n', cli->out);
}

static void put_head(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *next = reply_object(json, "next", bad);
    utc_t at = reply_time(next, "at", bad);

    put_text(cli, "Name", reply_text(json, "name", bad));
    put_names(cli, json, bad);
    put_text(cli, "Policy", reply_text(json, "policy", bad));
    cli_put_label(cli, "State");
    cli_put_state(cli, reply_text(json, "state", bad));
    fputs(": ", cli->out);
    cli_put(cli, reply_text(json, "says", bad));
    fputc('\n', cli->out);
    cli_put_label(cli, "Next");
    cli_put(cli, reply_text(next, "says", bad));
    if (at != UTC_NEVER) {
        fputs(", ", cli->out);
        cli_put_time(cli, at);
    }
    fputc('\n', cli->out);
    put_time(cli, "In service to", reply_time(json, "not_after", bad));
    put_time(cli, "Due", reply_time(json, "due_at", bad));
    put_time(cli, "Added", reply_time(json, "added_at", bad));
    put_fact(cli, json, "retired_at", "Retired", bad);
}

static void put_accepted(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *accepted = reply_object_or_null(json, "accepted", bad);

    if (!accepted)
        return;
    fputc('\n', cli->out);
    cli_put_head(cli, "Newest certificate");
    put_text(cli, "Subject", reply_text(accepted, "subject", bad));
    put_names(cli, accepted, bad);
    put_text(cli, "Issuer", reply_text(accepted, "issuer", bad));
    put_text(cli, "Serial", reply_text(accepted, "serial", bad));
    put_text(cli, "SHA-256", reply_text(accepted, "sha256", bad));
    put_text(cli, "Key", reply_text(accepted, "key", bad));
    put_text(cli, "Signature", reply_text(accepted, "signature", bad));
    put_time(cli, "From", reply_time(accepted, "not_before", bad));
    put_time(cli, "To", reply_time(accepted, "not_after", bad));
    if (reply_time(accepted, "chain_not_after", bad) < reply_time(accepted, "not_after", bad))
        put_time(cli, "Chain to", reply_time(accepted, "chain_not_after", bad));
    put_time(cli, "Accepted", reply_time(accepted, "accepted_at", bad));
    cli_put_label(cli, "Renewal");
    fprintf(cli->out, "%lld: ", (long long)reply_number(accepted, "renewal", bad));
    cli_put(cli, reply_text(accepted, "reason", bad));
    fputc('\n', cli->out);
}

static void put_open(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *open = reply_object_or_null(json, "open", bad);

    if (!open)
        return;
    fputc('\n', cli->out);
    cli_put_head(cli, "Open renewal");
    cli_put_label(cli, "Renewal");
    fprintf(cli->out, "%lld: ", (long long)reply_number(open, "renewal", bad));
    cli_put(cli, reply_text(open, "reason", bad));
    fputc('\n', cli->out);
    put_names(cli, open, bad);
    put_fact(cli, open, "created_at", "Begun", bad);
    put_fact(cli, open, "requested_at", "Key and CSR", bad);
    put_fact(cli, open, "handed_over_at", "Handed over", bad);
    put_fact(cli, open, "received_at", "Received", bad);
    put_fact(cli, open, "rejected_at", "Refused", bad);
    const char *rejected = reply_text_or_null(open, "rejected_reason", bad);
    if (rejected)
        put_text(cli, "  because", rejected);
    put_fact(cli, open, "failed_at", "Failed", bad);
    const char *failed = reply_text_or_null(open, "failed_reason", bad);
    if (failed)
        put_text(cli, "  because", failed);
}

static void put_files(struct cli *cli, const json_t *target, struct error *bad)
{
    json_t *files = (json_t *)(uintptr_t)reply_object(target, "files", bad), *path;
    const char *part;

    json_object_foreach(files, part, path)
    {
        AUTO_FREE char *label = mem_printf("  %.10s", part);

        put_text(cli, label, reply_text(files, part, bad));
    }
}

static void put_endpoints(struct cli *cli, const json_t *target, struct error *bad)
{
    const json_t *endpoints = reply_array(target, "endpoints", bad);

    for (size_t i = 0; i < json_array_size(endpoints); i++) {
        const json_t *endpoint = json_array_get(endpoints, i);
        const char *host = reply_text(endpoint, "host", bad);
        const char *name = reply_text_or_null(endpoint, "server_name", bad);
        bool brackets = strchr(host, ':') != NULL;

        cli_put_label(cli, "  endpoint");
        fputs(brackets ? "[" : "", cli->out);
        cli_put(cli, host);
        fprintf(cli->out, "%s:%lld%s", brackets ? "]" : "",
                (long long)reply_number(endpoint, "port", bad), name ? ", server name " : "");
        cli_put(cli, name ? name : "");
        fputc('\n', cli->out);
    }
}

static void put_deployment(struct cli *cli, const json_t *target, struct error *bad)
{
    static const char *const steps[][2] = {
        {"scheduled_at", "  scheduled"}, {"staged_at", "  staged"},     {"swapped_at", "  swapped"},
        {"reloaded_at", "  reloaded"},   {"verified_at", "  verified"}, {"failed_at", "  failed"},
    };
    const json_t *deployment = reply_object_or_null(target, "deployment", bad);

    if (!deployment)
        return;
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        put_fact(cli, deployment, steps[i][0], steps[i][1], bad);
    const char *reason = reply_text_or_null(deployment, "reason", bad);
    const char *report = reply_text_or_null(deployment, "report", bad);
    if (reason)
        put_text(cli, "  because", reason);
    if (report)
        put_text(cli, "  report", report);
}

static void put_targets(struct cli *cli, const json_t *json, struct error *bad)
{
    const json_t *targets = reply_array(json, "targets", bad);

    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *target = json_array_get(targets, i);
        AUTO_FREE char *head =
            mem_printf("\nTarget %lld", (long long)reply_number(target, "id", bad));

        fputc('\n', cli->out);
        cli_put_head(cli, head + 1);
        put_text(cli, "  service", reply_text(target, "service", bad));
        put_files(cli, target, bad);
        put_endpoints(cli, target, bad);
        put_deployment(cli, target, bad);
    }
}

VERB(verb_show)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    const char *name;

    if (!cli_parse_name(cli, argc, argv, &name))
        return cli->status;
    AUTO_FREE char *path = client_path("/v1/certificates/", name, "");
    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_head(cli, reply.json, &err);
    put_accepted(cli, reply.json, &err);
    put_open(cli, reply.json, &err);
    put_targets(cli, reply.json, &err);
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/cli/check_print.h"

enum {
    FILES_MAX = 32,
    OPTION_HOST = 1,
    OPTION_AT,
    OPTION_ANCHOR,
    OPTION_UNTRUSTED,
    OPTION_PURPOSE,
    OPTION_STARTTLS
};

/* The letters are told apart from CLI_OPERAND by this. */
enum { OWN = 256 };

static const struct option options[] = {
    {"host", required_argument, NULL, OWN + OPTION_HOST},
    {"at", required_argument, NULL, OWN + OPTION_AT},
    {"anchor", required_argument, NULL, OWN + OPTION_ANCHOR},
    {"untrusted", required_argument, NULL, OWN + OPTION_UNTRUSTED},
    {"purpose", required_argument, NULL, OWN + OPTION_PURPOSE},
    {"starttls", required_argument, NULL, OWN + OPTION_STARTTLS},
    {0},
};

struct ask {
    struct check_plan plan;
    const char *anchors[FILES_MAX], *untrusted[FILES_MAX];
    size_t anchor_count, untrusted_count;
    char host[CHECK_HOST_MAX];
};

static enum cli_exit take_host(struct check_plan *plan, struct cli *cli, const char *value)
{
    struct error err = {0};

    if (value[0] == '*')
        return cli_usage(cli, "--host: wanted one name, got the pattern \"%s\"", value);
    return names_add_tagged(&plan->names, value, &err) == 0
               ? CLI_OK
               : cli_usage(cli, "--host: %s", err.text);
}

static enum cli_exit take_purpose(struct check_plan *plan, struct cli *cli, const char *value)
{
    static const enum chain_purpose purposes[] = {CHAIN_SERVER, CHAIN_CLIENT, CHAIN_ANY};

    for (size_t i = 0; i < COUNT_OF(purposes); i++)
        if (strcmp(value, check_purpose_text(purposes[i])) == 0) {
            plan->purpose = purposes[i];
            return CLI_OK;
        }
    return cli_usage(cli, "--purpose: wanted server, client or any, got \"%s\"", value);
}

static enum cli_exit take_file(struct cli *cli, const char *value, const char *files[],
                               size_t *count)
{
    if (*count == FILES_MAX)
        return cli_usage(cli, "wanted at most %d files of a kind", FILES_MAX);
    files[(*count)++] = value;
    return CLI_OK;
}

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct ask *ask = self;

    switch (option - OWN) {
    case OPTION_HOST:
        return take_host(&ask->plan, cli, value);
    case OPTION_AT:
        return cli_parse_time(value, &ask->plan.at)
                   ? CLI_OK
                   : cli_usage(cli,
                               "--at: wanted 2026-11-22T16:57:14Z, 2026-11-22 or @SECONDS, "
                               "got \"%s\"",
                               value);
    case OPTION_ANCHOR:
        return take_file(cli, value, ask->anchors, &ask->anchor_count);
    case OPTION_UNTRUSTED:
        return take_file(cli, value, ask->untrusted, &ask->untrusted_count);
    case OPTION_PURPOSE:
        return take_purpose(&ask->plan, cli, value);
    case OPTION_STARTTLS:
        return starttls_find(value, &ask->plan.starttls)
                   ? CLI_OK
                   : cli_usage(cli, "--starttls: there is no protocol \"%s\" here", value);
    default:
        if (ask->plan.target)
            return cli_usage(cli, "\"%s\" is too much: one FILE or HOST is wanted", value);
        ask->plan.target = value;
        return CLI_OK;
    }
}

/* "HOST", "HOST:PORT", "[ADDRESS]:PORT", an address of IPv6 alone; false when it is none. */
static bool read_target(struct ask *ask)
{
    const char *text = ask->plan.target, *port = NULL;
    const char *colon = strrchr(text, ':'), *close = strchr(text, ']');
    size_t len = strlen(text);
    int64_t number = starttls_port(ask->plan.starttls);
    uint8_t address[16];

    if (text[0] == '[') {
        if (!close || (close[1] != '\0' && close[1] != ':'))
            return false;
        port = close[1] == ':' ? close + 2 : NULL;
        text++;
        len = (size_t)(close - text);
    } else if (colon && strchr(text, ':') == colon) {
        port = colon + 1;
        len = (size_t)(colon - text);
    }
    if (len == 0 || len >= sizeof ask->host || (port && !text_number(port, 1, 65535, &number)))
        return false;
    memcpy(ask->host, text, len);
    ask->host[len] = '\0';
    ask->plan.host = ask->host;
    ask->plan.host_is_address =
        inet_pton(AF_INET, ask->host, address) == 1 || inet_pton(AF_INET6, ask->host, address) == 1;
    ask->plan.port = (int)number;
    return true;
}

/* A file that exists is a file, whatever its name looks like. */
static enum cli_exit find_target(struct ask *ask, struct cli *cli)
{
    struct check_plan *plan = &ask->plan;
    struct error err = {0};

    if (!plan->target || plan->target[0] == '\0')
        return cli_usage(cli, "a FILE or HOST:PORT is wanted");
    bool file = strcmp(plan->target, "-") == 0 || strchr(plan->target, '/') ||
                (plan->starttls == STARTTLS_NONE && access(plan->target, F_OK) == 0);
    if (file && plan->starttls != STARTTLS_NONE)
        return cli_usage(cli, "--starttls is for HOST:PORT, and \"%s\" is a file", plan->target);
    if (file)
        return CLI_OK;
    if (!read_target(ask))
        return cli_usage(cli, "\"%s\": no such file, and no HOST:PORT", plan->target);
    if (plan->names.count == 0 && names_add_tagged(&plan->names, plan->host, &err) < 0)
        return cli_usage(cli, "\"%s\": no such file, and as a host: %s", plan->target, err.text);
    return CLI_OK;
}

static int read_hints(struct ask *ask, struct error *err)
{
    for (size_t i = 0; i < ask->untrusted_count; i++) {
        struct check_file file = {0};
        int rc = check_read_file(ask->untrusted[i], &file, err);

        if (rc < 0)
            return rc;
        for (size_t j = 0; j < file.certs.count; j++)
            blobs_add(&ask->plan.untrusted, blob_span(&file.certs.items[j]));
        blobs_done(&file.certs);
    }
    return 0;
}

static enum cli_exit exit_of(enum check_verdict verdict)
{
    switch (verdict) {
    case VERDICT_GOOD:
        return CLI_CHECK_GOOD;
    case VERDICT_BAD:
        return CLI_CHECK_BAD;
    case VERDICT_COULD_NOT_LOOK:
        return CLI_CHECK_COULD_NOT_LOOK;
    }
    return CLI_CHECK_COULD_NOT_LOOK;
}

static enum cli_exit look(struct cli *cli, const struct check_plan *plan)
{
    AUTO_LOOKS struct check_looks looks = {0};

    if (plan->host)
        check_look_at_host(plan, &looks);
    else
        check_look_at_file(plan, &looks);
    if (cli->json)
        check_print_json(cli, plan, &looks);
    else
        check_print(cli, plan, &looks);
    return exit_of(check_verdict_of(&looks));
}

static enum cli_exit run(struct cli *cli, struct ask *ask)
{
    struct check_plan *plan = &ask->plan;
    struct error err = {0};
    enum cli_exit status = find_target(ask, cli);

    if (status != CLI_OK)
        return status;
    plan->system_anchors = ask->anchor_count == 0;
    if (anchors_open(ask->anchors, ask->anchor_count, plan->system_anchors, &plan->anchors, &err) <
            0 ||
        read_hints(ask, &err) < 0) {
        cli_fail(cli, NULL, &err);
        return CLI_CHECK_COULD_NOT_LOOK;
    }
    return look(cli, plan);
}

VERB(verb_check)
{
    struct ask ask = {.plan = {.at = cli->now, .purpose = CHAIN_SERVER}};
    enum cli_exit status =
        cli_parse(cli, argc, argv, options, take, &ask) ? run(cli, &ask) : cli->status;

    names_done(&ask.plan.names);
    blobs_done(&ask.plan.untrusted);
    anchors_free(ask.plan.anchors);
    return status;
}

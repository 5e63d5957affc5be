#include "daemon/cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

#include "daemon/cli/audit.h"
#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

enum { LIMIT_DEFAULT = 100, PAGE = 250, PATH_MOST = 256, WAIT_MS = 1000, SHORT_HASH = 8 };

struct arguments {
    utc_t since, until; /* UTC_NEVER: not given */
    int64_t limit;      /* 0: not given */
    bool follow, verify, has_expect;
    struct audit_mark expect;
};

/* What is told, and how far it has got. */
struct telling {
    const struct arguments *arguments;
    struct table table;
    int64_t after; /* the last event that was told; -1: none was asked for yet */
    bool more;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* A time, or how long ago. */
static enum cli_exit take_time(struct cli *cli, const char *option, const char *value, utc_t *ret)
{
    seconds_t ago;

    if (cli_parse_time(value, ret))
        return CLI_OK;
    if (!seconds_parse(value, &ago))
        return cli_usage(cli,
                         "--%s: wanted 2026-11-22T16:57:14Z, 2026-11-22, @SECONDS, or 12h, 30d for "
                         "how long ago, got \"%s\"",
                         option, value);
    *ret = utc_add(cli->now, -ago);
    return CLI_OK;
}

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct arguments *arguments = self;

    switch (option) {
    case 's':
        return take_time(cli, "since", value, &arguments->since);
    case 'u':
        return take_time(cli, "until", value, &arguments->until);
    case 'l':
        if (text_number(value, 1, INT64_MAX, &arguments->limit))
            return CLI_OK;
        return cli_usage(cli, "--limit: wanted a number above 0, got \"%s\"", value);
    case 'f':
        arguments->follow = true;
        return CLI_OK;
    case 'e':
        arguments->has_expect = audit_mark_parse(value, &arguments->expect);
        return arguments->has_expect
                   ? CLI_OK
                   : cli_usage(cli, "--expect: wanted NUMBER:HASH as verify prints it, got \"%s\"",
                               value);
    default:
        if (arguments->verify || strcmp(value, "verify") != 0)
            return cli_usage(cli, "\"%s\" is not wanted: verify, or nothing", value);
        arguments->verify = true;
        return CLI_OK;
    }
}

/* 0 when they fit together. */
static enum cli_exit check(struct cli *cli, const struct arguments *arguments)
{
    bool tells = arguments->since != UTC_NEVER || arguments->until != UTC_NEVER ||
                 arguments->limit != 0 || arguments->follow;

    if (arguments->verify && tells)
        return cli_usage(cli, "verify: looks at the whole trail: only --expect is wanted");
    if (!arguments->verify && arguments->has_expect)
        return cli_usage(cli, "--expect: only with verify");
    if (arguments->follow && arguments->until != UTC_NEVER)
        return cli_usage(cli, "--follow: has no end, --until is one");
    return CLI_OK;
}

static char *path_of(const struct telling *telling)
{
    const struct arguments *arguments = telling->arguments;
    char since[UTC_TEXT_MAX], until[UTC_TEXT_MAX];
    int64_t newest = arguments->limit;
    AUTO_BUF struct buf path;

    buf_init(&path, PATH_MOST);
    buf_printf(&path, "/v1/audit?limit=%d", PAGE);
    if (arguments->until != UTC_NEVER)
        buf_printf(&path, "&until=%s", utc_format(arguments->until, until));
    if (telling->after >= 0) {
        buf_printf(&path, "&after=%lld", (long long)telling->after);
        return mem_strdup(buf_text(&path));
    }
    if (arguments->since != UTC_NEVER)
        buf_printf(&path, "&since=%s", utc_format(arguments->since, since));
    else if (newest == 0)
        newest = LIMIT_DEFAULT;
    if (newest != 0)
        buf_printf(&path, "&newest=%lld", (long long)newest);
    return mem_strdup(buf_text(&path));
}

/* "0a1b2c3d > 4e5f6a7b", "> 4e5f6a7b", "0a1b2c3d >", "-" */
static void add_change(struct table *table, const json_t *item, struct error *bad)
{
    const char *from = reply_text_or_null(item, "old_sha256", bad);
    const char *to = reply_text_or_null(item, "new_sha256", bad);
    AUTO_FREE char *text = mem_printf("%.*s%s>%s%.*s", SHORT_HASH, from ? from : "",
                                      from ? " " : "", to ? " " : "", SHORT_HASH, to ? to : "");

    table_cell(table, from || to ? text : "-", COLOR_PLAIN);
}

static void add_row(struct table *table, const json_t *item, struct error *bad)
{
    const char *certificate = reply_text_or_null(item, "certificate", bad);
    const char *kind = reply_text(item, "kind", bad);
    AUTO_FREE char *id = mem_printf("%lld", (long long)reply_number(item, "id", bad));
    char at[UTC_TEXT_MAX];

    table_cell(table, id, COLOR_PLAIN);
    table_cell(table, utc_format_plain(reply_time(item, "at", bad), at), COLOR_PLAIN);
    table_cell(table, certificate ? certificate : "-", COLOR_PLAIN);
    table_cell(table, reply_text(item, "actor", bad), COLOR_PLAIN);
    table_cell(table, kind, color_of_kind(kind));
    add_change(table, item, bad);
    table_cell(table, reply_text(item, "text", bad), COLOR_PLAIN);
}

/* With --json one event a line, so that they can be taken as they come. */
static void put_events(struct cli *cli, struct telling *telling, const json_t *events,
                       struct error *bad)
{
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *item = json_array_get(events, i);

        if (!cli->json) {
            add_row(&telling->table, item, bad);
            continue;
        }
        json_dumpf(item, cli->out, JSON_COMPACT);
        fputc('\n', cli->out);
    }
}

/* One page, told. */
static enum cli_exit tell_page(struct cli *cli, struct telling *telling)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    AUTO_FREE char *path = path_of(telling);

    if (client_call(cli->socket, path, NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    put_events(cli, telling, reply_array(reply.json, "events", &err), &err);
    int64_t after = reply_number(reply.json, "after", &err);
    int64_t head = reply_number(reply_object(reply.json, "head", &err), "id", &err);
    telling->more = reply_bool(reply.json, "more", &err);
    if (err.code == 0 && telling->more && after <= telling->after)
        error_set(&err, E_FORMAT, "the daemon's reply: after: it does not move on");
    if (err.code == 0 && head < telling->after)
        error_set(&err, E_CORRUPT,
                  "the audit trail ends with event %lld, but %lld was told: it is another one now",
                  (long long)head, (long long)telling->after);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    telling->after = after;
    if (!cli->json)
        table_pass_on(&telling->table, &cli->term, cli->out);
    return CLI_OK;
}

/* Whoever reads what is followed ends it by going: that is no error then. */
static enum cli_exit pass_on(struct cli *cli, bool follow, bool *ret_gone)
{
    if (cli_pass_on(cli))
        return CLI_OK;
    *ret_gone = true;
    if (follow && errno == EPIPE) {
        cli_open_output(cli);
        return CLI_OK;
    }
    fprintf(stderr, "unlapse: standard output: %s\n", strerror(errno));
    cli_open_output(cli);
    return CLI_ERROR;
}

/* Until it is time to ask again; false when nobody reads any more. */
static bool wait_a_moment(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    return poll(&out, 1, WAIT_MS) <= 0 || (out.revents & (POLLERR | POLLHUP)) == 0;
}

static enum cli_exit tell(struct cli *cli, struct telling *telling)
{
    bool follow = telling->arguments->follow, gone = false;
    enum cli_exit status = CLI_OK;

    do {
        status = tell_page(cli, telling);
        if (status == CLI_OK)
            status = pass_on(cli, follow, &gone);
        if (follow && status == CLI_OK && !gone && !telling->more && !interrupted)
            gone = !wait_a_moment();
    } while (status == CLI_OK && !gone && !interrupted && (follow || telling->more));
    return status;
}

VERB(verb_audit)
{
    static const struct option own[] = {
        {"since", required_argument, NULL, 's'},  {"until", required_argument, NULL, 'u'},
        {"limit", required_argument, NULL, 'l'},  {"follow", no_argument, NULL, 'f'},
        {"expect", required_argument, NULL, 'e'}, {0}};
    static const char *const headers[] = {"ID",   "AT",          "CERTIFICATE", "BY",
                                          "WHAT", "FINGERPRINT", "TEXT",        NULL};
    struct arguments arguments = {.since = UTC_NEVER, .until = UTC_NEVER};
    struct sigaction action = {.sa_handler = on_interrupt};

    if (!cli_parse(cli, argc, argv, own, take, &arguments))
        return cli->status;
    if (check(cli, &arguments) != CLI_OK)
        return CLI_USAGE;
    if (arguments.verify)
        return audit_verify(cli, arguments.has_expect ? &arguments.expect : NULL);
    struct telling telling = {.arguments = &arguments, .after = -1};
    table_init(&telling.table, headers);
    if (arguments.follow)
        sigaction(SIGINT, &action, NULL);
    enum cli_exit status = tell(cli, &telling);
    table_done(&telling.table);
    return status;
}

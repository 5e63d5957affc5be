#include "daemon/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum { LABEL_COLUMNS = 15 };

void cli_open_output(struct cli *cli)
{
    if (cli->out)
        fclose(cli->out);
    free(cli->text);
    cli->text = NULL;
    cli->out = open_memstream(&cli->text, &cli->len);
    if (!cli->out)
        abort();
}

bool cli_pass_on(struct cli *cli)
{
    size_t passed = 0;

    fflush(cli->out);
    while (passed < cli->len) {
        ssize_t len = write(STDOUT_FILENO, cli->text + passed, cli->len - passed);

        if (len < 0 && errno != EINTR)
            return false;
        passed += len > 0 ? (size_t)len : 0;
    }
    cli_open_output(cli);
    return true;
}

bool cli_parse_time(const char *text, utc_t *ret)
{
    AUTO_FREE char *midnight = mem_printf("%sT00:00:00Z", text);

    if (text[0] == '@')
        return text_number(text + 1, 0, INT64_C(253402300799), ret);
    return utc_parse(text, ret) || (strlen(text) == 10 && utc_parse(midnight, ret));
}

bool cli_json(struct cli *cli, const struct reply *reply)
{
    if (cli->json)
        fputs(buf_text(&reply->raw), cli->out);
    return cli->json;
}

static void put_error_document(struct cli *cli, const struct error *err)
{
    json_t *document = json_pack("{s:i, s:{s:s, s:s}}", "schema_version", 1, "error", "code",
                                 code_name(err->code), "message", err->text);
    char *text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;

    if (text)
        fprintf(cli->out, "%s\n", text);
    free(text);
    json_decref(document);
}

enum cli_exit cli_fail(struct cli *cli, const struct reply *reply, const struct error *err)
{
    fprintf(stderr, "unlapse: %s\n", err->text[0] ? err->text : code_text(err->code));
    cli_open_output(cli);
    if (cli->json) {
        if (reply && json_object_get(reply->json, "error"))
            cli_json(cli, reply);
        else
            put_error_document(cli, err);
    }
    return reply && reply->unreachable ? CLI_UNREACHABLE : exit_of_code(err->code);
}

void cli_put(struct cli *cli, const char *text)
{
    AUTO_FREE char *escaped = text_escape_all(text);

    fputs(escaped, cli->out);
}

char *cli_span(const struct cli *cli, utc_t at, char *ret)
{
    char span[SECONDS_TEXT_MAX];

    if (at == UTC_NEVER)
        snprintf(ret, CLI_SPAN_MAX, "-");
    else if (at == cli->now)
        snprintf(ret, CLI_SPAN_MAX, "now");
    else if (at < cli->now)
        snprintf(ret, CLI_SPAN_MAX, "%s ago", seconds_format(utc_add(cli->now, -at), span));
    else
        snprintf(ret, CLI_SPAN_MAX, "%s", seconds_format(utc_add(at, -cli->now), span));
    return ret;
}

void cli_put_time(struct cli *cli, utc_t at)
{
    char text[UTC_TEXT_MAX], span[CLI_SPAN_MAX];

    fputs(utc_format_plain(at, text), cli->out);
    if (at != UTC_NEVER)
        fprintf(cli->out, " (%s%s)", at > cli->now ? "in " : "", cli_span(cli, at, span));
}

static void put_colored(struct cli *cli, const char *text, enum color color)
{
    fputs(term_begin(&cli->term, color), cli->out);
    cli_put(cli, text);
    fputs(term_end(&cli->term, color), cli->out);
}

void cli_put_head(struct cli *cli, const char *text)
{
    put_colored(cli, text, COLOR_HEAD);
    fputc('\n', cli->out);
}

void cli_put_label(struct cli *cli, const char *label)
{
    fprintf(cli->out, "%-*s", LABEL_COLUMNS, label);
}

void cli_put_state(struct cli *cli, const char *state)
{
    put_colored(cli, state, color_of_state(state));
}

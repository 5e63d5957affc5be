#include "daemon/cli/check_print.h"

#include <string.h>

#include "daemon/cli/table.h"

const char *check_purpose_text(enum chain_purpose purpose)
{
    switch (purpose) {
    case CHAIN_AS_IT_SAYS:
    case CHAIN_SERVER:
        return "server";
    case CHAIN_CLIENT:
        return "client";
    case CHAIN_ANY:
        return "any";
    }
    return "any";
}

const char *check_source_text(enum check_source source)
{
    switch (source) {
    case CHECK_SENT:
        return "sent";
    case CHECK_HINT:
        return "hint";
    case CHECK_ANCHOR:
        return "anchor";
    }
    return "hint";
}

static size_t count(const struct check_looks *looks, enum check_severity severity)
{
    size_t found = 0;

    for (size_t i = 0; i <= looks->count; i++) {
        const struct check_report *report =
            i < looks->count ? &looks->items[i].report : &looks->whole;

        for (size_t j = 0; j < report->finding_count; j++)
            found += report->findings[j].severity == severity;
    }
    return found;
}

static void print_verdict(struct cli *cli, const struct check_plan *plan,
                          const struct check_looks *looks)
{
    size_t bad = count(looks, CHECK_BAD), warnings = count(looks, CHECK_WARNING);

    cli_put(cli, plan->target);
    fputs(": ", cli->out);
    cli_put_state(cli, check_verdict_text(check_verdict_of(looks)));
    if (bad > 0)
        fprintf(cli->out, ", %zu finding%s", bad, bad == 1 ? "" : "s");
    if (warnings > 0)
        fprintf(cli->out, ", %zu warning%s", warnings, warnings == 1 ? "" : "s");
    fputc('\n', cli->out);
}

/* Days are enough here: a finding tells the second where it counts. */
static void add_end(struct table *table, const struct check_plan *plan, const struct cert *cert)
{
    char when[UTC_TEXT_MAX], left[SECONDS_TEXT_MAX];
    bool over = cert->not_after < plan->at;
    AUTO_FREE char *text = NULL;

    if (cert->not_after == UTC_NEVER)
        text = mem_strdup("never");
    else
        text = mem_printf(
            "%.10s (%s%s)", utc_format_plain(cert->not_after, when),
            seconds_format(over ? plan->at - cert->not_after : cert->not_after - plan->at, left),
            over ? " ago" : "");
    table_cell(table, text, over ? COLOR_BAD : COLOR_PLAIN);
}

static void print_chain(struct cli *cli, const struct check_plan *plan,
                        const struct check_report *report)
{
    static const char *const headers[] = {"",    "SUBJECT",   "BEGINS", "ENDS",
                                          "KEY", "SIGNATURE", "FROM",   NULL};
    AUTO_TABLE struct table table;

    table_init(&table, headers);
    for (size_t i = 0; i < report->link_count; i++) {
        const struct check_link *link = &report->links[i];
        AUTO_FREE char *number = mem_printf("%zu", i);
        char when[UTC_TEXT_MAX];

        table_cell(&table, number, COLOR_PLAIN);
        table_cell(&table, link->cert.subject[0] ? link->cert.subject : "(empty)", COLOR_PLAIN);
        utc_format_plain(link->cert.not_before, when);
        when[10] = '\0';
        table_cell(&table, when, COLOR_PLAIN);
        add_end(&table, plan, &link->cert);
        table_cell(&table, link->cert.key_text, COLOR_PLAIN);
        table_cell(&table, link->cert.signature_text, COLOR_PLAIN);
        table_cell(&table, link->trusted ? "trust anchor" : check_source_text(link->source),
                   COLOR_PLAIN);
    }
    table_print(&table, &cli->term, cli->out);
}

static void print_findings(struct cli *cli, const struct check_report *report)
{
    for (int severity = CHECK_BAD; severity <= CHECK_INFO; severity++)
        for (size_t i = 0; i < report->finding_count; i++) {
            const struct check_finding *finding = &report->findings[i];

            if ((int)finding->severity != severity)
                continue;
            cli_put_state(cli, check_severity_text(finding->severity));
            fprintf(cli->out, " %s", finding->code);
            if (finding->place != CHECK_NO_PLACE)
                fprintf(cli->out, " (%d)", finding->place);
            fputs(": ", cli->out);
            cli_put(cli, finding->text);
            fputc('\n', cli->out);
            if (finding->action[0] == '\0')
                continue;
            fputs("    ", cli->out);
            cli_put(cli, finding->action);
            fputc('\n', cli->out);
        }
}

static bool is_same(const struct blobs *a, const struct blobs *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!span_equal(blob_span(&a->items[i]), blob_span(&b->items[i])))
            return false;
    return true;
}

static void print_look(struct cli *cli, const struct check_plan *plan,
                       const struct check_looks *looks, size_t place)
{
    const struct check_look *look = &looks->items[place];

    if (plan->host) {
        AUTO_FREE char *head =
            mem_printf("\n%s%s%s", look->origin, look->protocol[0] ? " " : "", look->protocol);

        fputc('\n', cli->out);
        cli_put_head(cli, head + 1);
    }
    if (!look->looked) {
        cli_put(cli, look->error.text);
        fputc('\n', cli->out);
        return;
    }
    if (place > 0 && looks->items[place - 1].looked &&
        is_same(&look->sent, &looks->items[place - 1].sent) &&
        strcmp(look->protocol, looks->items[place - 1].protocol) == 0) {
        fputs("the same\n", cli->out);
        return;
    }
    if (look->report.link_count > 0) {
        AUTO_FREE char *names = names_join(&look->report.links[0].cert.names);

        print_chain(cli, plan, &look->report);
        cli_put_label(cli, "Names");
        cli_put(cli, names[0] ? names : "none");
        fputc('\n', cli->out);
    }
    print_findings(cli, &look->report);
}

void check_print(struct cli *cli, const struct check_plan *plan, const struct check_looks *looks)
{
    print_verdict(cli, plan, looks);
    print_findings(cli, &looks->whole);
    for (size_t i = 0; i < looks->count; i++)
        print_look(cli, plan, looks, i);
}

#include <jansson.h>

#include "base/text.h"
#include "daemon/cli/check_print.h"

enum { DAY_SECONDS = 86400 };

/* Text from a certificate or a file name: printable, and UTF-8 in any case. */
static json_t *text_json(const char *text)
{
    AUTO_FREE char *escaped = text_escape_all(text);

    return json_string(escaped);
}

static json_t *time_json(utc_t at)
{
    char text[UTC_TEXT_MAX];

    return json_string(utc_format(at, text));
}

static json_t *hash_json(const uint8_t hash[SHA256_LEN])
{
    char text[2 * SHA256_LEN + 1];

    return json_string(text_hex(hash, SHA256_LEN, text));
}

static json_t *names_json(const struct names *names)
{
    json_t *list = json_array();

    for (size_t i = 0; i < names->count; i++) {
        AUTO_FREE char *tagged =
            mem_printf("%s:%s", name_type_text(names->items[i].type), names->items[i].text);

        json_array_append_new(list, text_json(tagged));
    }
    return list;
}

/* Whole days, rounded down; null for never. */
static json_t *days_json(utc_t end, utc_t at)
{
    int64_t left = end == UTC_NEVER ? 0 : end - at;

    if (end == UTC_NEVER)
        return json_null();
    return json_integer((left - (left < 0 ? DAY_SECONDS - 1 : 0)) / DAY_SECONDS);
}

static json_t *link_json(const struct check_link *link, utc_t at)
{
    const struct cert *cert = &link->cert;

    return json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:i,s:b,s:b,s:b,s:o,s:s,s:b,s:o}", "subject",
        text_json(cert->subject), "issuer", text_json(cert->issuer), "serial",
        text_json(cert->serial), "fingerprint_sha256", hash_json(cert->sha256), "spki_sha256",
        hash_json(cert->spki_sha256), "not_before", time_json(cert->not_before), "not_after",
        time_json(cert->not_after), "days_left", days_json(cert->not_after, at), "key",
        text_json(cert->key_text), "signature", text_json(cert->signature_text), "key_bits",
        cert->key_bits, "is_ca", cert->is_ca, "usable_as_server", cert->usable_as_server,
        "usable_as_client", cert->usable_as_client, "names", names_json(&cert->names), "from",
        check_source_text(link->source), "trusted", link->trusted, "ca_issuers",
        link->ca_issuers[0] ? text_json(link->ca_issuers) : json_null());
}

static json_t *findings_json(const struct check_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->finding_count; i++) {
        const struct check_finding *finding = &report->findings[i];

        json_array_append_new(
            list, json_pack("{s:s,s:s,s:o,s:o,s:o}", "severity",
                            check_severity_text(finding->severity), "code", finding->code, "text",
                            text_json(finding->text), "action", text_json(finding->action), "link",
                            finding->place == CHECK_NO_PLACE ? json_null()
                                                             : json_integer(finding->place)));
    }
    return list;
}

static json_t *look_json(const struct check_look *look, utc_t at)
{
    json_t *chain = json_array();

    for (size_t i = 0; i < look->report.link_count; i++)
        json_array_append_new(chain, link_json(&look->report.links[i], at));
    return json_pack("{s:s,s:o,s:o,s:i,s:b,s:o,s:o}", "origin", look->origin, "protocol",
                     look->protocol[0] ? json_string(look->protocol) : json_null(), "error",
                     look->looked ? json_null() : text_json(look->error.text), "sent",
                     (int)look->sent.count, "complete", look->report.complete, "chain", chain,
                     "findings", findings_json(&look->report));
}

void check_print_json(struct cli *cli, const struct check_plan *plan,
                      const struct check_looks *looks)
{
    json_t *list = json_array();

    for (size_t i = 0; i < looks->count; i++)
        json_array_append_new(list, look_json(&looks->items[i], plan->at));
    json_t *document = json_pack(
        "{s:i,s:o,s:s,s:o,s:s,s:o,s:o,s:o}", "schema_version", 1, "target", text_json(plan->target),
        "verdict", check_verdict_text(check_verdict_of(looks)), "at", time_json(plan->at),
        "purpose", check_purpose_text(plan->purpose), "hosts", names_json(&plan->names), "looks",
        list, "findings", findings_json(&looks->whole));
    if (document)
        json_dumpf(document, cli->out, JSON_INDENT(2));
    fputc('\n', cli->out);
    json_decref(document);
}

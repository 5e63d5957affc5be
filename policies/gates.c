#include "policies/gates.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { STRONG_RSA_BITS = 2048, STRONG_EC_BITS = 256, STRONG_SIGNATURE_BITS = 112 };

static void report(const struct gate_input *input, struct gate_report *ret, enum gate gate,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds "GATE: ..." when the policy minds. A gate reports once: what it finds first. */
static void report(const struct gate_input *input, struct gate_report *ret, enum gate gate,
                   const char *format, ...)
{
    struct gate_finding *finding = &ret->findings[ret->count];
    enum severity severity = input->policy->gates[gate];
    va_list args;

    /* Whoever replaced a request wants its successor, whatever came late for the first one. */
    if (gate == GATE_NO_DOWNGRADE && input->asked_by && severity == SEVERITY_REFUSE)
        severity = SEVERITY_WARN;
    if (severity == SEVERITY_IGNORE)
        return;
    finding->gate = gate;
    finding->severity = severity;
    int used = snprintf(finding->text, sizeof finding->text, "%s: ", gate_text(gate));
    va_start(args, format);
    int len = vsnprintf(finding->text + used, sizeof finding->text - (size_t)used, format, args);
    va_end(args);
    if (len >= (int)(sizeof finding->text) - used) {
        /* Cut at a character, not within one. */
        size_t end = sizeof finding->text - 4;
        while (end > 0 && ((unsigned char)finding->text[end] & 0xC0u) == 0x80)
            end--;
        memcpy(finding->text + end, "...", 4);
    }
    ret->count++;
    ret->refused |= severity == SEVERITY_REFUSE;
}

static void check_names(const struct gate_input *input, struct gate_report *ret)
{
    struct name missing_items[8];
    struct names missing = {missing_items, 0};
    size_t more = 0;

    for (size_t i = 0; i < input->wanted->count; i++) {
        if (names_cover(&input->leaf->names, &input->wanted->items[i]))
            continue;
        if (missing.count < COUNT_OF(missing_items))
            missing_items[missing.count++] = input->wanted->items[i];
        else
            more++;
    }
    if (missing.count == 0)
        return;
    AUTO_FREE char *wanted = names_join(&missing);
    AUTO_FREE char *got = names_join(&input->leaf->names);
    if (more > 0)
        report(input, ret, GATE_NAMES, "wanted %.150s and %zu more, got %s", wanted, more,
               *got ? got : "no names");
    else
        report(input, ret, GATE_NAMES, "wanted %.200s, got %s", wanted, *got ? got : "no names");
}

static void check_validity(const struct gate_input *input, struct gate_report *ret)
{
    char at[UTC_TEXT_MAX];

    /* notAfter is the last second that counts (RFC 5280 4.1.2.5). */
    if (input->leaf->not_after < input->now)
        report(input, ret, GATE_VALIDITY,
               "wanted a certificate that is valid now, got one that "
               "expired on %s",
               utc_format_plain(input->leaf->not_after, at));
    else if (input->leaf->not_after < input->leaf->not_before)
        report(input, ret, GATE_VALIDITY, "wanted an end after the beginning, got the beginning %s",
               utc_format_plain(input->leaf->not_before, at));
}

static void check_downgrade(const struct gate_input *input, struct gate_report *ret)
{
    char wanted[UTC_TEXT_MAX], got[UTC_TEXT_MAX];

    if (input->live_not_after == UTC_NEVER || input->leaf->not_after >= input->live_not_after)
        return;
    report(input, ret, GATE_NO_DOWNGRADE,
           "wanted an end not before that of the certificate in service (%s), got %s",
           utc_format_plain(input->live_not_after, wanted),
           utc_format_plain(input->leaf->not_after, got));
}

static void check_issuer(const struct gate_input *input, struct gate_report *ret)
{
    const struct text_list *allowed = &input->policy->issuers;
    char list[160] = "";

    if (input->leaf->self_signed)
        report(input, ret, GATE_NOT_SELF_SIGNED,
               "wanted a certificate signed by an authority, got one signed by itself: %s",
               input->leaf->subject);
    if (allowed->count == 0)
        return;
    for (size_t i = 0; i < allowed->count; i++) {
        size_t used = strlen(list);

        if (strstr(input->leaf->issuer, allowed->items[i]))
            return;
        snprintf(list + used, sizeof list - used, "%s\"%s\"", i == 0 ? "" : " or ",
                 allowed->items[i]);
    }
    report(input, ret, GATE_ISSUER, "wanted an issuer with %s in its name, got %s", list,
           input->leaf->issuer);
}

static void check_usage(const struct gate_input *input, struct gate_report *ret)
{
    if (input->leaf->is_ca)
        report(input, ret, GATE_USAGE,
               "wanted a server's certificate, got that of an authority: "
               "%s",
               input->leaf->subject);
    else if (!input->leaf->usable_as_server)
        report(input, ret, GATE_USAGE,
               "wanted a certificate for servers (extended key usage "
               "serverAuth), got one without");
}

static void check_strength(const struct gate_input *input, struct gate_report *ret)
{
    const struct cert *leaf = input->leaf;
    bool rsa = strncmp(leaf->key_text, "RSA", 3) == 0;
    bool ec = strncmp(leaf->key_text, "EC", 2) == 0;

    if (rsa && leaf->key_bits < STRONG_RSA_BITS)
        report(input, ret, GATE_STRENGTH, "wanted RSA with at least %d bits, got %d",
               STRONG_RSA_BITS, leaf->key_bits);
    else if (ec && leaf->key_bits < STRONG_EC_BITS)
        report(input, ret, GATE_STRENGTH, "wanted a curve of at least %d bits, got %d",
               STRONG_EC_BITS, leaf->key_bits);
    else if (leaf->signature_security != 0 && leaf->signature_security < STRONG_SIGNATURE_BITS)
        report(input, ret, GATE_STRENGTH, "wanted a signature with SHA-256 or better, got %s",
               leaf->signature_text);
}

static void check_disclosed(const struct gate_input *input, struct gate_report *ret)
{
    char at[UTC_TEXT_MAX];

    if (input->disclosed_at != 0)
        report(input, ret, GATE_DISCLOSED,
               "wanted a key that nobody else can have, got one that lay in the drop folder on %s",
               utc_format_plain(input->disclosed_at, at));
}

void gates_check(const struct gate_input *input, struct gate_report *ret)
{
    struct gate_report found = {.hold_until = UTC_NEVER};

    check_names(input, &found);
    check_validity(input, &found);
    check_downgrade(input, &found);
    check_issuer(input, &found);
    check_usage(input, &found);
    check_strength(input, &found);
    check_disclosed(input, &found);
    /* One that begins later is right and comes early; with the gate off it is taken as it is. */
    if (!found.refused && input->leaf->not_before > input->now &&
        input->policy->gates[GATE_VALIDITY] != SEVERITY_IGNORE)
        found.hold_until = input->leaf->not_before;
    *ret = found;
}

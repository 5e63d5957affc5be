#include <string.h>

#include "base/text.h"
#include "policies/draft.h"

#define DAY ((seconds_t)86400)
#define YEARS(n) ((n)*365 * DAY)

static const char *const key_words[] = {
#define X(name, text) text,
    KEY_TYPE_TABLE(X)
#undef X
        NULL};

/* In the order of enum severity. */
static const char *const severity_words[] = {"refuse", "warn", "ignore", NULL};

struct reader {
    struct yaml *yaml;
    struct policy_draft *draft;
};

static void read_key(struct reader *reader, const struct yaml_node *map)
{
    int index;

    if (yaml_choice(reader->yaml, map, "key", key_words, &index)) {
        reader->draft->raw.key_type = (enum key_type)index;
        reader->draft->has[HAS_KEY] = true;
    }
}

static bool is_country(const char *text)
{
    return strlen(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' &&
           text[1] <= 'Z';
}

static bool fits_64(const char *text)
{
    return strlen(text) <= 64;
}

static bool fits_128(const char *text)
{
    return strlen(text) <= 128;
}

/* Upper bounds of RFC 5280 appendix A.1. */
static void read_subject(struct reader *reader, const struct yaml_node *map)
{
    struct policy *raw = &reader->draft->raw;
    const struct {
        const char *key;
        int has;
        char **ret;
        bool (*check)(const char *text);
        const char *wanted;
    } fields[] = {
        {"organization", HAS_ORGANIZATION, &raw->organization, fits_64, "at most 64 characters"},
        {"country", HAS_COUNTRY, &raw->country, is_country, "two capital letters such as DE"},
        {"state", HAS_STATE, &raw->state, fits_128, "at most 128 characters"},
        {"locality", HAS_LOCALITY, &raw->locality, fits_128, "at most 128 characters"},
    };
    const struct yaml_node *subject, *node;

    if (!yaml_map(reader->yaml, map, "subject", &subject))
        return;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const char *text;

        if (yaml_checked(reader->yaml, subject, fields[i].key, fields[i].check, fields[i].wanted,
                         &text)) {
            *fields[i].ret = mem_strdup(text);
            reader->draft->has[fields[i].has] = true;
        }
    }
    if (yaml_any(reader->yaml, subject, "organizational-unit", &node))
        yaml_complain(reader->yaml, node,
                      "wanted no such key: the CA/Browser Forum forbids it in "
                      "certificates (BR 7.1.2.7); leave it out");
    if (yaml_any(reader->yaml, subject, "common-name", &node))
        yaml_complain(reader->yaml, node,
                      "wanted no such key: the common name is the "
                      "certificate's first DNS name");
}

static void read_lead(struct reader *reader, const struct yaml_node *map)
{
    struct lead *lead = &reader->draft->raw.lead;
    bool *has = reader->draft->has;
    const struct yaml_node *node;
    struct yaml *yaml = reader->yaml;

    if (!yaml_any(yaml, map, "lead", &node))
        return;
    reader->draft->lead_place = yaml_place(yaml, node);
    if (yaml_node_kind(node) == YAML_TEXT) {
        has[HAS_LEAD_ABSOLUTE] = yaml_seconds(yaml, map, "lead", 1, YEARS(100), &lead->absolute);
    } else if (yaml_node_kind(node) == YAML_MAP) {
        has[HAS_LEAD_ABSOLUTE] = true; /* 0: a mapping undoes an inherited absolute time */
        has[HAS_LEAD_FRACTION] = yaml_fraction(yaml, node, "fraction", &lead->fraction);
        has[HAS_LEAD_MOST_FRACTION] =
            yaml_fraction(yaml, node, "never-more-than", &lead->most_fraction);
        has[HAS_LEAD_LEAST] = yaml_seconds(yaml, node, "at-least", 0, YEARS(100), &lead->least);
        has[HAS_LEAD_MOST] = yaml_seconds(yaml, node, "at-most", 1, YEARS(100), &lead->most);
    } else {
        yaml_complain(yaml, node,
                      "wanted a time such as 21d, or {fraction, never-more-than, at-least, "
                      "at-most}");
    }
}

/* Each stage has less of life left than the one before; told here as far as it can be known. */
static bool falls(const struct policy *raw, size_t stage)
{
    bool by_part = raw->ladder_fraction[stage] > 0;

    for (size_t i = stage; i-- > 0;) {
        if ((raw->ladder_fraction[i] > 0) != by_part)
            continue;
        return by_part ? raw->ladder_fraction[stage] < raw->ladder_fraction[i]
                       : raw->ladder_absolute[stage] < raw->ladder_absolute[i];
    }
    return true;
}

static bool read_stage(struct reader *reader, const struct yaml_node *node, size_t stage)
{
    static const char wanted[] = "a part of the lead such as 25%, or a time such as 1d";
    struct policy *raw = &reader->draft->raw;
    const char *text = yaml_item_text(reader->yaml, node, wanted);
    double fraction = 0;
    seconds_t absolute = 0;

    if (!text)
        return false;
    if (!seconds_parse(text, &absolute) &&
        !(text_fraction(text, &fraction) && fraction > 0 && fraction <= 1)) {
        yaml_complain(reader->yaml, node, "wanted %s, got \"%s\"", wanted, text);
        return false;
    }
    raw->ladder_fraction[stage] = fraction;
    raw->ladder_absolute[stage] = absolute;
    return true;
}

static void read_ladder(struct reader *reader, const struct yaml_node *map)
{
    const struct yaml_node *list;
    bool fine = true;

    if (!yaml_list(reader->yaml, map, "ladder", &list))
        return;
    if (yaml_count(list) > POLICY_LIST_MAX) {
        yaml_complain(reader->yaml, list, "wanted at most %d entries, got %zu", POLICY_LIST_MAX,
                      yaml_count(list));
        return;
    }
    for (size_t i = 0; i < yaml_count(list); i++)
        fine = read_stage(reader, yaml_item(list, i), i) && fine;
    for (size_t i = 0; fine && i < yaml_count(list); i++) {
        if (!falls(&reader->draft->raw, i)) {
            yaml_complain(reader->yaml, yaml_item(list, i), "wanted less than the stage before");
            fine = false;
        }
    }
    reader->draft->raw.ladder_count = yaml_count(list);
    reader->draft->has[HAS_LADDER] = fine;
}

static void read_gates(struct reader *reader, const struct yaml_node *map)
{
    const struct yaml_node *gates;

    if (!yaml_map(reader->yaml, map, "gates", &gates))
        return;
    for (int gate = 0; gate < GATE_COUNT; gate++) {
        int index;

        if (yaml_choice(reader->yaml, gates, gate_text((enum gate)gate), severity_words, &index)) {
            reader->draft->raw.gates[gate] = (enum severity)index;
            reader->draft->has[HAS_GATES + gate] = true;
        }
    }
}

static void read_times(struct reader *reader, const struct yaml_node *map)
{
    struct policy *raw = &reader->draft->raw;
    bool *has = reader->draft->has;
    struct yaml *yaml = reader->yaml;

    has[HAS_RETRY] = yaml_seconds_list(yaml, map, "retry", 1, YEARS(1), POLICY_LIST_MAX, raw->retry,
                                       &raw->retry_count);
    has[HAS_CHAIN_WAIT] = yaml_seconds(yaml, map, "chain-wait", 0, YEARS(1), &raw->chain_wait);
    has[HAS_REMIND_EVERY] =
        yaml_seconds(yaml, map, "remind-every", 0, YEARS(1), &raw->remind_every);
}

static void read_trust(struct reader *reader, const struct yaml_node *map)
{
    static const char *const aia_words[] = {"off", "on", NULL};
    struct policy *raw = &reader->draft->raw;
    bool *has = reader->draft->has;
    const struct yaml_node *anchors;
    int aia;

    has[HAS_AIA] = yaml_choice(reader->yaml, map, "aia", aia_words, &aia);
    if (has[HAS_AIA])
        raw->aia = aia == 1;

    has[HAS_ISSUERS] =
        yaml_text_list(reader->yaml, map, "issuers", POLICY_LIST_MAX, NULL,
                       "a part of an issuer's name", raw->issuers.items, &raw->issuers.count);
    if (!yaml_map(reader->yaml, map, "anchors", &anchors))
        return;
    has[HAS_SYSTEM_ANCHORS] = yaml_bool(reader->yaml, anchors, "system", &raw->system_anchors);
    has[HAS_ANCHORS] =
        yaml_text_list(reader->yaml, anchors, "files", POLICY_LIST_MAX, text_is_absolute,
                       "an absolute path of a PEM file", raw->anchors.items, &raw->anchors.count);
    const char *preferred;
    if (yaml_checked(reader->yaml, anchors, "preferred", fits_128,
                     "a part of a root's name, at most 128 characters", &preferred)) {
        raw->preferred_root = strcmp(preferred, "none") == 0 ? NULL : mem_strdup(preferred);
        has[HAS_PREFERRED_ROOT] = true;
    }
}

static void read_keys(struct reader *reader, const struct yaml_node *map)
{
    static const char *const words[] = {"refuse", "take", NULL};
    int index;

    reader->draft->has[HAS_KEEP_RETIRED_KEYS] =
        yaml_seconds(reader->yaml, map, "keep-retired-keys", 0, YEARS(100),
                     &reader->draft->raw.keep_retired_keys);
    if (yaml_choice(reader->yaml, map, "delivered-keys", words, &index)) {
        reader->draft->raw.take_keys = index == 1;
        reader->draft->has[HAS_TAKE_KEYS] = true;
    }
}

static void read_verify(struct reader *reader, const struct yaml_node *map)
{
    struct policy *raw = &reader->draft->raw;
    bool *has = reader->draft->has;
    const struct yaml_node *verify;
    int64_t handshakes;

    if (!yaml_map(reader->yaml, map, "verify", &verify))
        return;
    has[HAS_HANDSHAKES] = yaml_number(reader->yaml, verify, "handshakes", 1, 100, &handshakes);
    if (has[HAS_HANDSHAKES])
        raw->verify_handshakes = (int)handshakes;
    has[HAS_PATIENCE] =
        yaml_seconds(reader->yaml, verify, "patience", 0, 3600, &raw->verify_patience);
}

struct heir *policy_draft_read(struct yaml *yaml, const struct yaml_node *map)
{
    struct policy_draft *draft = mem_alloc(1, sizeof *draft);
    struct reader reader = {yaml, draft};

    read_key(&reader, map);
    read_subject(&reader, map);
    read_lead(&reader, map);
    read_times(&reader, map);
    read_ladder(&reader, map);
    read_gates(&reader, map);
    read_trust(&reader, map);
    read_keys(&reader, map);
    read_verify(&reader, map);
    draft->has[HAS_RECIPIENTS] =
        yaml_text_list(yaml, map, "recipients", POLICY_LIST_MAX, text_is_mail_address,
                       "a mail address such as ops@example.com", draft->raw.recipients.items,
                       &draft->raw.recipients.count);
    return &draft->heir;
}

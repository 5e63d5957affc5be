#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/embed.h"
#include "policies/draft.h"

struct policies {
    struct heirs heirs;          /* of struct policy_draft */
    const struct policy **shown; /* those that count, by name */
    size_t count;
};

static void list_done(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

static void policy_done(struct policy *policy)
{
    free(policy->name);
    free(policy->source);
    free(policy->organization);
    free(policy->country);
    free(policy->state);
    free(policy->locality);
    free(policy->preferred_root);
    list_done(&policy->issuers);
    list_done(&policy->anchors);
    list_done(&policy->recipients);
    *policy = (struct policy){0};
}

void policy_draft_free(struct policy_draft *draft)
{
    heir_done(&draft->heir);
    policy_done(&draft->raw);
    policy_done(&draft->policy);
    free(draft->lead_place);
    free(draft);
}

static char *copy_text(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

static struct text_list copy_list(const struct text_list *list)
{
    struct text_list out = {.count = list->count};

    for (size_t i = 0; i < list->count; i++)
        out.items[i] = mem_strdup(list->items[i]);
    return out;
}

/* Who gives a field: the draft itself or its base. */
#define FROM(has_) (draft->has[has_] || !base ? &draft->raw : base)

static void inherit_owned(struct policy_draft *draft, const struct policy *base)
{
    struct policy *policy = &draft->policy;

    policy->organization = copy_text(FROM(HAS_ORGANIZATION)->organization);
    policy->country = copy_text(FROM(HAS_COUNTRY)->country);
    policy->state = copy_text(FROM(HAS_STATE)->state);
    policy->locality = copy_text(FROM(HAS_LOCALITY)->locality);
    policy->preferred_root = copy_text(FROM(HAS_PREFERRED_ROOT)->preferred_root);
    policy->issuers = copy_list(&FROM(HAS_ISSUERS)->issuers);
    policy->anchors = copy_list(&FROM(HAS_ANCHORS)->anchors);
    policy->recipients = copy_list(&FROM(HAS_RECIPIENTS)->recipients);
}

void policy_draft_inherit(struct policy_draft *draft, const struct policy *base)
{
    struct policy *policy = &draft->policy;

    policy_done(policy);
    policy->name = mem_strdup(draft->heir.name);
    policy->source = mem_strdup(draft->heir.shipped ? "built in" : draft->heir.file);
    inherit_owned(draft, base);
    policy->key_type = FROM(HAS_KEY)->key_type;
    policy->lead.absolute = FROM(HAS_LEAD_ABSOLUTE)->lead.absolute;
    policy->lead.fraction = FROM(HAS_LEAD_FRACTION)->lead.fraction;
    policy->lead.most_fraction = FROM(HAS_LEAD_MOST_FRACTION)->lead.most_fraction;
    policy->lead.least = FROM(HAS_LEAD_LEAST)->lead.least;
    policy->lead.most = FROM(HAS_LEAD_MOST)->lead.most;
    policy->retry_count = FROM(HAS_RETRY)->retry_count;
    memcpy(policy->retry, FROM(HAS_RETRY)->retry, sizeof policy->retry);
    policy->chain_wait = FROM(HAS_CHAIN_WAIT)->chain_wait;
    policy->remind_every = FROM(HAS_REMIND_EVERY)->remind_every;
    policy->ladder_count = FROM(HAS_LADDER)->ladder_count;
    memcpy(policy->ladder_fraction, FROM(HAS_LADDER)->ladder_fraction,
           sizeof policy->ladder_fraction);
    memcpy(policy->ladder_absolute, FROM(HAS_LADDER)->ladder_absolute,
           sizeof policy->ladder_absolute);
    for (int gate = 0; gate < GATE_COUNT; gate++)
        policy->gates[gate] = FROM(HAS_GATES + gate)->gates[gate];
    policy->system_anchors = FROM(HAS_SYSTEM_ANCHORS)->system_anchors;
    policy->keep_retired_keys = FROM(HAS_KEEP_RETIRED_KEYS)->keep_retired_keys;
    policy->take_keys = FROM(HAS_TAKE_KEYS)->take_keys;
    policy->aia = FROM(HAS_AIA)->aia;
    policy->verify_handshakes = FROM(HAS_HANDSHAKES)->verify_handshakes;
    policy->verify_patience = FROM(HAS_PATIENCE)->verify_patience;
}

/* Rules between fields that may come from different policies. What breaks one is told once, not
 * again for each heir. */
static void check_whole(struct policy_draft *draft, struct late *late)
{
    size_t before = late->count;
    const struct policy *policy = &draft->policy;
    const char *place = draft->lead_place ? draft->lead_place : draft->heir.place;
    char least[SECONDS_TEXT_MAX], most[SECONDS_TEXT_MAX];

    if (policy->lead.least > policy->lead.most)
        late_complain(late, place, "wanted at-least up to at-most, got %s and %s",
                      seconds_format(policy->lead.least, least),
                      seconds_format(policy->lead.most, most));
    if (!policy->system_anchors && policy->anchors.count == 0)
        late_complain(late, draft->heir.place,
                      "wanted anchors with system: true or with files, got neither");
    draft->heir.broken = late->count > before;
}

static struct policy_draft *draft_of(struct heir *heir)
{
    return (struct policy_draft *)heir;
}

static int by_name(const void *a, const void *b)
{
    const struct policy *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

int policies_finish(struct policies *policies, struct buf *complaints, struct error *err)
{
    struct late late = {.complaints = complaints};

    heirs_resolve(&policies->heirs, "default", &late);
    policies->shown = mem_resize(policies->shown, policies->heirs.count, sizeof policies->shown[0]);
    policies->count = 0;
    for (size_t i = 0; i < policies->heirs.count; i++) {
        struct heir *heir = policies->heirs.items[i];
        struct policy_draft *draft = draft_of(heir);

        policy_draft_inherit(draft, heir->base ? &draft_of(heir->base)->policy : NULL);
        if (heir->base && heir->base->broken)
            heir->broken = true;
        if (!heir->broken)
            check_whole(draft, &late);
        if (!heirs_is_hidden(&policies->heirs, heir))
            policies->shown[policies->count++] = &draft->policy;
    }
    qsort(policies->shown, policies->count, sizeof policies->shown[0], by_name);
    return late.count > 0 ? error_set(err, E_CONFIG, "%s", late.first.text) : 0;
}

static int load(struct policies *policies, const char *file, struct span text, bool shipped,
                struct buf *complaints, struct error *err)
{
    const struct heirs_document document = {.word = "policies",
                                            .file = file,
                                            .text = (const char *)text.data,
                                            .len = text.len,
                                            .shipped = shipped,
                                            .make = policy_draft_read};

    return heirs_load(&policies->heirs, &document, complaints, err);
}

int policies_load(struct policies *policies, const char *file, const char *text, size_t len,
                  struct buf *complaints, struct error *err)
{
    return load(policies, file, span_of(text, len), false, complaints, err);
}

struct policies *policies_open(void)
{
    struct policies *policies = mem_alloc(1, sizeof *policies);
    struct error err = {0};
    AUTO_BUF struct buf complaints;
    int rc = 0;

    buf_init(&complaints, BUF_MAX_CONFIG);
    for (const struct embedded_file *file = embedded_policies; file->name; file++)
        rc |= load(policies, file->name, span_of(file->text, file->len), true, &complaints, &err);
    rc |= policies_finish(policies, &complaints, &err);
    assert(rc == 0 && policies_get(policies, "default"));
    return policies;
}

void policies_free(struct policies *policies)
{
    if (!policies)
        return;
    for (size_t i = 0; i < policies->heirs.count; i++)
        policy_draft_free(draft_of(policies->heirs.items[i]));
    free(policies->heirs.items);
    free(policies->shown);
    free(policies);
}

const struct policy *policies_get(const struct policies *policies, const char *name)
{
    for (size_t i = 0; i < policies->count; i++)
        if (strcmp(policies->shown[i]->name, name) == 0)
            return policies->shown[i];
    return NULL;
}

size_t policies_count(const struct policies *policies)
{
    return policies->count;
}

static void describe_plans(const struct policy *policy, struct buf *ret)
{
    const struct lead *lead = &policy->lead;

    buf_printf(ret, "%s lead %" PRId64 " %a %a %" PRId64 " %" PRId64, policy->name, lead->absolute,
               lead->fraction, lead->most_fraction, lead->least, lead->most);
    for (size_t i = 0; i < policy->retry_count; i++)
        buf_printf(ret, " retry %" PRId64, policy->retry[i]);
    for (size_t i = 0; i < policy->ladder_count; i++)
        buf_printf(ret, " ladder %a %" PRId64, policy->ladder_fraction[i],
                   policy->ladder_absolute[i]);
    buf_printf(ret, " chain %" PRId64 " remind %" PRId64 " aia %d\n", policy->chain_wait,
               policy->remind_every, policy->aia);
}

void policies_describe_plans(const struct policies *policies, struct buf *ret)
{
    buf_printf(ret, "rules %d\n", POLICY_PLAN_RULES);
    for (size_t i = 0; i < policies->count; i++)
        describe_plans(policies->shown[i], ret);
}

bool policies_take_keys(const struct policies *policies)
{
    bool any = false;

    for (size_t i = 0; i < policies->count; i++)
        any = any || policies->shown[i]->take_keys;
    return any;
}

const struct policy *policies_at(const struct policies *policies, size_t index)
{
    return index < policies->count ? policies->shown[index] : NULL;
}

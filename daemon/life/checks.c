/* What the doctor looks at in the inventory: its file, its invariants, and what needs a key, a
 * parse or a policy to be judged. */
#include "daemon/life/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/invariants.h"

#include "daemon/life/internal.h"

enum {
    PAGE = 20,           /* renewals or certificates: each may take a millisecond */
    PUT_OFF_SECONDS = 60 /* a failed action is tried again after it (life.c) */
};

/* A failure that speaks of the row is what was looked for; one of the environment is not. */
static int judge(struct doctor_look *look, const char *what, int64_t id, int rc,
                 const struct error *why, struct error *err)
{
    if (rc == 0)
        return 0;
    if (code_retry(rc) == RETRY_TRANSIENT)
        return error_set(err, rc, "%s", why->text);
    doctor_say(look, "%s %" PRId64 ": %s", what, id, why->text);
    return 0;
}

static int look_at_pages(struct doctor_look *look, struct error *err)
{
    struct error why = {0};
    int rc = inventory_check_pages(look->life->inventory, &why);

    if (rc < 0 && rc != E_CORRUPT)
        return error_set(err, rc, "%s", why.text);
    if (rc < 0)
        doctor_say(look, "%s", why.text);
    return 0;
}

static int look_at_references(struct doctor_look *look, struct error *err)
{
    struct error why = {0};
    int rc = inventory_check_references(look->life->inventory, &why);

    if (rc < 0 && rc != E_CORRUPT)
        return error_set(err, rc, "%s", why.text);
    if (rc < 0)
        doctor_say(look, "%s", why.text);
    return 0;
}

static void say_broken(void *self, const char *text)
{
    doctor_say(self, "%s", text);
}

static int look_at_invariant(struct doctor_look *look, struct error *err)
{
    return invariant_look(look->life->inventory, look->what, &look->after, say_broken, look, err);
}

static int check_key(void *self, const struct renewal_row *row, struct error *err)
{
    struct doctor_look *look = self;
    const struct world *world = look->life->world;
    struct error why = {0};

    if (row->key.sealed.len == 0)
        return 0;
    int rc = world->check_key(world->self, row->id, &row->key, blob_span(&row->csr),
                              blob_span(&row->leaf), &why);
    return judge(look, "renewal", row->id, rc, &why, err);
}

static int look_at_keys(struct doctor_look *look, struct error *err)
{
    return renewals_after(look->life->inventory, look->after, PAGE, check_key, look, &look->after,
                          err);
}

/* What the row says of the leaf, for which nobody parses it again, is what the leaf says. */
static int check_leaf(void *self, const struct renewal_row *row, struct error *err)
{
    struct doctor_look *look = self;
    const struct world *world = look->life->world;
    AUTO_CERT struct cert leaf = {0};
    struct error why = {0};

    if (row->leaf.len == 0)
        return 0;
    int rc = world->parse_cert(world->self, blob_span(&row->leaf), &leaf, &why);
    if (rc == 0 && memcmp(leaf.sha256, row->leaf_sha256, SHA256_LEN) != 0)
        rc = error_set(&why, E_CORRUPT, "its leaf has another SHA-256 than is recorded");
    if (rc == 0 && memcmp(leaf.spki_sha256, row->key.spki_sha256, SHA256_LEN) != 0)
        rc = error_set(&why, E_CORRUPT, "its leaf is for another key than is recorded");
    if (rc == 0 && (leaf.not_before != row->not_before || leaf.not_after != row->not_after))
        rc = error_set(&why, E_CORRUPT, "its leaf is valid at other times than are recorded");
    if (rc == 0 && row->accepted_at != UTC_NEVER && row->chain_not_after > row->not_after)
        rc = error_set(&why, E_CORRUPT, "its chain is recorded to end after its leaf");
    return judge(look, "renewal", row->id, rc, &why, err);
}

static int look_at_leaves(struct doctor_look *look, struct error *err)
{
    return renewals_after(look->life->inventory, look->after, PAGE, check_leaf, look, &look->after,
                          err);
}

static bool is_planned_so(const struct certificate_row *row, const struct next *next)
{
    return row->next_at == next->at && row->next_target == next->target_id &&
           strcmp(row->next_action, action_text(next->action)) == 0;
}

/*
 * The plan is an index on the facts: what is due at once may have been put off for a little, what
 * lies ahead must stand there as the policy says; a plan that is due itself is made anew when it is
 * looked at.
 */
static bool is_plan_right(const struct hand *hand, const struct next *next)
{
    enum action unused;

    if (!hand->row.next_action || !action_parse(hand->row.next_action, &unused))
        return false;
    if (hand->row.retired_at != UTC_NEVER || hand->row.next_at <= hand->now)
        return true;
    return next->at <= hand->now ? hand->row.next_at <= utc_add(hand->now, PUT_OFF_SECONDS)
                                 : is_planned_so(&hand->row, next);
}

static int take_plan(struct life *life, int64_t id, bool *ret, struct hand *ret_hand,
                     struct next *ret_next, struct error *err)
{
    int rc = hand_take(life, id, ret_hand, err);

    if (rc < 0)
        return rc;
    *ret_next = policy_next(&ret_hand->facts, ret_hand->policy, ret_hand->now);
    *ret = is_plan_right(ret_hand, ret_next);
    return 0;
}

/* While it was read another lane may have written: whoever looks wrong is looked at again when
 * nobody writes. */
static int look_twice(struct doctor_look *look, int64_t id, struct error *err)
{
    char planned[UTC_TEXT_MAX], wanted[UTC_TEXT_MAX];
    AUTO_HAND struct hand hand = {0};
    struct next next = {0};
    bool right = false;
    int rc = life_begin(look->life, err);

    if (rc == 0)
        rc = take_plan(look->life, id, &right, &hand, &next, err);
    inventory_rollback(look->life->inventory);
    if (rc == 0 && !right)
        doctor_say(look, "certificate %s: wanted \"%s\" at %s, got \"%s\" at %s", hand.row.name,
                   action_text(next.action), utc_format(next.at, wanted),
                   hand.row.next_action ? hand.row.next_action : "",
                   utc_format(hand.row.next_at, planned));
    return rc;
}

static int check_plan(void *self, const struct certificate_row *row, struct error *err)
{
    struct doctor_look *look = self;
    AUTO_HAND struct hand hand = {0};
    struct next next;
    bool right = false;

    if (row->damaged) {
        doctor_say(look, "certificate %s: %s", row->name, row->damaged);
        return 0;
    }
    int rc = take_plan(look->life, row->id, &right, &hand, &next, err);

    return rc < 0 || right ? rc : look_twice(look, row->id, err);
}

static int look_at_plans(struct doctor_look *look, struct error *err)
{
    return certificates_after(look->life->inventory, look->after, PAGE, check_plan, look,
                              &look->after, err);
}

struct service_walk {
    struct doctor_look *look;
    const char *certificate;
};

static int check_service(void *self, const struct target_row *target, struct error *err)
{
    struct service_walk *walk = self;

    (void)err;
    if (!services_get(walk->look->life->services, target->service))
        doctor_say(walk->look, "certificate %s: service %s is not configured", walk->certificate,
                   target->service);
    return 0;
}

static int check_rules(void *self, const struct certificate_row *row, struct error *err)
{
    struct doctor_look *look = self;
    struct service_walk walk = {look, row->name};

    if (row->retired_at != UTC_NEVER || row->damaged)
        return 0;
    if (!policies_get(look->life->policies, row->policy))
        doctor_say(look, "certificate %s: policy %s is not configured", row->name, row->policy);
    return targets_each(look->life->inventory, row->id, check_service, &walk, err);
}

static int look_at_rules(struct doctor_look *look, struct error *err)
{
    return certificates_after(look->life->inventory, look->after, PAGE, check_rules, look,
                              &look->after, err);
}

static const struct doctor_check own[] = {
    {"file", "the pages of the inventory are whole",
     "stop unlapsed, keep a copy of the file, and put a backup in its place", false, look_at_pages,
     NULL},
    {"references", "no row refers to one that is not there",
     "keep a copy of the inventory, and report what \"unlapse doctor --json\" says", false,
     look_at_references, NULL},
    {"keys", "every key opens under the sealing key and fits its request and its certificate",
     "put the sealing key back that the inventory was sealed with; for a single renewal run "
     "\"unlapse renew NAME --again\"",
     false, look_at_keys, NULL},
    {"leaves", "what is recorded of a certificate is what it says",
     "keep a copy of the inventory, and report what \"unlapse doctor --json\" says", false,
     look_at_leaves, NULL},
    {"plans", "the next action of every certificate is what its facts and its policy ask for",
     "restart unlapsed, which plans every certificate anew", false, look_at_plans, NULL},
    {"rules", "the policies and services that certificates name are configured",
     "put the policy or the service back, and run \"systemctl reload unlapsed\"", false,
     look_at_rules, NULL},
};

size_t doctor_checks_count(void)
{
    return COUNT_OF(own) + invariants_count();
}

struct doctor_check doctor_checks_at(size_t index)
{
    if (index < COUNT_OF(own))
        return own[index];
    const struct invariant *invariant = invariants_at(index - COUNT_OF(own));
    return (struct doctor_check){.name = invariant->name,
                                 .means = invariant->means,
                                 .remedy = invariant->remedy,
                                 .at_start = true,
                                 .look = look_at_invariant,
                                 .what = invariant};
}

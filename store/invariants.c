#include "store/invariants.h"

#include <assert.h>

#include "store/statement.h"

/* What nobody but a defect, or a hand in the file, can have done. */
#define DEFECT                                                                                  \
    "no work of the daemon leaves this behind: keep a copy of the inventory and a backup, and " \
    "report what \"unlapse doctor --json\" says"
#define PLANNED_ANEW "restart unlapsed, which plans every certificate anew; " DEFECT

#define ROW(name_, table, said, condition, means_, remedy_)                             \
    {                                                                                   \
        .name = name_, .means = means_, .remedy = remedy_,                              \
        .page = "SELECT max(id) FROM (SELECT id FROM " table " WHERE id > ?1"           \
                " ORDER BY id LIMIT ?2)",                                               \
        .broken = "SELECT " said " FROM " table " t WHERE t.id > ?1 AND t.id <= ?2 AND" \
                  " (" condition ") ORDER BY t.id",                                     \
    }

#define NAME_OF(id) "coalesce((SELECT name FROM certificates WHERE id = " id "), '(none)')"
#define CERTIFICATE(name, condition, means, remedy) \
    ROW(name, "certificates", "'certificate ' || t.name", condition, means, remedy)
#define RENEWAL(name, condition, means, remedy)                                           \
    ROW(name, "renewals", "'renewal ' || t.id || ' of ' || " NAME_OF("t.certificate_id"), \
        condition, means, remedy)
#define DEPLOYMENT(name, condition, means, remedy)                                             \
    ROW(name, "deployments",                                                                   \
        "'deployment of renewal ' || t.renewal_id || ' on target ' || t.target_id", condition, \
        means, remedy)
#define NOTICE(name, condition, means, remedy)                                                \
    ROW(name, "notices",                                                                      \
        "'notice ' || t.id || ' (' || t.stage || ') about ' || " NAME_OF("t.certificate_id"), \
        condition, means, remedy)

#define IS_OPEN(r) \
    r ".accepted_at IS NULL AND " r ".superseded_at IS NULL AND " r ".withdrawn_at IS NULL"
/* Rows of a list are numbered from 0 without a gap. */
#define HAS_GAPS(table, owner) \
    "(SELECT count(*) <> coalesce(max(position) + 1, 0) FROM " table " WHERE " owner " = t.id)"
/* As renewals_accepted has it. */
#define NEWEST_ACCEPTED                                                                         \
    "(SELECT id FROM renewals WHERE certificate_id = t.id AND accepted_at IS NOT NULL ORDER BY" \
    " accepted_at DESC, coalesce(not_after, 9223372036854775807) DESC, id DESC LIMIT 1)"
#define OF_RENEWAL(fact) \
    "NOT EXISTS (SELECT 1 FROM renewals r WHERE r.id = t.renewal_id AND (" fact "))"
#define OF_DEPLOYMENT(fact) \
    "NOT EXISTS (SELECT 1 FROM deployments d WHERE d.renewal_id = t.renewal_id AND " fact ")"
#define OF_CERTIFICATE(fact) \
    "NOT EXISTS (SELECT 1 FROM certificates c WHERE c.id = t.certificate_id AND " fact ")"
#define IS_WAITING "t.sent_at IS NULL AND t.bad_at IS NULL AND t.dropped_at IS NULL"

/* clang-format off */
static const struct invariant invariants[] = {
    CERTIFICATE("certificate-names",
        HAS_GAPS("certificate_names", "certificate_id")
        " OR NOT EXISTS (SELECT 1 FROM certificate_names WHERE certificate_id = t.id)",
        "a certificate has one name or more, numbered without a gap", DEFECT),
    CERTIFICATE("certificate-plan",
        "t.retired_at IS NULL AND ((t.next_action = 'none') <> (t.next_at IS NULL)"
        " OR (t.next_action = 'deploy') <> (t.next_target IS NOT NULL)"
        " OR (t.next_target IS NOT NULL"
        " AND t.next_target NOT IN (SELECT id FROM targets WHERE certificate_id = t.id)))",
        "a next action has its time, and a deployment its target", PLANNED_ANEW),
    CERTIFICATE("certificate-unplanned",
        "t.retired_at IS NULL AND t.next_at IS NULL AND ("
        "EXISTS (SELECT 1 FROM renewals r WHERE r.certificate_id = t.id AND " IS_OPEN("r")
        " AND (r.handed_over_at IS NULL OR (r.received_at IS NOT NULL AND r.chain_told_at IS NULL)))"
        " OR EXISTS (SELECT 1 FROM deployments WHERE renewal_id = " NEWEST_ACCEPTED
        " AND (verified_at IS NULL OR cleaned_at IS NULL)))",
        "whatever is not finished has a time at which it goes on", PLANNED_ANEW),
    CERTIFICATE("certificate-files",
        "EXISTS (SELECT 1 FROM targets g JOIN target_files f ON f.target_id = g.id"
        " WHERE g.certificate_id = t.id AND (f.released_at IS NULL) <> (t.retired_at IS NULL))",
        "the files of a certificate are its own until it is retired, and free then", DEFECT),
    RENEWAL("renewal-facts",
        "(t.requested_at IS NOT NULL AND t.spki_sha256 IS NULL)"
        " OR (t.handed_over_at IS NOT NULL AND t.requested_at IS NULL)"
        " OR (t.received_at IS NOT NULL AND t.leaf IS NULL)"
        " OR (t.accepted_at IS NOT NULL AND (t.received_at IS NULL OR t.spki_sha256 IS NULL))"
        " OR (t.leaf IS NULL) <> (t.leaf_sha256 IS NULL)"
        " OR (t.rejected_at IS NULL) <> (t.rejected_reason IS NULL)",
        "no step of a renewal is recorded without those before it", DEFECT),
    RENEWAL("renewal-key",
        "t.requested_at IS NOT NULL AND t.key_sealed IS NULL AND " IS_OPEN("t"),
        "an open request has its key",
        "its certificate can never be installed: run \"unlapse renew NAME --again\"; " DEFECT),
    RENEWAL("renewal-names",
        HAS_GAPS("renewal_names", "renewal_id")
        " OR NOT EXISTS (SELECT 1 FROM renewal_names WHERE renewal_id = t.id)",
        "a renewal has one name or more, numbered without a gap", DEFECT),
    RENEWAL("renewal-chain",
        HAS_GAPS("renewal_chain", "renewal_id")
        " OR (t.accepted_at IS NULL AND EXISTS (SELECT 1 FROM renewal_chain WHERE renewal_id = t.id))",
        "the chain of an accepted renewal is numbered without a gap, and no other has one", DEFECT),
    RENEWAL("renewal-rechained",
        "t.rechain_of IS NOT NULL AND NOT EXISTS (SELECT 1 FROM renewals r WHERE r.id = t.rechain_of"
        " AND r.certificate_id = t.certificate_id AND r.leaf_sha256 = t.leaf_sha256"
        " AND r.accepted_at IS NOT NULL)",
        "a renewal that only changes the chain is of a leaf that was accepted before", DEFECT),
    DEPLOYMENT("deployment-accepted",
        "NOT EXISTS (SELECT 1 FROM renewals r JOIN targets g ON g.certificate_id = r.certificate_id"
        " WHERE r.id = t.renewal_id AND g.id = t.target_id AND r.accepted_at IS NOT NULL)",
        "what is deployed was accepted, for a target of its own certificate", DEFECT),
    DEPLOYMENT("deployment-facts",
        "(t.swap_begun_at IS NOT NULL AND t.staged_at IS NULL)"
        " OR (t.swapped_at IS NOT NULL AND t.swap_begun_at IS NULL)"
        " OR (t.reloaded_at IS NOT NULL AND t.swapped_at IS NULL)"
        " OR (t.verified_at IS NOT NULL AND t.staged_at IS NOT NULL AND t.reloaded_at IS NULL)"
        " OR (t.cleaned_at IS NOT NULL AND t.verified_at IS NULL)"
        " OR (t.undo_begun_at IS NOT NULL AND (t.swap_begun_at IS NULL OR t.verified_at IS NOT NULL))",
        "no step of a deployment is recorded without those before it", DEFECT),
    ROW("target-files", "targets", "'target ' || t.id || ' of ' || " NAME_OF("t.certificate_id"),
        "NOT EXISTS (SELECT 1 FROM target_files WHERE target_id = t.id)",
        "a target has a file to write", DEFECT),
    NOTICE("notice-fact",
        "CASE t.kind"
        " WHEN 'csr-ready' THEN " OF_RENEWAL("r.handed_over_at IS NOT NULL")
        " WHEN 'reminder' THEN " OF_RENEWAL("r.reminded_at IS NOT NULL")
        /* one may stand for many requests */
        " WHEN 'waiting-chain' THEN t.renewal_id IS NOT NULL AND " OF_RENEWAL("r.received_at IS NOT NULL")
        " WHEN 'accepted' THEN " OF_RENEWAL("r.accepted_at IS NOT NULL")
        " WHEN 'chain-ends' THEN " OF_RENEWAL("r.accepted_at IS NOT NULL")
        " WHEN 'deployed' THEN " OF_DEPLOYMENT("d.verified_at IS NOT NULL")
        " WHEN 'rechained' THEN " OF_DEPLOYMENT("d.verified_at IS NOT NULL")
        " WHEN 'rolled-back' THEN " OF_DEPLOYMENT("d.failed_at IS NOT NULL")
        " WHEN 'failed' THEN " OF_RENEWAL("r.failed_at IS NOT NULL OR r.requested_at IS NOT NULL")
        " WHEN 'expires' THEN " IS_WAITING " AND " OF_CERTIFICATE("c.ladder_told > 0")
        " WHEN 'expired' THEN " IS_WAITING " AND " OF_CERTIFICATE("c.expired_told_at IS NOT NULL")
        " ELSE 0 END",
        "people are told of nothing that is not recorded", DEFECT),
    NOTICE("notice-renewal",
        "t.renewal_id IS NOT NULL AND " OF_RENEWAL("r.certificate_id = t.certificate_id"),
        "a notice is about a renewal of its own certificate", DEFECT),
    NOTICE("notice-next",
        "(t.next_try_at IS NULL AND " IS_WAITING ")"
        " OR (t.sent_at IS NOT NULL AND t.bad_at IS NOT NULL)"
        " OR (t.attempts = 0 AND (t.sent_at IS NOT NULL OR t.bad_at IS NOT NULL))",
        "a notice that waits has the time of its next try, and one outcome in the end", DEFECT),
    ROW("delivery-filed", "deliveries", "'delivery ' || t.id",
        "(t.filed_at IS NULL) <> (t.filed_name IS NULL) OR (t.filed_at IS NULL AND t.receipt_written = 1)",
        "a delivery has its receipt when it was filed under its name", DEFECT),
    ROW("quarantine-open", "quarantine", "'leaf ' || t.id || ' in quarantine'",
        "EXISTS (SELECT 1 FROM renewals r WHERE r.spki_sha256 = t.spki_sha256"
        " AND r.leaf_sha256 = t.sha256 AND r.accepted_at IS NOT NULL)",
        "what was accepted is not in quarantine any more", DEFECT),
    ROW("authority-anchor", "authorities", "'authority ' || t.id || ' (' || t.subject || ')'",
        "(t.anchored_at IS NULL) <> (t.anchor_sha256 IS NULL)",
        "an authority that was proved leads to a trust anchor that is named", DEFECT),
    ROW("event-renewal", "events", "'event ' || t.id || ' (' || t.kind || ')'",
        "t.renewal_id IS NOT NULL AND " OF_RENEWAL("r.certificate_id = t.certificate_id"),
        "an event is about a renewal of its own certificate", DEFECT),
};
/* clang-format on */

size_t invariants_count(void)
{
    return COUNT_OF(invariants);
}

const struct invariant *invariants_at(size_t index)
{
    assert(index < COUNT_OF(invariants));
    return &invariants[index];
}

/* *ret is 0 when there is no row after `after`. */
static int page_end(struct inventory *inventory, const struct invariant *invariant, int64_t after,
                    int64_t *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, invariant->page, &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, after);
    statement_bind_int(&statement, INVARIANT_PAGE);
    rc = statement_one(&statement, err, "%s", invariant->name);
    if (rc == 0)
        *ret = statement_read_int(&statement);
    return rc;
}

int invariant_look(struct inventory *inventory, const struct invariant *invariant, int64_t *after,
                   invariant_fn fn, void *self, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int64_t end = 0;
    bool row = false;
    int rc = page_end(inventory, invariant, *after, &end, err);

    if (rc == 0 && end != 0)
        rc = statement_open(inventory, invariant->broken, &statement, err);
    if (rc == 0 && end != 0) {
        statement_bind_int(&statement, *after);
        statement_bind_int(&statement, end);
        rc = statement_step(&statement, &row, err);
    }
    while (rc == 0 && row) {
        AUTO_FREE char *text = statement_read_text(&statement);
        fn(self, text);
        rc = statement_step(&statement, &row, err);
    }
    if (rc == 0)
        *after = end;
    return rc;
}

#include "store/schedule.h"

#include "store/statement.h"

/* What becomes due is put into the order of deadlines by so many at a time. */
enum { ENQUEUE_MAX = 4096 };

int certificates_set_plan(struct inventory *inventory, int64_t id,
                          const struct certificate_plan *plan, utc_t now, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool due = plan->next_at <= now;
    int rc = statement_open(inventory,
                            "UPDATE certificates SET next_at = ?, next_action = ?, next_target = ?,"
                            " deadline = ?, urgency = ?, ends_at = ?, state = ? WHERE id = ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_utc(&statement, plan->next_at);
    statement_bind_text(&statement, plan->next_action);
    statement_bind_id(&statement, plan->next_target);
    statement_bind_utc(&statement, plan->deadline);
    statement_bind_int(&statement, !due                          ? UTC_NEVER
                                   : plan->deadline == UTC_NEVER ? UTC_NEVER - 1
                                                                 : plan->deadline);
    statement_bind_utc(&statement, plan->ends_at);
    statement_bind_text(&statement, plan->state);
    statement_bind_int(&statement, id);
    return statement_change(&statement, err, "certificate %" PRId64, id);
}

/* The conditions repeat those of the two partial indexes. An urgency of "never" is that of what
 * waits for its time. */
#define LANE(action) " FROM certificates WHERE " action " AND next_at IS NOT NULL"
#define DEPLOY LANE("next_action = 'deploy' AND retired_at IS NULL")
#define OTHER LANE("next_action <> 'deploy' AND (retired_at IS NULL OR next_action = 'erase keys')")
#define NEVER "9223372036854775807"

/* The first entry of the index: the most urgent of what is due, else the first to become due. */
struct head {
    int64_t id; /* 0: nothing is planned */
    utc_t at;
    bool queued; /* put into the order of deadlines */
};

static int read_head(struct inventory *inventory, bool deploy, struct head *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    bool row = false;
    int rc = statement_open(
        inventory,
        deploy ? "SELECT id, next_at, urgency" DEPLOY " ORDER BY urgency, next_at, id LIMIT 1"
               : "SELECT id, next_at, urgency" OTHER " ORDER BY urgency, next_at, id LIMIT 1",
        &statement, err);

    if (rc == 0)
        rc = statement_step(&statement, &row, err);
    if (rc < 0)
        return rc;
    *ret = (struct head){.at = UTC_NEVER};
    if (row) {
        ret->id = statement_read_int(&statement);
        ret->at = statement_read_utc(&statement);
        ret->queued = statement_read_int(&statement) != UTC_NEVER;
    }
    return 0;
}

/* Those that are due by their time and not yet in the order of deadlines. */
static int read_arrived(struct inventory *inventory, bool deploy, utc_t now, size_t room,
                        struct ids *ret, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory,
                            deploy ? "SELECT id" DEPLOY " AND urgency = " NEVER
                                     " AND next_at <= ? ORDER BY next_at LIMIT ?"
                                   : "SELECT id" OTHER " AND urgency = " NEVER
                                     " AND next_at <= ? ORDER BY next_at LIMIT ?",
                            &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, now);
    statement_bind_int(&statement, (int64_t)room);
    return statement_ids(&statement, ret, err);
}

#define ENQUEUE(lane)                                                                           \
    "UPDATE certificates SET urgency = coalesce(deadline, " NEVER " - 1)"                       \
    " WHERE id IN (SELECT id" lane " AND urgency = " NEVER " AND next_at <= ? ORDER BY next_at" \
    " LIMIT ?)"

static int enqueue(struct inventory *inventory, bool deploy, utc_t now, struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(inventory, deploy ? ENQUEUE(DEPLOY) : ENQUEUE(OTHER), &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, now);
    statement_bind_int(&statement, ENQUEUE_MAX);
    return statement_run(&statement, err);
}

static int read_queue(struct inventory *inventory, bool deploy, size_t room, struct ids *ret,
                      struct error *err)
{
    AUTO_STATEMENT struct statement statement = {0};
    int rc = statement_open(
        inventory,
        deploy ? "SELECT id" DEPLOY " AND urgency < " NEVER " ORDER BY urgency, next_at, id LIMIT ?"
               : "SELECT id" OTHER " AND urgency < " NEVER " ORDER BY urgency, next_at, id LIMIT ?",
        &statement, err);

    if (rc < 0)
        return rc;
    statement_bind_int(&statement, (int64_t)room);
    return statement_ids(&statement, ret, err);
}

int certificates_due(struct inventory *inventory, bool deploy, utc_t now, int64_t *ret_ids,
                     size_t room, size_t *ret_count, utc_t *ret_at, struct error *err)
{
    AUTO_IDS struct ids ids = {0}, arrived = {0};
    struct head head;
    int rc = read_head(inventory, deploy, &head, err);

    if (rc < 0)
        return rc;
    if (!head.queued && (head.id == 0 || head.at > now)) {
        *ret_at = head.at;
        return error_set(err, E_NOT_FOUND, "certificates: nothing is due");
    }
    rc = read_arrived(inventory, deploy, now, 2, &arrived, err);
    /* One alone needs no order, and no write. */
    if (rc == 0 && !head.queued && arrived.count == 1) {
        ret_ids[0] = head.id;
        *ret_count = 1;
        return 0;
    }
    if (rc == 0 && arrived.count > 0)
        rc = enqueue(inventory, deploy, now, err);
    if (rc == 0)
        rc = read_queue(inventory, deploy, room, &ids, err);
    for (size_t i = 0; rc == 0 && i < ids.count; i++)
        ret_ids[i] = ids.items[i];
    if (rc == 0)
        *ret_count = ids.count;
    return rc;
}

int certificates_next(struct inventory *inventory, bool deploy, int64_t *ret_id, utc_t *ret_at,
                      struct error *err)
{
    struct head head;
    int rc = read_head(inventory, deploy, &head, err);

    if (rc < 0)
        return rc;
    if (head.id == 0)
        return error_set(err, E_NOT_FOUND, "certificates: nothing is planned");
    *ret_id = head.id;
    *ret_at = head.at;
    return 0;
}

static int each_of(struct inventory *inventory, const struct ids *ids, certificate_fn fn,
                   void *self, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < ids->count; i++) {
        AUTO_CERTIFICATE struct certificate_row row = {0};

        rc = certificates_get_any(inventory, ids->items[i], &row, err);
        if (rc == 0)
            rc = fn(self, &row, err);
    }
    return rc;
}

int certificates_each_due(struct inventory *inventory, utc_t now, size_t limit, certificate_fn fn,
                          void *self, struct error *err)
{
    int rc = 0;

    for (int deploy = 0; rc == 0 && deploy < 2; deploy++) {
        AUTO_IDS struct ids queue = {0}, arrived = {0};

        rc = read_queue(inventory, deploy == 1, limit, &queue, err);
        if (rc == 0)
            rc = read_arrived(inventory, deploy == 1, now, limit, &arrived, err);
        if (rc == 0)
            rc = each_of(inventory, &queue, fn, self, err);
        if (rc == 0)
            rc = each_of(inventory, &arrived, fn, self, err);
    }
    return rc;
}

/* The outbox: one due notice, one attempt, its result recorded. */
#include "daemon/life/internal.h"

#include <assert.h>

#include "base/log.h"

static seconds_t retry_after(const struct life *life, int attempts)
{
    assert(life->mail_retry_count > 0 && attempts > 0);
    size_t index = (size_t)attempts - 1;

    return life->mail_retry[index < life->mail_retry_count ? index : life->mail_retry_count - 1];
}

static int csr_of(struct life *life, int64_t renewal_id, struct buf *pem, struct error *err)
{
    AUTO_RENEWAL struct renewal_row renewal = {0};

    if (renewal_id == 0)
        return 0;
    int rc = renewals_get(life->inventory, renewal_id, &renewal, err);
    if (rc == 0 && renewal.csr.len > 0)
        pem_write(pem, "CERTIFICATE REQUEST", blob_span(&renewal.csr));
    return rc;
}

static bool carries_csr(const char *kind)
{
    enum notice_kind value;

    return notice_kind_parse(kind, &value) &&
           (value == NOTICE_CSR_READY || value == NOTICE_REMINDER);
}

static int record_sent(struct life *life, const struct notice_row *notice, utc_t now,
                       struct error *err)
{
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = notices_set_sent(life->inventory, notice->id, now, err);
    if (rc == 0)
        rc = life_event(life, notice->certificate_id, notice->renewal_id, "mailed", "%s to %s",
                        notice->kind, notice->recipient);
    return life_end(life, rc, err);
}

/* Nothing is given up silently: the event stays, and the log line is an error. */
static int record_failed(struct life *life, const struct notice_row *notice,
                         const struct error *why, utc_t now, struct error *err)
{
    bool for_good = why->code == E_REFUSED || why->code == E_INPUT;
    bool too_old = now >= utc_add(notice->created_at, life->mail_give_up);
    utc_t again = utc_add(now, retry_after(life, notice->attempts + 1));
    int rc = life_begin(life, err);

    log_line(for_good || too_old ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "mail-failed",
             "%s to %s: %s%s", notice->kind, notice->recipient, why->text,
             for_good || too_old ? ": given up" : "");
    if (rc == 0)
        rc = notices_set_failed(life->inventory, notice->id, again, for_good || too_old, now,
                                why->text, err);
    if (rc == 0 && (for_good || too_old))
        rc = life_event(life, notice->certificate_id, notice->renewal_id, "mail-lost",
                        "%s to %s: %s", notice->kind, notice->recipient, why->text);
    return life_end(life, rc, err);
}

int life_send(struct life *life, utc_t *ret_at, struct error *err)
{
    AUTO_NOTICE struct notice_row notice = {0};
    AUTO_BUF struct buf pem;
    utc_t now = life->world->now(life->world->self);
    int rc = notices_next_due(life->inventory, now, &notice, ret_at, err);

    buf_init(&pem, BUF_MAX_PEM);
    if (rc == 0 && carries_csr(notice.kind))
        rc = csr_of(life, notice.renewal_id, &pem, err);
    if (rc < 0)
        return rc;
    LOG_CONTEXT("notice=%lld", (long long)notice.id);
    struct error why = {0};
    rc = life->world->send(life->world->self, &notice, span_of(pem.data, pem.len), &why);
    now = life->world->now(life->world->self);
    return rc == 0 ? record_sent(life, &notice, now, err)
                   : record_failed(life, &notice, &why, now, err);
}

/* Another look at leaves in quarantine: they are judged as if they came now, and their receipts and
 * their people hear how the story goes on. */
#include "daemon/life/leaf.h"

#include <string.h>

#include "base/log.h"

struct second_look {
    struct life *life;
    const char *why;
    struct buf *receipt; /* NULL: nobody asks */
};

/* The person who dropped it looks at its receipt again. */
static int extend_receipt(const struct second_look *look, const struct quarantine_row *row,
                          const struct leaf_outcome *outcome, struct error *err)
{
    struct life *life = look->life;
    AUTO_DELIVERY struct delivery_row delivery = {0};
    char at[UTC_TEXT_MAX];
    bool good = outcome->result == LEAF_ACCEPTED || outcome->result == LEAF_WAITING;
    int rc = row->delivery_id == 0
                 ? E_NOT_FOUND
                 : deliveries_get(life->inventory, row->delivery_id, &delivery, err);

    if (rc == E_NOT_FOUND)
        return 0;
    if (rc < 0 || strlen(delivery.receipt) >= BUF_MAX_RECEIPT)
        return rc;
    AUTO_FREE char *receipt =
        mem_printf("%s\n%s, with %s, the certificate in it was looked at again:\n%s",
                   delivery.receipt, utc_format_plain(life->world->now(life->world->self), at),
                   look->why, buf_text(&outcome->text));
    rc = deliveries_set_receipt(life->inventory, delivery.id, receipt, err);
    if (rc == 0 && good)
        rc = deliveries_set_renewal(life->inventory, delivery.id, outcome->renewal_id, err);
    return rc;
}

static int record_look(const struct second_look *look, const struct quarantine_row *row,
                       const struct leaf_outcome *outcome, struct error *err)
{
    int rc = life_event(look->life, outcome->certificate_id, outcome->renewal_id, "looked-again",
                        "%s: the certificate that came on its own before is judged with %s",
                        row->file, look->why);

    if (rc == 0)
        rc = extend_receipt(look, row, outcome, err);
    if (look->receipt && outcome->result == LEAF_ACCEPTED)
        buf_printf(look->receipt, "The certificate in %s, which was refused before, is accepted.\n",
                   row->file);
    return rc;
}

static int judge_again(const struct second_look *look, const struct quarantine_row *row,
                       struct error *err)
{
    struct life *life = look->life;
    AUTO_OUTCOME struct leaf_outcome outcome = {0};
    AUTO_CERT struct cert cert = {0};

    buf_init(&outcome.text, BUF_MAX_RECEIPT);
    int rc = life->world->parse_cert(life->world->self, blob_span(&row->der), &cert, err);
    if (rc < 0 && code_retry(rc) != RETRY_TRANSIENT) {
        log_warn("quarantine-unreadable", "%s: %s", row->file, err->text);
        return quarantine_remove(life->inventory, row->sha256, err);
    }
    if (rc == 0)
        rc = leaf_take(
            life,
            &(struct leaf_input){
                .der = blob_span(&row->der), .cert = &cert, .file = row->file, .again = true},
            &outcome, err);
    /* Nothing new. */
    if (rc < 0 || outcome.result == LEAF_FOREIGN || outcome.result == LEAF_KEPT)
        return rc;
    return record_look(look, row, &outcome, err);
}

/* One that fails keeps no other one, nor what brought the news: it stays for the next look. */
static int look_at(void *self, const struct quarantine_row *row, struct error *err)
{
    const struct second_look *look = self;
    int rc = life_part_begin(look->life, err);

    if (rc < 0)
        return rc;
    int looked = judge_again(look, row, err);
    rc = life_part_end(look->life, looked, err);
    if (rc == 0 && looked < 0)
        log_warn("not-looked-again", "%s: %s", row->file, err->text);
    return rc;
}

int look_again_for_key(struct life *life, const uint8_t spki_sha256[SHA256_LEN], const char *why,
                       struct error *err)
{
    struct second_look look = {life, why, NULL};

    return quarantine_by_spki(life->inventory, spki_sha256, look_at, &look, err);
}

int look_again_for_chain(struct life *life, const char *why, struct buf *receipt, struct error *err)
{
    struct second_look look = {life, why, receipt};

    return quarantine_by_chain(life->inventory, look_at, &look, err);
}

int life_look_again(struct life *life, const char *why, struct error *err)
{
    AUTO_BUF struct buf unused;

    buf_init(&unused, BUF_MAX_RECEIPT);
    return chains_complete(life, why, &unused, err);
}

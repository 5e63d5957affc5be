/* The trust anchors of the administrator: "unlapse trust". */
#include "daemon/life/internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "store/anchors.h"

/* What OpenSSL's security level 2 wants of a key in a chain, the anchor's too. */
enum { RSA_BITS_MIN = 2048, EC_BITS_MIN = 224, PREFIX_MIN = 8, COMMENT_MAX = 400 };

static void anchor_done(struct life_anchor *anchor)
{
    for (size_t i = 0; i < anchor->notes.count; i++)
        free(anchor->notes.items[i]);
    *anchor = (struct life_anchor){0};
}

void life_anchors_done(struct life_anchors *anchors)
{
    for (size_t i = 0; i < anchors->count; i++)
        anchor_done(&anchors->items[i]);
    free(anchors->items);
    *anchors = (struct life_anchors){0};
}

static void note(struct life_anchor *anchor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void note(struct life_anchor *anchor, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = mem_strdup("");
    va_end(args);
    anchor->notes.items[anchor->notes.count++] = text;
}

static bool is_weak(const struct cert *cert)
{
    if (text_starts(cert->key_text, "RSA"))
        return cert->key_bits < RSA_BITS_MIN;
    return text_starts(cert->key_text, "EC ") && cert->key_bits < EC_BITS_MIN;
}

/* By the system's store alone, where a policy uses it without files of its own. */
static bool is_in_system_store(struct life *life, struct span der, const struct cert *cert)
{
    for (size_t i = 0; i < policies_count(life->policies); i++) {
        const struct policy *policy = policies_at(life->policies, i);
        const struct chain_order order = {.policy = policy,
                                          .leaf = der,
                                          .at = life->world->now(life->world->self),
                                          .purpose = CHAIN_ANY};
        AUTO_CHAIN struct chain chain = {0};
        struct error no = {0};

        if (!policy->system_anchors || policy->anchors.count > 0)
            continue;
        return life->world->build_chain(life->world->self, &order, &chain, &no) == 0 &&
               memcmp(chain.anchor_sha256, cert->sha256, SHA256_LEN) == 0;
    }
    return false;
}

static void add_notes(struct life *life, struct span der, const struct cert *cert,
                      struct life_anchor *ret)
{
    utc_t now = life->world->now(life->world->self);
    char at[UTC_TEXT_MAX];

    if (!cert->self_signed)
        note(ret, "it is an intermediate, not a root: chains may end in it, whoever signed it");
    if (cert->not_after < now)
        note(ret, "it ended on %s: no chain to it is accepted",
             utc_format_plain(cert->not_after, at));
    if (cert->not_before > now)
        note(ret, "it begins on %s: no chain to it is accepted before",
             utc_format_plain(cert->not_before, at));
    if (is_weak(cert))
        note(ret, "its key (%s) is weak: no chain to it is accepted", cert->key_text);
    if (cert->version == 1)
        note(ret, "it is of version 1: nothing in it limits what it may sign");
    if (is_in_system_store(life, der, cert))
        note(ret, "the system's store holds it already");
}

/* Fills ret, or says why this is no anchor. */
static int judge(struct life *life, const struct object *object, struct life_anchor *ret,
                 struct error *err)
{
    const struct cert *cert = &object->cert;

    if (!cert->is_ca)
        return error_set(err, E_REFUSED,
                         "trust: \"%s\": wanted the certificate of an authority, got one that may "
                         "not sign others (basicConstraints: no CA%s)",
                         cert->subject, cert->version < 3 ? "; version below 3" : "");
    *ret = (struct life_anchor){.not_before = cert->not_before, .not_after = cert->not_after};
    memcpy(ret->sha256, cert->sha256, SHA256_LEN);
    snprintf(ret->subject, sizeof ret->subject, "%s", cert->subject);
    add_notes(life, blob_span(&object->der), cert, ret);
    return 0;
}

static int judge_all(struct life *life, const struct delivery_objects *objects,
                     struct life_anchors *ret, struct error *err)
{
    int rc = 0;

    ret->items = mem_alloc(objects->count, sizeof *ret->items);
    for (size_t i = 0; rc == 0 && i < objects->count; i++) {
        const struct object *object = &objects->items[i];

        if (object->kind == OBJECT_BROKEN)
            rc = error_set(err, E_FORMAT, "trust: %s", object->note);
        else if (object->kind == OBJECT_PRIVATE_KEY)
            rc = error_set(err, E_REFUSED,
                           "trust: wanted certificates of authorities, got a private key too: "
                           "whose key is shown around is not to be trusted");
        else if (object->kind == OBJECT_CERTIFICATE)
            rc = judge(life, object, &ret->items[ret->count], err);
        if (rc == 0 && object->kind == OBJECT_CERTIFICATE)
            ret->count++;
    }
    return rc;
}

static int refuse_several(const struct life_anchors *anchors, struct error *err)
{
    AUTO_BUF struct buf list;

    buf_init(&list, ERROR_TEXT_MAX);
    for (size_t i = 0; i < anchors->count; i++)
        buf_printf(&list, "%s\"%s\"", i > 0 ? ", " : "", anchors->items[i].subject);
    return error_set(
        err, E_REFUSED,
        "trust: wanted one certificate, got %zu: give them one by one, or say that all "
        "are meant (--all): %s",
        anchors->count, buf_text(&list));
}

/* Nobody's word for what an anchor is counts but that of a process that has read no file at all. */
static int hear_again(struct life *life, struct delivery_objects *objects, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < objects->count; i++) {
        struct object *object = &objects->items[i];
        struct cert again = {0};

        if (object->kind != OBJECT_CERTIFICATE)
            continue;
        rc = life->world->parse_cert(life->world->self, blob_span(&object->der), &again, err);
        if (rc == 0) {
            cert_done(&object->cert);
            object->cert = again;
        }
    }
    return rc;
}

static int read_file(struct life *life, const struct life_trust *asked,
                     struct delivery_objects *objects, struct life_anchors *ret, struct error *err)
{
    int rc = life->world->read_alone(life->world->self, asked->file, objects, err);

    if (rc == 0)
        rc = hear_again(life, objects, err);
    if (rc == 0)
        rc = judge_all(life, objects, ret, err);
    if (rc < 0)
        return rc;
    if (ret->count == 0)
        return error_set(err, E_FORMAT, "trust: wanted a certificate, got %s", objects->summary);
    return ret->count > 1 && !asked->all ? refuse_several(ret, err) : 0;
}

static int tell_added(struct life *life, const struct life_trust *asked,
                      const struct life_anchor *anchor)
{
    char hex[2 * SHA256_LEN + 1], comment[COMMENT_MAX];

    text_escape(asked->comment ? asked->comment : "", comment, sizeof comment);
    return life_event_change(life, &(struct life_change){0, 0, "trust-added", NULL, anchor->sha256},
                             "%s, SHA-256 %s, is a trust anchor from now on%s%s", anchor->subject,
                             text_hex(anchor->sha256, SHA256_LEN, hex),
                             comment[0] != '\0' ? ": " : "", comment);
}

static int add_one(struct life *life, const struct life_trust *asked, const struct object *object,
                   struct life_anchor *anchor, struct error *err)
{
    AUTO_ANCHOR struct anchor_row row = {
        .der = blob_copy(blob_span(&object->der)),
        .subject = mem_strdup(anchor->subject),
        .not_after = anchor->not_after,
        .added_at = life->world->now(life->world->self),
        .added_by = mem_strdup(asked->actor),
        .comment = asked->comment ? mem_strdup(asked->comment) : NULL,
    };
    struct error why = {0};
    int64_t id = 0, count = 0;

    memcpy(row.sha256, anchor->sha256, SHA256_LEN);
    int rc = anchors_add(life->inventory, &row, &id, &why);
    if (rc == E_EXISTS) {
        anchor->existing = true;
        return 0;
    }
    if (rc < 0)
        return error_set(err, rc, "%s", why.text);
    rc = anchors_count(life->inventory, &count, err);
    if (rc == 0 && count > CHAIN_ADDED_MAX)
        rc = error_set(err, E_REFUSED, "trust: wanted at most %d added anchors, got more",
                       CHAIN_ADDED_MAX);
    if (rc == 0)
        rc = tell_added(life, asked, anchor);
    return rc < 0 ? rc : authorities_trusted(life, object->cert.subject_sha256, err);
}

int life_trust_add(struct life *life, const struct life_trust *asked, struct life_anchors *ret,
                   struct error *err)
{
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_LIFE_ANCHORS struct life_anchors anchors = {0};
    size_t added = 0;
    ACT_OF(life, asked->actor);
    int rc = read_file(life, asked, &objects, &anchors, err);

    if (rc == 0)
        rc = life_begin(life, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0, at = 0; rc == 0 && i < objects.count; i++) {
        if (objects.items[i].kind != OBJECT_CERTIFICATE)
            continue;
        rc = add_one(life, asked, &objects.items[i], &anchors.items[at], err);
        added += rc == 0 && !anchors.items[at++].existing;
    }
    if (rc == 0 && added > 0)
        rc = life_look_again(life, "a new trust anchor", err);
    rc = life_end(life, rc, err);
    if (rc == 0) {
        *ret = anchors;
        anchors = (struct life_anchors){0};
    }
    return rc;
}

/* The anchor that a fingerprint means. */
struct pick {
    char wanted[2 * SHA256_LEN + 1];
    size_t count;
    int64_t id;
    struct life_anchor anchor;
};

static int look_at(void *self, const struct anchor_row *row, struct error *err)
{
    struct pick *pick = self;
    char hex[2 * SHA256_LEN + 1];

    (void)err;
    if (!text_starts(text_hex(row->sha256, SHA256_LEN, hex), pick->wanted))
        return 0;
    pick->count++;
    pick->id = row->id;
    pick->anchor = (struct life_anchor){.not_after = row->not_after};
    memcpy(pick->anchor.sha256, row->sha256, SHA256_LEN);
    snprintf(pick->anchor.subject, sizeof pick->anchor.subject, "%s", row->subject);
    return 0;
}

/* Empty when it is none. */
static void read_fingerprint(const char *text, char ret[2 * SHA256_LEN + 1])
{
    size_t len = 0;

    for (const char *at = text; *at; at++) {
        if (*at == ':')
            continue;
        if (!isxdigit((unsigned char)*at) || len == 2 * SHA256_LEN) {
            len = 0;
            break;
        }
        ret[len++] = (char)tolower((unsigned char)*at);
    }
    ret[len < PREFIX_MIN ? 0 : len] = '\0';
}

static int find(struct life *life, const char *fingerprint, struct pick *pick, struct error *err)
{
    read_fingerprint(fingerprint, pick->wanted);
    if (pick->wanted[0] == '\0')
        return error_set(err, E_INPUT,
                         "trust: \"%s\": wanted a SHA-256 fingerprint: %d to 64 hexadecimal digits",
                         fingerprint, PREFIX_MIN);
    int rc = anchors_each(life->inventory, look_at, pick, err);
    if (rc < 0)
        return rc;
    if (pick->count == 0)
        return error_set(err, E_NOT_FOUND,
                         "trust: %s: no anchor with this fingerprint was added; see: unlapse trust "
                         "list",
                         fingerprint);
    if (pick->count > 1)
        return error_set(err, E_INPUT, "trust: %s: %zu anchors begin with it: wanted more digits",
                         fingerprint, pick->count);
    return 0;
}

static int remove_one(struct life *life, const struct pick *pick, const char *actor,
                      struct error *err)
{
    char hex[2 * SHA256_LEN + 1];
    int rc =
        anchors_remove(life->inventory, pick->id, life->world->now(life->world->self), actor, err);

    if (rc == 0)
        rc = authorities_distrusted(life, pick->anchor.sha256, err);
    if (rc < 0)
        return rc;
    return life_event_change(
        life, &(struct life_change){0, 0, "trust-removed", pick->anchor.sha256, NULL},
        "%s, SHA-256 %s, is no longer a trust anchor; what is installed stays",
        pick->anchor.subject, text_hex(pick->anchor.sha256, SHA256_LEN, hex));
}

int life_trust_remove(struct life *life, const char *fingerprint, const char *actor,
                      struct life_anchor *ret, struct error *err)
{
    struct pick pick = {0};
    ACT_OF(life, actor);
    int rc = life_begin(life, err);

    if (rc == 0)
        rc = find(life, fingerprint, &pick, err);
    if (rc == 0)
        rc = remove_one(life, &pick, actor, err);
    rc = life_end(life, rc, err);
    if (rc == 0)
        *ret = pick.anchor;
    return rc;
}

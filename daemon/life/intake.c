/* One file of the drop folder: read outside of any transaction, then judged and recorded inside the
 * one of its batch. */
#include "daemon/life/leaf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

void intake_done(struct intake *in)
{
    free(in->file);
    free(in->problem);
    delivery_objects_done(&in->objects);
    buf_done(&in->receipt);
    *in = (struct intake){0};
}

/* Where in the file it was, when the file held several parts. */
static void say_origin(struct intake *in, const struct object *object)
{
    if (object->origin[0] != '\0')
        buf_printf(&in->receipt, "   Found in: %s\n", object->origin);
}

static int take_authority(struct intake *in, size_t at, struct error *err)
{
    const struct object *object = &in->objects.items[at];

    in->authorities++;
    return authority_take(in->life, blob_span(&object->der), &object->cert, &in->is_new[at], err);
}

static bool is_good(enum leaf_result result)
{
    return result == LEAF_ACCEPTED || result == LEAF_WAITING || result == LEAF_KNOWN;
}

static int take_leaf(struct intake *in, const struct object *object, struct error *err)
{
    const struct cert *cert = &object->cert;
    AUTO_OUTCOME struct leaf_outcome outcome = {0};
    AUTO_FREE char *names = names_join(&cert->names);
    char text[UTC_TEXT_MAX];
    size_t key_at = 0;
    const struct leaf_input input = {.der = blob_span(&object->der),
                                     .cert = cert,
                                     .file = in->name,
                                     .key = keys_for(in, cert, &key_at)};

    buf_init(&outcome.text, BUF_MAX_RECEIPT);
    int rc = leaf_take(in->life, &input, &outcome, err);
    if (rc < 0)
        return rc;
    in->leaves++;
    in->told += outcome.result == LEAF_REFUSED || outcome.told;
    if (outcome.took_key)
        in->taken[key_at] = true;
    if (is_good(outcome.result)) {
        in->good++;
        in->renewal_id = outcome.renewal_id;
    }
    buf_printf(&in->receipt, "- Certificate for %s, from %s, serial %s, valid until %s:\n",
               names[0] != '\0' ? names : "no name", cert->issuer, cert->serial,
               utc_format_plain(cert->not_after, text));
    say_origin(in, object);
    buf_add_text(&in->receipt, buf_text(&outcome.text));
    return 0;
}

static bool is_host_name(const char *text, size_t len)
{
    AUTO_NAMES struct names names = {0};
    AUTO_FREE char *name = mem_printf("%.*s", (int)len, text);

    return strchr(name, '.') && names_add(&names, NAME_DNS, name, NULL) == 0;
}

/* A common name that is a host name, wherever it stands: tools make self-signed certificates with
 * cA set, but no root is called www.example.com. */
static bool is_named_like_a_server(const struct cert *cert)
{
    const char *part = cert->subject;

    while (*part != '\0') {
        if (text_starts(part, "CN=") && is_host_name(part + 3, strcspn(part + 3, ",+")))
            return true;
        part += strcspn(part, ",+");
        part += strspn(part, ",+");
    }
    return false;
}

static bool is_authority(const struct cert *cert)
{
    return cert->is_ca &&
           !(cert->self_signed && (cert->names.count > 0 || is_named_like_a_server(cert)));
}

/* Certificates of authorities first, so that a leaf finds its chain whatever the order in the file.
 */
static int take_certificates(struct intake *in, bool authorities, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < in->objects.count; i++) {
        const struct object *object = &in->objects.items[i];

        if (object->kind != OBJECT_CERTIFICATE || is_authority(&object->cert) != authorities)
            continue;
        rc = authorities ? take_authority(in, i, err) : take_leaf(in, object, err);
    }
    return rc;
}

/* A request: for which certificate of ours, as far as its key tells. */
static int describe_csr(struct intake *in, const struct object *object, struct error *err)
{
    AUTO_MATCH struct match match = {0};
    int rc = object->has_spki ? match_find(in->life, object->spki_sha256, NULL, &match, err) : 0;

    if (rc < 0)
        return rc;
    buf_printf(&in->receipt, "- %s:\n", object->note);
    say_origin(in, object);
    if (match.state != KEY_UNKNOWN) {
        AUTO_FREE char *request = match_request_name(&match.renewal);
        buf_printf(&in->receipt, "   It is %s for the certificate %s.\n", request,
                   match.certificate.name);
    } else if (object->has_spki) {
        buf_add_text(&in->receipt, "   It was not made here: no request here has its key.\n");
    }
    buf_add_text(&in->receipt, "   This is what goes to the authority, not what comes back from "
                               "it. Put the certificate here.\n");
    return 0;
}

/* What each of them leads to is known when all are in. */
static int tell_authorities(struct intake *in, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < in->objects.count; i++) {
        const struct object *object = &in->objects.items[i];

        if (object->kind == OBJECT_CERTIFICATE && is_authority(&object->cert))
            rc = authority_tell(in->life, object, in->is_new[i], &in->receipt, err);
    }
    return rc;
}

static int describe_others(struct intake *in, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < in->objects.count; i++) {
        const struct object *object = &in->objects.items[i];

        switch (object->kind) {
        case OBJECT_CERTIFICATE:
        case OBJECT_PRIVATE_KEY:
            break;
        case OBJECT_CSR:
            rc = describe_csr(in, object, err);
            break;
        case OBJECT_CRL:
            buf_printf(&in->receipt, "- %s:\n", object->note);
            say_origin(in, object);
            buf_add_text(&in->receipt, "   A list of what an authority has revoked. It is not "
                                       "used here: nothing is to be done with it.\n");
            break;
        case OBJECT_OTHER:
        case OBJECT_BROKEN:
            in->broken += object->kind == OBJECT_BROKEN;
            buf_printf(&in->receipt, "- %s: not used.\n", object->note);
            say_origin(in, object);
            break;
        }
    }
    return rc;
}

static int take_objects(struct intake *in, struct error *err)
{
    int rc = keys_note(in, err);

    if (rc == 0)
        rc = take_certificates(in, true, err);
    if (rc == 0)
        rc = tell_authorities(in, err);
    if (rc == 0)
        rc = take_certificates(in, false, err);
    if (rc == 0)
        rc = keys_describe(in, err);
    if (rc == 0)
        rc = describe_others(in, err);
    if (in->objects.count == 0 || in->leaves + in->authorities == 0)
        buf_add_text(&in->receipt,
                     "There is no certificate in it that could be used. Wanted: the certificate "
                     "that the authority\n"
                     "issued (often .crt, .cer, .pem or .p7b), and its intermediates.\n");
    return rc;
}

/* A file is welcome when it brought something: a leaf of ours, or authorities' certificates and
 * neither a stranger's leaf nor a part that cannot be read, which may well be the leaf: its people
 * must hear of it. What could be read of such a file is kept all the same. */
static bool is_welcome(const struct intake *in)
{
    return in->good > 0 || (in->leaves == 0 && in->broken == 0 && in->authorities > 0);
}

static void begin_receipt(struct intake *in)
{
    char hex[2 * SHA256_LEN + 1], at[UTC_TEXT_MAX];

    buf_printf(&in->receipt, "%s, taken on %s by unlapsed on %s\nWhat it was: %s\n", in->name,
               utc_format_plain(in->life->world->now(in->life->world->self), at), in->life->host,
               in->problem ? in->problem : in->objects.summary);
    if (!in->problem)
        buf_printf(&in->receipt, "SHA-256 of the file: %s\n",
                   text_hex(in->sha256, SHA256_LEN, hex));
    buf_add_text(&in->receipt, "\n");
}

static int record(struct intake *in, bool accepted, struct error *err)
{
    struct delivery_row row = {
        .name = in->file,
        .taken_at = in->life->world->now(in->life->world->self),
        .accepted = accepted,
        .receipt = (char *)(uintptr_t)buf_text(&in->receipt),
        .renewal_id = in->renewal_id,
        .secret = in->keys > 0,
    };
    int64_t id = 0;
    char hex[2 * SHA256_LEN + 1];

    memcpy(row.sha256, in->sha256, SHA256_LEN);
    int rc = deliveries_add(in->life->inventory, &row, &id, err);
    if (rc == 0)
        rc = quarantine_bind(in->life->inventory, id, err);
    if (rc == 0 && !accepted)
        rc = life_event(in->life, 0, 0, "delivery-rejected", "%s: %s", in->name,
                        in->problem ? in->problem : in->objects.summary);
    if (rc == 0 && in->keys > 0)
        rc = keys_tell(in, err);
    /* A leaf that was refused for a certificate of ours has told its people already. */
    if (rc == 0 && !accepted && in->told == 0 && !in->keys_told)
        rc = notice_queue_unusable(in->life, in->name, text_hex(in->sha256, SHA256_LEN, hex),
                                   buf_text(&in->receipt), err);
    if (rc < 0)
        return rc;
    in->delivery_id = id;
    in->accepted = accepted;
    return 0;
}

/* A crash, or a full disk, between the verdict and the move left the file here: the verdict stands.
 */
static int recall(struct intake *in, struct error *err)
{
    AUTO_DELIVERY struct delivery_row row = {0};
    int rc = deliveries_find_unfiled(in->life->inventory, in->sha256, in->file, &row, err);

    if (rc == 0) {
        in->recalled = true;
        in->delivery_id = row.id;
        in->accepted = row.accepted;
    }
    return rc;
}

static int read_objects(struct intake *in, struct span data, struct error *err)
{
    const struct world *world = in->life->world;
    int rc = world->read_delivery(world->self, data, &in->objects, err);

    if (rc == E_TOO_LARGE)
        in->problem =
            mem_strdup("it is larger than anything that an authority sends, or holds more objects");
    else if (rc == E_REFUSED) /* the reader's own words */
        in->problem = mem_strdup(err->text);
    return in->problem ? 0 : rc;
}

int intake_read(struct life *life, const char *file, struct span data,
                const uint8_t sha256[SHA256_LEN], const char *problem, struct intake *ret,
                struct error *err)
{
    AUTO_INTAKE struct intake in = {
        .life = life, .file = mem_strdup(file), .problem = problem ? mem_strdup(problem) : NULL};

    memcpy(in.sha256, sha256, SHA256_LEN);
    text_escape(file, in.name, sizeof in.name);
    LOG_CONTEXT("delivery=%s", in.name);
    int rc = recall(&in, err);
    if (rc == E_NOT_FOUND)
        rc = in.problem ? 0 : read_objects(&in, data, err);
    if (rc < 0)
        return rc;
    *ret = in;
    in = (struct intake){0};
    return 0;
}

int intake_take(struct intake *in, struct error *err)
{
    int rc = 0;

    if (in->recalled)
        return 0;
    LOG_CONTEXT("delivery=%s", in->name);
    buf_init(&in->receipt, BUF_MAX_RECEIPT);
    begin_receipt(in);
    if (in->problem)
        buf_add_text(&in->receipt,
                     "It was not read. Wanted: a plain file with the certificate in it.\n");
    else
        rc = take_objects(in, err);
    if (rc < 0)
        return rc;
    bool accepted = !in->problem && is_welcome(in);
    buf_printf(&in->receipt, "\nThis file was %s.\n", accepted ? "ACCEPTED" : "REJECTED");
    return record(in, accepted, err);
}

/* Private keys in the drop folder. They must be considered disclosed, unless a policy takes them
 * with their certificate: the receipt and a notice say whose they are and what to do. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "daemon/life/leaf.h"
#include "store/disclosed.h"

enum { HOUR = 3600, NOTICES_AN_HOUR = 20 };

static bool is_key(const struct object *object)
{
    return object->kind == OBJECT_PRIVATE_KEY;
}

/* Ours, and it had no business in the folder: made here, or taken from a server, or no policy lets
 * keys come this way. */
static bool is_leak(struct life *life, const struct match *match)
{
    return match->state != KEY_UNKNOWN &&
           !(match->renewal.csr.len == 0 && life_policy(life, &match->certificate)->take_keys);
}

static int note_leak(struct intake *in, const struct match *match, const struct object *key,
                     struct error *err)
{
    struct life *life = in->life;
    utc_t known = UTC_NEVER;
    int rc = disclosed_find(life->inventory, key->spki_sha256, &known, err);

    if (rc < 0 || known != UTC_NEVER)
        return rc;
    rc = disclosed_add(life->inventory, key->spki_sha256, life->world->now(life->world->self), err);
    return rc < 0 ? rc
                  : life_event(life, match->certificate.id, match->renewal.id, "key-disclosed",
                               "%s: the private key of this certificate lay in the drop folder",
                               in->name);
}

int keys_note(struct intake *in, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < in->objects.count; i++) {
        const struct object *key = &in->objects.items[i];
        AUTO_MATCH struct match match = {0};

        if (!is_key(key))
            continue;
        in->keys++;
        if (key->has_spki)
            rc = match_find(in->life, key->spki_sha256, NULL, &match, err);
        if (rc == 0 && is_leak(in->life, &match))
            rc = note_leak(in, &match, key, err);
    }
    return rc;
}

struct span keys_for(const struct intake *in, const struct cert *leaf, size_t *ret_at)
{
    for (size_t i = 0; i < in->objects.count; i++) {
        const struct object *key = &in->objects.items[i];

        if (is_key(key) && key->has_spki && key->key.len > 0 &&
            memcmp(key->spki_sha256, leaf->spki_sha256, SHA256_LEN) == 0) {
            *ret_at = i;
            return blob_span(&key->key);
        }
    }
    return (struct span){0};
}

/* The certificate that is to be revoked: "serial ..., from ...". Owned by the caller; "" when no
 * certificate is known. */
static char *issued_for(struct life *life, const struct match *match)
{
    AUTO_CERT struct cert cert = {0};

    if (match->renewal.leaf.len == 0 ||
        life->world->parse_cert(life->world->self, blob_span(&match->renewal.leaf), &cert, NULL) <
            0)
        return mem_strdup("");
    return mem_printf(" (serial %s, from %s)", cert.serial, cert.issuer);
}

/* Whose it is, as the end of "this is ...". Owned by the caller. */
static char *whose(const struct match *match)
{
    AUTO_FREE char *request = match_request_name(&match->renewal);
    const char *name = match->certificate.name;

    switch (match->state) {
    case KEY_LIVE:
        return mem_printf("the key of the certificate %s that is in use", name);
    case KEY_OPEN:
        return mem_printf("the key of %s, which the certificate %s waits for", request, name);
    case KEY_UNKNOWN:
    case KEY_SUPERSEDED:
    case KEY_WITHDRAWN:
    case KEY_REPLACED:
    case KEY_RETIRED:
        break;
    }
    return mem_printf("a key that the certificate %s no longer uses (%s)", name, request);
}

/* The open request has a key that nobody else has, or gets one. */
static int is_fresh(struct life *life, const struct renewal_row *open, bool *ret, struct error *err)
{
    utc_t known = UTC_NEVER;
    int rc = open->id != 0 && open->csr.len > 0
                 ? disclosed_find(life->inventory, open->key.spki_sha256, &known, err)
                 : 0;

    *ret = open->id != 0 && known == UTC_NEVER;
    return rc;
}

int keys_begin_anew(struct life *life, const struct match *match, char **ret, struct error *err)
{
    const struct renewal_row *open = &match->open;
    const char *name = match->certificate.name;
    bool fresh = false;
    int rc = is_fresh(life, open, &fresh, err);

    if (rc < 0)
        return rc;
    AUTO_FREE char *request = match_request_name(open);
    if (!fresh)
        *ret = mem_printf("Run \"unlapse renew %s%s\" on %s now and order with the new CSR", name,
                          open->id != 0 ? " --again" : "", life->host);
    else if (open->csr.len == 0)
        *ret = mem_printf("A request with a new key is open already: order with its CSR, which "
                          "comes with the next mail (or by \"unlapse request %s\" on %s)",
                          name, life->host);
    else
        *ret = mem_printf("Order with %s, if that is not done yet (\"unlapse request %s\" on %s "
                          "shows it): its key is another one",
                          request, name, life->host);
    return 0;
}

/* What to do about a key of ours, in one sentence. Owned by the caller. */
static int remedy(struct life *life, const struct match *match, char **ret, struct error *err)
{
    AUTO_FREE char *issued = issued_for(life, match);
    AUTO_FREE char *anew = NULL;
    int rc = keys_begin_anew(life, match, &anew, err);

    if (rc < 0)
        return rc;
    switch (match->state) {
    case KEY_LIVE:
        *ret = mem_printf("%s; when its certificate is in service, have the authority revoke the "
                          "old one%s for key compromise.",
                          anew, issued);
        return 0;
    case KEY_OPEN:
        *ret = mem_printf("%s; what was ordered with the old one must be cancelled or revoked for "
                          "key compromise.",
                          anew);
        return 0;
    case KEY_UNKNOWN:
    case KEY_SUPERSEDED:
    case KEY_WITHDRAWN:
    case KEY_REPLACED:
    case KEY_RETIRED:
        break;
    }
    *ret = mem_printf("Have the authority revoke the certificate that was made for it%s for key "
                      "compromise, unless it has ended.",
                      issued);
    return 0;
}

static const char stranger_remedy[] =
    "Have the authority revoke the certificate that was made for it, if there is one, for key "
    "compromise; then order with a new key (for a certificate of this daemon: with the CSR of its "
    "open request, or of the one that \"unlapse renew NAME\" begins).";

/* One paragraph of a receipt, in lines that fit a terminal. */
static void add_wrapped(struct buf *ret, const char *text)
{
    enum { INDENT = 3, WIDTH = 100 };
    size_t column = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        bool breaks = column == 0 || column + 1 + len > WIDTH;

        buf_printf(ret, "%s%*s%.*s", breaks && column > 0 ? "\n" : "", breaks ? INDENT : 1, "",
                   (int)len, text);
        column = breaks ? INDENT + len : column + 1 + len;
        text += len;
        text += strspn(text, " ");
    }
    buf_add_text(ret, "\n");
}

/* What becomes of it when nothing is done, as far as the policy says so. */
static const char *refusal_of(struct life *life, const struct match *match)
{
    const struct policy *policy = life_policy(life, &match->certificate);

    return policy->gates[GATE_DISCLOSED] == SEVERITY_REFUSE
               ? " No certificate for this key is taken from now on: only another key helps."
               : "";
}

static int describe_leak(struct intake *in, const struct match *match, struct error *err)
{
    AUTO_FREE char *what = whose(match);
    AUTO_FREE char *next = NULL;
    int rc = remedy(in->life, match, &next, err);

    if (rc < 0)
        return rc;
    AUTO_FREE char *is =
        mem_printf("NOT TAKEN. %sThis is %s.", match->state == KEY_LIVE ? "URGENT: " : "", what);
    AUTO_FREE char *means =
        mem_printf("Whoever can read this folder may have it: it must be considered disclosed.%s",
                   refusal_of(in->life, match));
    add_wrapped(&in->receipt, is);
    add_wrapped(&in->receipt, means);
    add_wrapped(&in->receipt, "What to do: delete this file and every copy of it.");
    add_wrapped(&in->receipt, next);
    return 0;
}

static void describe_stranger(struct intake *in, const struct object *key)
{
    buf_printf(&in->receipt,
               "   NOT TAKEN%s. A key that lay in a shared folder must be considered disclosed.\n"
               "   What to do: delete this file and every copy of it.\n",
               key->has_spki ? "" : ": it could not be opened");
    add_wrapped(&in->receipt, stranger_remedy);
}

/* Of a certificate whose policy takes keys, which brought it itself or was delivered before. */
static void describe_taken(struct intake *in, const struct match *match, bool now)
{
    buf_printf(&in->receipt,
               "   %s for the certificate %s: it is sealed in the inventory. Delete every other "
               "copy of it.\n",
               now ? "Taken" : "Already have it", match->certificate.name);
}

static int describe(struct intake *in, size_t at, struct error *err)
{
    const struct object *key = &in->objects.items[at];
    AUTO_MATCH struct match match = {0};
    int rc = key->has_spki ? match_find(in->life, key->spki_sha256, NULL, &match, err) : 0;

    if (rc < 0)
        return rc;
    buf_printf(&in->receipt, "- %s:\n", key->note);
    if (is_leak(in->life, &match))
        rc = describe_leak(in, &match, err);
    else if (match.state != KEY_UNKNOWN)
        describe_taken(in, &match, in->taken[at]);
    else if (!policies_take_keys(in->life->policies) || !key->has_spki)
        describe_stranger(in, key);
    else
        buf_add_text(&in->receipt,
                     "   NOT TAKEN. A key is taken only together with its certificate, both in one "
                     "file (PKCS#12, PEM or ZIP),\n   and for one certificate whose policy allows "
                     "it. What to do: bring both in one file, and delete this one.\n");
    return rc;
}

int keys_describe(struct intake *in, struct error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < in->objects.count; i++)
        if (is_key(&in->objects.items[i]))
            rc = describe(in, i, err);
    if (rc == 0 && in->keys > 0)
        buf_add_text(&in->receipt,
                     in->life->erase_keys
                         ? "  The content of this file was erased after it was read; the SHA-256 "
                           "above is that of the file as it came.\n"
                         : "  This file, as it lies beside this note, is readable for its owner "
                           "alone.\n");
    return rc;
}

static void set_plain(const struct intake *in, struct fields *fields)
{
    fields_set(fields, "file", in->name);
    fields_set(fields, "report", buf_text(&in->receipt));
}

static int tell_owner(struct intake *in, const struct certificate_row *certificate,
                      int64_t renewal_id, const char *stage, const char *reason, const char *next,
                      struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};
    const struct policy *policy = life_policy(in->life, certificate);
    int rc = notice_begin(in->life, certificate, policy, &fields, err);

    if (rc < 0)
        return rc;
    set_plain(in, &fields);
    fields_set(&fields, "reason", reason);
    fields_set(&fields, "next", next);
    return notice_queue(in->life, certificate, policy, renewal_id, NOTICE_KEY_DISCLOSED, stage,
                        &fields, err);
}

/* A key of ours: told to its certificate's people, once. */
static int tell_leak(struct intake *in, const struct match *match, const char *stage,
                     struct error *err)
{
    AUTO_FREE char *what = whose(match);
    AUTO_FREE char *next = NULL;
    AUTO_FREE char *reason =
        mem_printf("%sit is %s", match->state == KEY_LIVE ? "URGENT: " : "", what);
    int rc = remedy(in->life, match, &next, err);

    return rc < 0 ? rc : tell_owner(in, &match->certificate, 0, stage, reason, next, err);
}

/* A certificate in this file, with names of a certificate of ours, tells who should hear of a key.
 */
static int find_named(struct intake *in, struct certificate_row *ret, struct error *err)
{
    for (size_t i = 0; i < in->objects.count; i++) {
        const struct object *object = &in->objects.items[i];

        if (object->kind != OBJECT_CERTIFICATE || object->cert.is_ca)
            continue;
        int rc = delivered_named(in->life, &object->cert, ret, err);
        if (rc != E_NOT_FOUND)
            return rc;
    }
    return E_NOT_FOUND;
}

static int tell_all(struct intake *in, const char *stage, struct error *err)
{
    AUTO_FIELDS struct fields fields = {0};

    notice_fields_init(&fields);
    set_plain(in, &fields);
    fields_set(&fields, "host", in->life->host);
    fields_set(&fields, "drop", in->life->drop_shown);
    fields_set(&fields, "certificate", "none of the certificates here");
    fields_set(&fields, "reason", "it belongs to no certificate and no request here");
    fields_set(&fields, "next", stranger_remedy);
    fields_set(&fields, "commands", "unlapse list");
    return notice_queue_general(in->life, NOTICE_KEY_DISCLOSED, stage, &fields, err);
}

/* A key of nobody here: once for a file, and not without bound, since anybody can make keys. */
static int tell_stranger(struct intake *in, const char *stage, struct error *err)
{
    AUTO_CERTIFICATE struct certificate_row named = {0};
    struct life *life = in->life;
    int64_t lately = 0;
    int rc = find_named(in, &named, err);

    if (rc < 0 && rc != E_NOT_FOUND)
        return rc;
    rc = notices_count(life->inventory, named.id,
                       utc_add(life->world->now(life->world->self), -HOUR), &lately, err);
    if (rc < 0 || lately >= NOTICES_AN_HOUR)
        return rc;
    in->keys_told = true;
    if (named.id == 0)
        return tell_all(in, stage, err);
    AUTO_FREE char *reason = mem_printf(
        "it belongs to no request here, but a certificate beside it names \"%s\"", named.name);
    return tell_owner(in, &named, 0, stage, reason, stranger_remedy, err);
}

static char *stage_of(const struct intake *in, const struct object *key)
{
    char hex[2 * SHA256_LEN + 1];

    return mem_printf("key-disclosed-%s",
                      text_hex(key->has_spki ? key->spki_sha256 : in->sha256, SHA256_LEN, hex));
}

int keys_tell(struct intake *in, struct error *err)
{
    const struct object *stranger = NULL;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < in->objects.count; i++) {
        const struct object *key = &in->objects.items[i];
        AUTO_MATCH struct match match = {0};

        if (!is_key(key))
            continue;
        if (key->has_spki)
            rc = match_find(in->life, key->spki_sha256, NULL, &match, err);
        if (rc == 0 && is_leak(in->life, &match)) {
            AUTO_FREE char *stage = stage_of(in, key);
            in->keys_told = true;
            rc = tell_leak(in, &match, stage, err);
        } else if (match.state == KEY_UNKNOWN && !stranger &&
                   !(key->has_spki && policies_take_keys(in->life->policies))) {
            stranger = key;
        }
    }
    if (rc < 0 || !stranger)
        return rc;
    AUTO_FREE char *stage = stage_of(in, stranger);
    return tell_stranger(in, stage, err);
}

#include "pki/delivery/blocks.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "pki/delivery/base64.h"
#include "pki/delivery/hex.h"
#include "pki/delivery/key.h"
#include "pki/delivery/kinds.h"
#include "pki/delivery/pem.h"
#include "pki/delivery/text.h"
#include "pki/delivery/wrapped.h"
#include "pki/der.h"

/* What was met on the way through one text. */
struct finds {
    struct reading *reading;
    size_t since;      /* the list's count before */
    size_t blocks;     /* of PEM */
    size_t known;      /* nonzero when a label is known or something of use was under it */
    size_t bare;       /* pieces of base64 without markers */
    size_t cut;        /* of which the end was missing */
    bool hex;          /* what was found was written in hexadecimal */
    const char *other; /* what a block was that is of no use */
};

/* What a label promises: anything, as long as the bytes under it are what is looked for. */
static bool is_read_label(const char *label)
{
    static const char *const words[] = {"CERT",   "X509",   "X.509",    "PKCS7", "PKCS #7",
                                        "PKCS#7", "PKCS12", "PKCS #12", "CMS",   "CRL"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strstr(label, words[i]))
            return true;
    return false;
}

/* The others that have a name, so that people know what they sent. */
static const char *name_of_label(const char *label)
{
    static const char *const rows[][2] = {
        {"PGP PUBLIC", "a PGP public key block"}, {"PGP MESSAGE", "a PGP message"},
        {"PGP SIGN", "a PGP signature"},          {"SSH2 PUBLIC", "an SSH public key"},
        {"PUBLIC KEY", "a public key"},           {"PARAMETERS", "parameters of a key"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strstr(label, rows[i][0]))
            return rows[i][1];
    return NULL;
}

static const char *name_of_key(const char *label)
{
    if (strstr(label, "OPENSSH"))
        return "an OpenSSH private key";
    if (strstr(label, "PGP"))
        return "a PGP private key block";
    if (strstr(label, "SSH2"))
        return "an SSH private key";
    return strstr(label, "STATIC KEY") ? "a secret key of OpenVPN" : "a private key";
}

static const char *fault_of(enum pem_state state)
{
    switch (state) {
    case PEM_WHOLE:
        return NULL;
    case PEM_NO_END:
        return "truncated: the END line is missing";
    case PEM_NO_BEGIN:
        return "truncated: the BEGIN line is missing";
    case PEM_OTHER_END:
        return "damaged: BEGIN and END lines do not belong together";
    case PEM_BAD_BASE64:
        return "damaged: what stands between BEGIN and END is not whole base64";
    }
    return NULL;
}

/* Behind the note of each object: that its label promised something else. */
static void tell_label(struct object_list *list, size_t since, const char *label)
{
    for (size_t i = since; i < list->count; i++) {
        struct object *item = &list->items[i];
        char note[DELIVERY_NOTE_MAX + PEM_LABEL_MAX + 32];

        if ((item->kind == OBJECT_PRIVATE_KEY) == pem_label_is_key(label) ||
            strstr(label, "12") || /* PKCS#12 holds anything */
            item->kind == OBJECT_BROKEN)
            continue;
        snprintf(note, sizeof note, "%s (under the label %s)", item->note, label);
        text_escape(note, item->note, sizeof item->note);
    }
}

/* Even a part of a key was shown to everybody who can read the folder. */
static int add_key(struct object_list *list, const struct pem_block *block, struct error *err)
{
    return object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "%s, which is not kept",
                      name_of_key(block->label));
}

/* Whatever the label: 1 when the bytes are something of use, which was added. */
static int add_content(struct finds *finds, const struct pem_block *block, const char *where,
                       struct error *err)
{
    struct object_list *list = &finds->reading->list;
    size_t since = list->count, pkcs7 = list->pkcs7;
    bool trusted = strstr(block->label, "TRUSTED") != NULL;
    int rc;

    if (block->der.len == 0)
        return 0;
    rc = object_add_der(list, blob_span(&block->der), trusted, where, err);
    if (rc < 0)
        return rc;
    if (list->count > since && reading_useful(finds->reading, since) == 0 &&
        !is_read_label(block->label)) {
        reading_cut(finds->reading, since);
        list->pkcs7 = pkcs7;
        return 0;
    }
    tell_label(list, since, block->label);
    return 1;
}

static bool is_certificate(const struct object *object)
{
    return object->kind == OBJECT_CERTIFICATE;
}

/* What can be read of it, key.c says. */
static bool is_key_form(const struct pem_block *block)
{
    size_t len;

    return block->der.len > 0 &&
           (block->head.len > 0 || der_form_of(blob_span(&block->der), &len) == DER_PRIVATE_KEY);
}

/* A key's label is believed unless there is a certificate under it. */
static int add_under_key_label(struct finds *finds, const struct pem_block *block,
                               const char *where, struct error *err)
{
    const struct object_list *list = &finds->reading->list;
    size_t since = list->count;

    if (is_key_form(block))
        return key_add_pem(&finds->reading->list, block->head, blob_span(&block->der), where, err);
    int rc = add_content(finds, block, where, err);

    if (rc < 0 || (rc > 0 && (list->count == since || is_certificate(&list->items[since]))))
        return rc;
    reading_cut(finds->reading, since);
    return add_key(&finds->reading->list, block, err);
}

static int add_block(struct finds *finds, const struct pem_block *block, size_t bare,
                     struct error *err)
{
    struct object_list *list = &finds->reading->list;
    const char *fault = fault_of(block->state);
    char where[64];
    int rc;

    snprintf(where, sizeof where, "block %zu (line %zu): ", finds->blocks, block->line);
    finds->known += is_read_label(block->label) || pem_label_is_key(block->label) ||
                    name_of_label(block->label);
    if (pem_label_is_key(block->label))
        return add_under_key_label(finds, block, where, err);
    rc = add_content(finds, block, where, err);
    finds->known += rc > 0;
    if (rc != 0)
        return rc;
    if (!is_read_label(block->label)) {
        finds->other = finds->other ? finds->other : name_of_label(block->label);
        return 0;
    }
    if (!fault || (block->state == PEM_NO_BEGIN && bare > 0))
        return 0;
    return object_add(list, OBJECT_BROKEN, NULL, err, "%s%s", where, fault);
}

/* One piece of base64 without markers; *ret counts what is of use, or was met before. */
static int add_find(struct finds *finds, const struct base64_find *find, size_t *ret,
                    struct error *err)
{
    struct object_list *list = &finds->reading->list;
    size_t since = list->count, len;
    enum der_form form = der_form_of(blob_span(&find->der), &len);
    int rc = object_add_der(list, blob_span(&find->der), false, "", err);

    if (rc < 0)
        return rc;
    if (list->count == since || reading_useful(finds->reading, since) > 0) {
        (*ret)++;
    } else if (form != DER_SIGNED && form != DER_PKCS7 && form != DER_PKCS12) {
        finds->other = form == DER_PUBLIC_KEY ? "a public key" : finds->other;
        reading_cut(finds->reading, since);
    }
    return 0;
}

static int add_bare(struct finds *finds, struct span text, size_t *ret, struct error *err)
{
    struct base64_finder finder;
    int rc = 0;

    *ret = 0;
    base64_finder_init(&finder, text);
    while (rc == 0) {
        struct base64_find find = {0};

        if (!base64_next(&finder, &find))
            break;
        if (find.der.len > 0)
            rc = add_find(finds, &find, ret, err);
        finds->cut += find.der.len == 0;
        blob_wipe(&find.der);
    }
    finds->bare += *ret;
    return rc;
}

/* A text that is nothing but base64, in any way it was cut into lines; or hexadecimal. */
static int add_all_digits(struct finds *finds, struct span text, struct error *err)
{
    struct base64_find find = {0};
    size_t bare = 0;
    int rc = 0;

    if (!base64_whole(text, true, &find.der))
        finds->hex = hex_find(text, &find.der);
    if (find.der.len > 0)
        rc = add_find(finds, &find, &bare, err);
    blob_wipe(&find.der);
    finds->bare += bare;
    return rc;
}

static int add_all(struct finds *finds, struct span text, struct error *err)
{
    struct pem_reader reader;
    size_t bare;
    int rc = 0;

    pem_reader_init(&reader, text);
    for (;;) {
        AUTO_PEM_BLOCK struct pem_block block = {0};

        if (!pem_next(&reader, &block))
            break;
        rc = add_bare(finds, block.gap, &bare, err);
        finds->blocks++;
        if (rc == 0)
            rc = add_block(finds, &block, bare, err);
        if (rc < 0)
            return rc;
    }
    rc = add_bare(finds, pem_rest(&reader), &bare, err);
    if (rc == 0 && finds->blocks == 0 && finds->bare == 0)
        rc = add_all_digits(finds, text, err);
    return rc < 0 ? rc : 0;
}

static int add_putty(struct finds *finds, struct span text, struct error *err)
{
    static const char front[] = "PuTTY-User-Key-File-";
    size_t len = sizeof front - 1;

    if (!span_starts(text, front, len))
        return 0;
    return object_add(&finds->reading->list, OBJECT_PRIVATE_KEY, NULL, err,
                      "a private key of PuTTY, which is not kept");
}

/* One way to see the text: with or without quoted-printable undone. */
static int add_text(struct finds *finds, struct span text, bool quoted, struct error *err)
{
    AUTO_SECRET_BUF struct buf plain, unmarked, clean;
    int rc;

    buf_init(&plain, TEXT_GROWTH * BUF_MAX_DELIVERY);
    buf_init(&unmarked, TEXT_GROWTH * BUF_MAX_DELIVERY);
    buf_init(&clean, TEXT_GROWTH * BUF_MAX_DELIVERY);
    reading_cut(finds->reading, finds->since);
    *finds = (struct finds){.reading = finds->reading, .since = finds->since};
    finds->reading->list.pkcs7 = 0;
    if (quoted) {
        text_unquote(text, &plain);
        text = span_of(plain.data, plain.len);
    }
    text_unmark(text, &unmarked);
    text_clean(span_of(unmarked.data, unmarked.len), &clean);
    rc = add_putty(finds, span_of(clean.data, clean.len), err);
    return rc < 0 ? rc : add_all(finds, span_of(clean.data, clean.len), err);
}

static size_t count_certificates(const struct finds *finds)
{
    const struct object_list *list = &finds->reading->list;
    size_t count = 0;

    for (size_t i = finds->since; i < list->count; i++)
        count += is_certificate(&list->items[i]);
    return count;
}

/* Both ways when it may be quoted-printable and the plain one leaves something open. */
static int add_best(struct finds *finds, struct span text, struct error *err)
{
    const struct object_list *list = &finds->reading->list;
    int rc = add_text(finds, text, false, err);
    size_t plain = count_certificates(finds);
    size_t useful = reading_useful(finds->reading, finds->since);

    /* Passwords are not tried again on what was read whole. */
    if (rc < 0 || (useful > 0 && useful == list->count - finds->since) ||
        !text_is_quoted_printable(text))
        return rc;
    rc = add_text(finds, text, true, err);
    if (rc == 0 && count_certificates(finds) <= plain &&
        (count_certificates(finds) < plain ||
         reading_useful(finds->reading, finds->since) <= useful))
        rc = add_text(finds, text, false, err);
    return rc;
}

static int summarise_finds(const struct finds *finds, struct span text, const char *charset)
{
    const char *kind = charset ? charset : kinds_of_text(text);
    const char *form = finds->known > 0 ? "PEM" : finds->hex ? "hexadecimal" : "base64";
    char coat[64];

    snprintf(coat, sizeof coat, "%s%s%s", form, kind ? " in " : "", kind ? kind : "");
    reading_summarise(finds->reading, coat, finds->since);
    return 1;
}

/* Text without anything in it; 0 when it is none. */
static int say_what(struct reading *reading, struct span text, const char *charset)
{
    const char *kind = kinds_of_text(text);
    char what[DELIVERY_SUMMARY_MAX];

    while (text.len > 0 && text.data[text.len - 1] == '\0')
        text.len--;
    if (!kinds_is_text(text))
        return 0;
    if (!kind)
        kind = kinds_of_other_text(text);
    if (kind && strstr(kind, "HTML"))
        kind = "an HTML page (a login or error page of a portal?), not a certificate";
    if (charset)
        snprintf(what, sizeof what, "%s text without a certificate%s%s", charset, kind ? ": " : "",
                 kind ? kind : "");
    else if (kind)
        snprintf(what, sizeof what, "%s%s", kind,
                 strstr(kind, "certificate") ? "" : " without a certificate");
    else
        snprintf(what, sizeof what, "plain text without a \"-----BEGIN CERTIFICATE-----\" block");
    return reading_say(reading, what);
}

static int read_plain(struct span file, struct reading *reading, struct error *err)
{
    AUTO_SECRET_BUF struct buf utf8;
    struct finds finds = {.reading = reading, .since = reading->list.count};
    enum text_charset charset = text_charset_of(file);
    struct span text;
    int rc;

    buf_init(&utf8, TEXT_GROWTH * BUF_MAX_DELIVERY);
    text_to_utf8(file, charset, &utf8);
    text = span_of(utf8.data, utf8.len);
    rc = add_best(&finds, text, err);
    if (rc == 0 && reading->list.count == finds.since && finds.cut > 0 && finds.known == 0)
        rc = object_add(&reading->list, OBJECT_BROKEN, NULL, err,
                        "truncated: base64 of something whose end is missing");
    if (rc < 0)
        return rc;
    if (reading->list.count > finds.since)
        return summarise_finds(&finds, text, text_charset_name(charset));
    if (finds.known > 0 && finds.other) {
        char what[DELIVERY_SUMMARY_MAX];

        snprintf(what, sizeof what, "PEM with nothing that can be used: %s", finds.other);
        return reading_say(reading, what);
    }
    return say_what(reading, text, text_charset_name(charset));
}

int blocks_read(struct span file, struct reading *reading, struct error *err)
{
    AUTO_SECRET_BUF struct buf utf8, inner;
    size_t since = reading->list.count;
    int rc;

    buf_init(&utf8, TEXT_GROWTH * BUF_MAX_DELIVERY);
    buf_init(&inner, TEXT_GROWTH * BUF_MAX_DELIVERY);
    rc = read_plain(file, reading, err);
    if (rc < 0 || reading_useful(reading, since) > 0)
        return rc;
    text_to_utf8(file, text_charset_of(file), &utf8);
    if (!wrapped_undo(span_of(utf8.data, utf8.len), &inner))
        return rc;
    reading_cut(reading, since);
    rc = read_plain(span_of(inner.data, inner.len), reading, err);
    if (rc < 0)
        return rc;
    if (reading_useful(reading, since) > 0) {
        reading_summarise(reading,
                          text_starts(reading->summary, "PEM") ? "base64 of PEM" : "base64 of text",
                          since);
        return 1;
    }
    reading_cut(reading, since);
    return read_plain(file, reading, err);
}

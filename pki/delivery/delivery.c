#include "pki/delivery/delivery.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/text.h"
#include "pki/delivery/objects.h"
#include "pki/delivery/pem.h"

struct reading {
    struct object_list list;
    char summary[DELIVERY_SUMMARY_MAX];
};

/* 1: this file is mine and read; 0: it is another's; or a failure. */
typedef int (*recogniser_fn)(struct span file, struct reading *reading, struct error *err);

static bool has_prefix(struct span file, const char *prefix, size_t len)
{
    return file.len >= len && memcmp(file.data, prefix, len) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The file without a UTF-8 byte order mark and leading blanks. */
static struct span trimmed(struct span file)
{
    if (has_prefix(file, "\xEF\xBB\xBF", 3))
        file = span_of(file.data + 3, file.len - 3);
    while (file.len > 0 && is_blank(file.data[0]))
        file = span_of(file.data + 1, file.len - 1);
    return file;
}

/* No control characters but blanks; of any character set with ASCII in it. */
static bool is_text(struct span file)
{
    for (size_t i = 0; i < file.len; i++)
        if ((file.data[i] < 0x20 && !is_blank(file.data[i])) || file.data[i] == 0x7F)
            return false;
    return true;
}

/* "2 certificates and 1 private key", "nothing that can be used" */
static void count_kinds(const struct object_list *list, char *ret, size_t size)
{
    static const char *const words[][2] = {
        [OBJECT_CERTIFICATE] = {"certificate", "certificates"},
        [OBJECT_CSR] = {"certificate request (CSR)", "certificate requests (CSR)"},
        [OBJECT_CRL] = {"revocation list (CRL)", "revocation lists (CRL)"},
        [OBJECT_PRIVATE_KEY] = {"private key", "private keys"},
        [OBJECT_BROKEN] = {"unreadable part", "unreadable parts"},
    };
    size_t counts[COUNT_OF(words)] = {0};
    size_t used = 0;

    for (size_t i = 0; i < list->count; i++)
        counts[list->items[i].kind]++;
    snprintf(ret, size, "nothing that can be used");
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (counts[i] == 0 || used >= size)
            continue;
        used += (size_t)snprintf(ret + used, size - used, "%s%zu %s", used > 0 ? ", " : "",
                                 counts[i], words[i][counts[i] > 1]);
    }
}

static void summarise(struct reading *reading, const char *coat)
{
    const struct object_list *list = &reading->list;
    const char *pkcs7 = list->pkcs7 > 0 ? "PKCS#7 in " : "";
    char kinds[160];

    if (list->count == 1 && list->items[0].kind == OBJECT_BROKEN) {
        snprintf(reading->summary, sizeof reading->summary, "%s%s: %s", pkcs7, coat,
                 list->items[0].note);
        return;
    }
    count_kinds(list, kinds, sizeof kinds);
    snprintf(reading->summary, sizeof reading->summary, "%s%s with %s", pkcs7, coat, kinds);
}

static int say(struct reading *reading, const char *summary)
{
    snprintf(reading->summary, sizeof reading->summary, "%s", summary);
    return 1;
}

static int read_empty(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    return trimmed(file).len == 0 ? say(reading, "an empty file") : 0;
}

/* A text may begin with "0" as well. */
static int read_der(struct span file, struct reading *reading, struct error *err)
{
    if (file.data[0] != 0x30 || is_text(file))
        return 0;
    int rc = object_add_der(&reading->list, file, false, "", err);
    if (rc < 0)
        return rc;
    summarise(reading, "DER");
    return 1;
}

static int read_utf16(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    if (!has_prefix(file, "\xFF\xFE", 2) && !has_prefix(file, "\xFE\xFF", 2) &&
        !has_prefix(file, "-\0-\0-\0", 6) && !has_prefix(file, "\0-\0-\0-", 6))
        return 0;
    return say(reading, "text in UTF-16, which is not read yet: please save it as UTF-8 or ANSI");
}

static int read_archive(struct span file, struct reading *reading, struct error *err)
{
    static const struct {
        const char *prefix;
        size_t len;
    } archives[] = {
        {"PK\3\4", 4}, {"PK\5\6", 4}, {"\x1F\x8B", 2}, {"Rar!", 4}, {"7z\xBC\xAF\x27", 5}};

    (void)err;
    for (size_t i = 0; i < COUNT_OF(archives); i++)
        if (has_prefix(file, archives[i].prefix, archives[i].len))
            return say(reading, i < 2 ? "a ZIP archive, which is not read yet: please unpack it "
                                        "and drop the certificates"
                                      : "an archive, which is not read: please unpack it and drop "
                                        "the certificates");
    return 0;
}

/* What a label promises: anything, as long as the bytes under it are what is looked for. */
static bool is_read_label(const char *label)
{
    static const char *const labels[] = {
        "CERTIFICATE",
        "X509 CERTIFICATE",
        "TRUSTED CERTIFICATE",
        "PKCS7",
        "PKCS #7 SIGNED DATA",
        "CMS",
        "CERTIFICATE CHAIN",
        "CERTIFICATE REQUEST",
        "X509 CRL",
        "NEW CERTIFICATE REQUEST",
    };

    for (size_t i = 0; i < COUNT_OF(labels); i++)
        if (strcmp(label, labels[i]) == 0)
            return true;
    return false;
}

static const char *pem_fault(enum pem_state state)
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

static int add_block(struct object_list *list, const struct pem_block *block, size_t number,
                     struct error *err)
{
    char where[64];
    const char *fault = pem_fault(block->state);

    snprintf(where, sizeof where, "block %zu (line %zu): ", number, block->line);
    /* Even a part of a key was shown to everybody who can read the folder. */
    if (pem_label_is_key(block->label))
        return object_add(list, OBJECT_PRIVATE_KEY, NULL, err, "a private key, which is not kept");
    if (fault)
        return object_add(list, OBJECT_BROKEN, NULL, err, "%s%s", where, fault);
    return object_add_der(list, blob_span(&block->der),
                          strcmp(block->label, "TRUSTED CERTIFICATE") == 0, where, err);
}

static int read_pem(struct span file, struct reading *reading, struct error *err)
{
    struct pem_reader reader;
    size_t number = 0;

    pem_reader_init(&reader, file);
    for (;;) {
        AUTO_PEM_BLOCK struct pem_block block = {0};
        int rc = 0;

        if (!pem_next(&reader, &block))
            break;
        number++;
        if (is_read_label(block.label) || pem_label_is_key(block.label))
            rc = add_block(&reading->list, &block, number, err);
        if (rc < 0)
            return rc;
    }
    if (number == 0)
        return 0;
    summarise(reading, "PEM");
    return 1;
}

static bool begins_with_word(struct span text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && strncasecmp((const char *)text.data, word, len) == 0;
}

/* Usually the login or error page of a portal, saved under the certificate's name. */
static int read_html(struct span file, struct reading *reading, struct error *err)
{
    enum { LOOK_AT = 1024 };
    struct span text = trimmed(file);
    bool found = begins_with_word(text, "<!doctype html");

    (void)err;
    for (size_t i = 0; i < text.len && i < LOOK_AT && text.data[0] == '<' && !found; i++)
        found = begins_with_word(span_of(text.data + i, text.len - i), "<html");
    return found ? say(reading, "an HTML page (a login or error page of a portal?), not a "
                                "certificate")
                 : 0;
}

static int read_text(struct span file, struct reading *reading, struct error *err)
{
    (void)err;
    return is_text(file)
               ? say(reading, "plain text without a \"-----BEGIN CERTIFICATE-----\" block")
               : 0;
}

static int read_anything(struct span file, struct reading *reading, struct error *err)
{
    (void)file;
    (void)err;
    return say(reading, "data of an unknown kind");
}

/* In this order: the first that knows the file has it. */
static const recogniser_fn recognisers[] = {
    read_empty, read_der, read_utf16, read_archive, read_pem, read_html, read_text, read_anything,
};

int delivery_read(struct span file, const struct delivery_options *options,
                  struct delivery_objects *ret, struct error *err)
{
    struct reading reading = {0};
    int rc = 0;

    (void)options;
    if (file.len > BUF_MAX_DELIVERY)
        return error_set(err, E_TOO_LARGE, "delivery: size: wanted at most %d bytes, got %zu",
                         BUF_MAX_DELIVERY, file.len);
    for (size_t i = 0; i < COUNT_OF(recognisers) && rc == 0; i++)
        rc = recognisers[i](file, &reading, err);
    if (rc < 0) {
        object_list_done(&reading.list);
        return rc;
    }
    *ret = (struct delivery_objects){.items = reading.list.items, .count = reading.list.count};
    memcpy(ret->summary, reading.summary, sizeof ret->summary);
    return 0;
}

void delivery_objects_done(struct delivery_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++)
        object_done(&objects->items[i]);
    free(objects->items);
    *objects = (struct delivery_objects){0};
}

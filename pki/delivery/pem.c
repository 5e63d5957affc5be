#include "pki/delivery/pem.h"

#include <string.h>
#include <strings.h>

#include "pki/delivery/base64.h"

enum { DASHES_SURE = 4, BLANKS_MAX = 8 };

/* "-----BEGIN LABEL-----" or "-----END LABEL-----" */
struct marker {
    bool is_end;
    size_t from;  /* first dash */
    size_t to;    /* behind the last one */
    size_t again; /* where the next marker may begin: dashes may belong to both */
    char label[PEM_LABEL_MAX];
};

void pem_reader_init(struct pem_reader *reader, struct span text)
{
    *reader = (struct pem_reader){.text = text, .line = 1};
}

void pem_block_done(struct pem_block *block)
{
    blob_wipe(&block->der);
}

struct span pem_rest(const struct pem_reader *reader)
{
    if (reader->text.len == 0)
        return reader->text;
    return span_of(reader->text.data + reader->gap, reader->text.len - reader->gap);
}

bool pem_label_is_key(const char *label)
{
    return strstr(label, "PRIVATE KEY") || strstr(label, "STATIC KEY");
}

/* A label that stands for one thing only, so that less than a whole marker is believed. */
static bool is_known_label(const char *label)
{
    static const char *const fronts[] = {
        "CERT", "X509", "X.509", "TRUSTED CERT", "NEW CERT", "PKCS",    "CMS",  "PRIVATE KEY",
        "CRL",  "RSA ", "EC P",  "ENCRYPTED ",   "PUBLIC",   "OPENSSH", "PGP ", "SSH2 ",
    };

    for (size_t i = 0; i < COUNT_OF(fronts); i++)
        if (strncmp(label, fronts[i], strlen(fronts[i])) == 0)
            return true;
    return false;
}

static size_t skip_dashes(struct span text, size_t at)
{
    while (at < text.len && text.data[at] == '-')
        at++;
    return at;
}

static size_t skip_blanks(struct span text, size_t at)
{
    for (size_t i = 0; i < BLANKS_MAX && at < text.len; i++, at++)
        if (text.data[at] != ' ' && text.data[at] != '\t' && text.data[at] != '_')
            break;
    return at;
}

static bool has_word(struct span text, size_t at, const char *word)
{
    size_t len = strlen(word);

    return at <= text.len && text.len - at >= len &&
           strncasecmp((const char *)text.data + at, word, len) == 0;
}

/* Appends the words at `at` to ret, in capitals and one blank apart; returns where they end. */
static size_t read_words(struct span text, size_t at, char ret[PEM_LABEL_MAX])
{
    size_t len = strlen(ret);

    if (len > 0 && len < PEM_LABEL_MAX - 1)
        ret[len++] = ' ';
    for (; at < text.len && len < PEM_LABEL_MAX - 1; at++) {
        uint8_t c = text.data[at];

        if (c >= 'a' && c <= 'z')
            c = (uint8_t)(c - 'a' + 'A');
        if (c == '_' || c == '+' || c == '\t')
            c = ' ';
        if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '#' || c == '.'))
            break;
        if (c != ' ' || (len > 0 && ret[len - 1] != ' '))
            ret[len++] = (char)c;
    }
    if (len > 0 && ret[len - 1] == ' ')
        len--;
    ret[len] = '\0';
    return at;
}

/* The words, also when a line was broken among them; returns where they end. */
static size_t read_label(struct span text, size_t at, char ret[PEM_LABEL_MAX])
{
    char both[PEM_LABEL_MAX];
    size_t end, second;

    ret[0] = '\0';
    end = read_words(text, at, ret);
    if (end == text.len || text.data[end] != '\n')
        return end;
    memcpy(both, ret, sizeof both);
    second = read_words(text, end + 1, both);
    if (second == text.len || text.data[second] != '-' || second == end + 1)
        return end;
    memcpy(ret, both, sizeof both);
    return second;
}

/* Whether so many dashes in front and behind make a marker of this label. */
static bool is_marker(const struct marker *marker, size_t before, size_t behind, bool line_ends)
{
    if (before >= DASHES_SURE && behind >= DASHES_SURE)
        return marker->is_end || marker->label[0] != '\0';
    if (!is_known_label(marker->label))
        return false;
    return behind > 0 || (before > 1 && line_ends);
}

/* The marker whose dashes are the ones from `from` to `at`; false when there is none. */
static bool read_marker(struct span text, size_t from, size_t at, struct marker *ret)
{
    struct marker out = {.from = from};
    size_t word = skip_blanks(text, at), end, last;

    out.is_end = has_word(text, word, "END");
    if (!out.is_end && !has_word(text, word, "BEGIN"))
        return false;
    end = read_label(text, skip_blanks(text, word + (out.is_end ? 3 : 5)), out.label);
    last = skip_dashes(text, end);
    if (!is_marker(&out, at - from, last - end, end == text.len || text.data[end] == '\n'))
        return false;
    out.to = last;
    out.again = end;
    *ret = out;
    return true;
}

static bool find_marker(struct span text, size_t at, struct marker *ret)
{
    while (at < text.len) {
        const uint8_t *dash = memchr(text.data + at, '-', text.len - at);
        size_t from, to;

        if (!dash)
            return false;
        from = (size_t)(dash - text.data);
        to = skip_dashes(text, from);
        if (read_marker(text, from, to, ret))
            return true;
        at = to;
    }
    return false;
}

static size_t line_of(struct pem_reader *reader, size_t at)
{
    for (; reader->line_at < at; reader->line_at++)
        if (reader->text.data[reader->line_at] == '\n')
            reader->line++;
    return reader->line;
}

static bool is_same_label(const char *begin, const char *end)
{
    if (end[0] == '\0')
        return true;
    for (;; begin++, end++) {
        begin += *begin == ' ';
        end += *end == ' ';
        if (*begin != *end)
            return false;
        if (*begin == '\0')
            return true;
    }
}

/* What stands in front of an END that is missing: no more than one whole piece of DER, at its very
 * beginning. Returns where it ends, or 0. */
static size_t read_unended(struct span body, struct blob *ret)
{
    struct base64_finder finder;
    struct base64_find find;

    base64_finder_init(&finder, body);
    if (!base64_next(&finder, &find))
        return 0;
    for (size_t i = 0; i < find.from; i++)
        if (!memchr(" \t\n>|\"'#*;/:,", body.data[i], 14)) {
            blob_wipe(&find.der);
            return 0;
        }
    *ret = blob_take(&find.der);
    return ret->len > 0 ? find.to : 0;
}

/* What stands between BEGIN and an END. DER in any way goes before anything else in the strict one.
 */
static enum pem_state read_ended(struct span body, bool same_label, struct blob *ret)
{
    AUTO_SECRET struct blob strict = {0};
    bool good = base64_strict(body, &strict);

    if (!(good && base64_is_der(&strict)) && base64_whole(body, false, ret))
        return PEM_WHOLE;
    if (!same_label && !(good && base64_is_der(&strict)))
        return PEM_OTHER_END;
    if (good)
        *ret = blob_take(&strict);
    return good ? PEM_WHOLE : PEM_BAD_BASE64;
}

/* Fills in what stands between BEGIN and the next marker, which is NULL at the end of the text. */
static void read_body(struct pem_reader *reader, const struct marker *begin,
                      const struct marker *end, struct pem_block *ret)
{
    struct span text = reader->text;
    size_t to = end ? end->from : text.len;
    struct span body = span_of(text.data + begin->to, to > begin->to ? to - begin->to : 0);

    ret->head = base64_take_head(&body);
    reader->at = end ? end->from : text.len;
    if (!end || !end->is_end) {
        size_t used = read_unended(body, &ret->der);

        ret->state = used > 0 ? PEM_WHOLE : PEM_NO_END;
        reader->gap = used > 0 ? (size_t)(body.data - text.data) + used : reader->at;
        return;
    }
    reader->at = end->again;
    reader->gap = end->to;
    ret->state = read_ended(body, is_same_label(begin->label, end->label), &ret->der);
}

bool pem_next(struct pem_reader *reader, struct pem_block *ret)
{
    struct pem_block block = {.state = PEM_WHOLE};
    struct marker begin, end;

    if (!find_marker(reader->text, reader->at, &begin)) {
        reader->at = reader->text.len;
        return false;
    }
    memcpy(block.label, begin.label, sizeof block.label);
    block.line = line_of(reader, begin.from);
    block.gap = span_of(reader->text.data + reader->gap,
                        begin.from > reader->gap ? begin.from - reader->gap : 0);
    if (begin.is_end) {
        block.state = PEM_NO_BEGIN;
        reader->at = begin.again;
        reader->gap = begin.to;
    } else {
        bool ends = find_marker(reader->text, begin.again, &end);

        read_body(reader, &begin, ends ? &end : NULL, &block);
    }
    *ret = block;
    return true;
}

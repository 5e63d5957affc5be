#include "pki/delivery/kinds.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRONT(text)                               \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

struct kind {
    struct span front;
    const char *what;
};

static const struct kind archives[] = {
    {FRONT("PK\3\4"), "a ZIP archive"},
    {FRONT("PK\5\6"), "a ZIP archive"},
    {FRONT("\x1F\x8B"), "a GZIP archive"},
    {FRONT("BZh"), "a BZIP2 archive"},
    {FRONT("\xFD"
           "7zXZ\0"),
     "an XZ archive"},
    {FRONT("(\xB5/\xFD"), "a Zstandard archive"},
    {FRONT("Rar!"), "a RAR archive"},
    {FRONT("7z\xBC\xAF\x27"), "a 7-Zip archive"},
    {FRONT("MSCF"), "a CAB archive"},
};

static const struct kind stores[] = {
    {FRONT("\xD0\xCF\x11\xE0"), "a mail saved by Outlook (.msg) or an old Office document, which "
                                "is not read: please save the mail as .eml, or its attachment"},
    {FRONT("\x78\x9F\x3E\x22"), "a winmail.dat of Outlook (TNEF), which is not read: please ask "
                                "for plain mail, or save the attachment alone"},
    {FRONT("\xFE\xED\xFE\xED"), "a Java key store (JKS), which is not read: please export the "
                                "certificates"},
    {FRONT("\xCE\xCE\xCE\xCE"), "a Java key store (JCEKS), which is not read: please export the "
                                "certificates"},
};

static const struct kind others[] = {
    {FRONT("%PDF"), "a PDF document, not a certificate"},
    {FRONT("\x89PNG"), "a picture (PNG), not a certificate"},
    {FRONT("\xFF\xD8\xFF"), "a picture (JPEG), not a certificate"},
    {FRONT("GIF8"), "a picture (GIF), not a certificate"},
    {FRONT("II*\0"), "a picture (TIFF), not a certificate"},
    {FRONT("MM\0*"), "a picture (TIFF), not a certificate"},
    {FRONT("BM"), "a picture (BMP), not a certificate"},
    {FRONT("\177ELF"), "a program, not a certificate"},
    {FRONT("MZ"), "a program for Windows, not a certificate"},
    {FRONT("SQLite format 3"), "a database (SQLite), not a certificate"},
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool kinds_is_text(struct span file)
{
    for (size_t i = 0; i < file.len; i++)
        if ((file.data[i] < 0x20 && !is_blank(file.data[i])) || file.data[i] == 0x7F)
            return false;
    return true;
}

/* The only one whose mark is not at its front (POSIX ustar). */
static bool is_tar(struct span file)
{
    enum { MARK_AT = 257 };

    return file.len > MARK_AT + 5 && memcmp(file.data + MARK_AT, "ustar", 5) == 0;
}

static const char *find_kind(struct span file, const struct kind *kinds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = kinds[i].front.len;

        if (span_starts(file, kinds[i].front.data, len))
            return kinds[i].what;
    }
    return NULL;
}

/* A text may begin with any of these letters. */
int kinds_read_closed(struct span file, struct reading *reading, struct error *err)
{
    const char *archive =
        is_tar(file) ? "a TAR archive" : find_kind(file, archives, COUNT_OF(archives));
    const char *store = find_kind(file, stores, COUNT_OF(stores));
    char what[160];

    if ((!archive && !store) || kinds_is_text(file))
        return 0;
    if (store)
        return reading_unopened(reading, store, err);
    snprintf(what, sizeof what, "%s, which is not read: please unpack it and drop the certificates",
             archive);
    return reading_unopened(reading, what, err);
}

int kinds_read_binary(struct span file, struct reading *reading, struct error *err)
{
    const char *what = find_kind(file, others, COUNT_OF(others));

    (void)err;
    if (what)
        return reading_say(reading, what);
    return kinds_is_text(file) ? 0 : reading_say(reading, "data of an unknown kind");
}

static struct span trimmed(struct span text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = span_of(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static bool begins(struct span text, const char *word)
{
    size_t len = strlen(word);

    return text.len >= len && strncasecmp((const char *)text.data, word, len) == 0;
}

/* Usually the login or error page of a portal, saved under the certificate's name. */
static bool is_html(struct span text)
{
    enum { LOOK_AT = 1024 };
    bool found = begins(text, "<!doctype html") || begins(text, "<head") || begins(text, "<body");

    for (size_t i = 0; i < text.len && i < LOOK_AT && text.data[0] == '<' && !found; i++)
        found = begins(span_of(text.data + i, text.len - i), "<html");
    return found;
}

/* "name: value" or "- name: value" lines from the first on; a mail has them too. */
static bool is_yaml(struct span text)
{
    enum { WANTED = 2 };
    size_t at = 0, lines = 0;

    if (begins(text, "Certificate:"))
        return false; /* openssl x509 -text */
    if (begins(text, "---\n") || begins(text, "---\r") || begins(text, "%YAML"))
        return true;
    while (at < text.len && lines < WANTED) {
        size_t end = at;

        while (end < text.len && strchr(" -", text.data[end]) && text.data[end] != '\0')
            end++;
        size_t name = end;
        while (end < text.len && (text.data[end] == '_' || text.data[end] == '-' ||
                                  (text.data[end] >= '0' && text.data[end] <= '9') ||
                                  (text.data[end] >= 'a' && text.data[end] <= 'z') ||
                                  (text.data[end] >= 'A' && text.data[end] <= 'Z')))
            end++;
        if (end == name || end == text.len || text.data[end] != ':' || text.data[name] <= '9')
            return false;
        const uint8_t *line = memchr(text.data + end, '\n', text.len - end);
        lines++;
        at = line ? (size_t)(line - text.data) + 1 : text.len;
    }
    return lines == WANTED;
}

const char *kinds_of_text(struct span raw)
{
    struct span text = trimmed(raw);
    uint8_t first = text.len > 1 ? text.data[0] : 0;
    uint8_t last = text.len > 1 ? text.data[text.len - 1] : 0;

    if (is_html(text))
        return "an HTML page";
    if (begins(text, "{\\rtf"))
        return "a document (RTF)";
    if (begins(text, "<?xml") || (first == '<' && last == '>'))
        return "XML";
    if ((first == '{' && last == '}') || (first == '[' && last == ']'))
        return "JSON";
    return is_yaml(text) ? "YAML" : NULL;
}

const char *kinds_of_other_text(struct span raw)
{
    struct span text = trimmed(raw);

    if (begins(text, "%PDF"))
        return "a PDF document";
    if (begins(text, "[InternetShortcut]"))
        return "a link to a web page";
    if (begins(text, "Certificate:\n") || begins(text, "Certificate:\r"))
        return "a readable dump of a certificate, without the certificate itself";
    if (begins(text, "ssh-") || begins(text, "ecdsa-sha2-"))
        return "an SSH public key";
    return NULL;
}

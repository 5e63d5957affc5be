#include "notify/mail.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/embed.h"
#include "base/text.h"
#include "notify/mime.h"
#include "notify/template.h"

static const char *const kinds[NOTICE_KINDS] = {
#define X(name, text) [name] = text,
    NOTICE_KIND_TABLE(X)
#undef X
};

const char *notice_kind_text(enum notice_kind kind)
{
    return kinds[kind];
}

bool notice_kind_parse(const char *text, enum notice_kind *ret)
{
    for (int i = 0; i < NOTICE_KINDS; i++) {
        if (strcmp(kinds[i], text) == 0) {
            *ret = (enum notice_kind)i;
            return true;
        }
    }
    return false;
}

void notice_fields_init(struct fields *ret)
{
#define X(name, text) fields_set(ret, name, "-");
    NOTICE_FIELD_TABLE(X)
#undef X
    fields_set(ret, "csr", "");
}

/* atext of RFC 5322 3.2.3 */
static bool is_atom(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Atoms with single dots between them; in a domain letters, digits and inner hyphens only. */
static bool is_dotted(const char *text, size_t len, bool domain)
{
    for (size_t i = 0; i < len; i++) {
        bool edge = i == 0 || i == len - 1 || text[i - 1] == '.' || text[i + 1] == '.';
        bool ok = is_atom(text[i]);

        if (domain)
            ok = ok && (!strchr("!#$%&'*+-/=?^_`{|}~", text[i]) || (text[i] == '-' && !edge));
        if (!ok && (text[i] != '.' || edge))
            return false;
    }
    return len > 0;
}

int mail_address_check(const char *address, struct error *err)
{
    /* RFC 5321 4.5.3.1: 64 and 255 octets, and a path of 256 with its brackets. */
    size_t len = strlen(address);
    const char *at = strrchr(address, '@');
    size_t local = at ? (size_t)(at - address) : 0;

    if (!at || len > 254 || local > 64 || !is_dotted(address, local, false) ||
        !is_dotted(at + 1, len - local - 1, true))
        return error_set(err, E_INPUT, "mail address %s: wanted local@domain in ASCII", address);
    return 0;
}

int mail_render_text(enum notice_kind kind, const struct fields *fields, char **ret_subject,
                     char **ret_text, struct error *err)
{
    AUTO_FREE char *name = mem_printf("%s.txt", notice_kind_text(kind));
    const struct embedded_file *file = embedded_templates;

    while (file->name && strcmp(file->name, name) != 0)
        file++;
    if (!file->name)
        return error_set(err, E_NOT_FOUND, "template %s: there is none", name);
    return template_fill(name, file->text, fields, ret_subject, ret_text, err);
}

/* "<local@host>" for Message-ID and References: characters an id cannot hold become "-". */
static char *make_id(const char *local, const char *host)
{
    char *id = mem_printf("<%s@%s>", local, host[0] != '\0' ? host : "localhost");
    size_t len = strlen(id);

    for (size_t i = 1; i + 1 < len; i++)
        if (!is_atom(id[i]) && id[i] != '.' && i != strlen(local) + 1)
            id[i] = '-';
    return id;
}

/* What stands between quotes in From: a host that needs neither escapes nor encoding. */
static const char *display_host(const char *host)
{
    for (const char *c = host; *c != '\0'; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            return "this machine";
    return host[0] != '\0' ? host : "this machine";
}

static bool is_urgent(enum notice_kind kind)
{
    return kind == NOTICE_EXPIRED || kind == NOTICE_ROLLED_BACK || kind == NOTICE_KEY_DISCLOSED;
}

static int add_thread(struct buf *out, const struct mail_envelope *envelope, struct error *err)
{
    if (!envelope->thread_id)
        return 0;
    AUTO_FREE char *root = make_id(envelope->thread_id, envelope->host);
    int rc = mime_header(out, "In-Reply-To", root, err);
    return rc < 0 ? rc : mime_header(out, "References", root, err);
}

static int check_envelope(const struct mail_envelope *envelope, struct error *err)
{
    const char *values[] = {envelope->host, envelope->message_id, envelope->thread_id};
    int rc = mail_address_check(envelope->from, err);

    if (rc == 0)
        rc = mail_address_check(envelope->recipient, err);
    for (size_t i = 0; i < COUNT_OF(values) && rc == 0; i++)
        if (values[i] &&
            (!text_is_header_safe(values[i], strlen(values[i])) || strlen(values[i]) > 255))
            rc = error_set(err, E_INPUT,
                           "mail: wanted host and ids of at most 255 characters without control "
                           "characters, got %s",
                           values[i]);
    return rc;
}

static int add_headers(struct buf *out, enum notice_kind kind, const struct mail_envelope *envelope,
                       const char *subject, struct error *err)
{
    char date[MIME_DATE_MAX];
    AUTO_FREE char *from =
        mem_printf("\"unlapsed on %s\" <%s>", display_host(envelope->host), envelope->from);
    AUTO_FREE char *to = mem_printf("<%s>", envelope->recipient);
    AUTO_FREE char *id = make_id(envelope->message_id, envelope->host);
    int rc = mime_date(envelope->date, date, err);
    const struct {
        const char *name, *value;
    } headers[] = {{"Date", date}, {"From", from}, {"To", to}, {"Message-ID", id}};

    for (size_t i = 0; i < COUNT_OF(headers) && rc == 0; i++)
        rc = mime_header(out, headers[i].name, headers[i].value, err);
    if (rc == 0)
        rc = mime_header_text(out, "Subject", subject, err);
    if (rc == 0)
        rc = add_thread(out, envelope, err);
    if (rc == 0 && envelope->certificate)
        rc = mime_header_text(out, "X-Unlapsed-Certificate", envelope->certificate, err);
    buf_printf(out, "X-Unlapsed-Kind: %s\r\n", notice_kind_text(kind));
    /* RFC 3834 5, and Microsoft's own: no out-of-office answers. */
    buf_add_text(out, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\n");
    if (is_urgent(kind))
        buf_add_text(out, "Importance: high\r\n");
    buf_add_text(out, "MIME-Version: 1.0\r\n");
    return rc;
}

static void add_text_part(struct buf *out, const char *text)
{
    bool plain = mime_is_plain(text);

    buf_printf(out,
               "Content-Type: text/plain; charset=utf-8\r\n"
               "Content-Transfer-Encoding: %s\r\n\r\n",
               plain ? "7bit" : "quoted-printable");
    if (plain)
        mime_add_plain(out, text);
    else
        mime_add_quoted_printable(out, text);
}

static int add_attachment(struct buf *out, const struct mail_attachment *attachment,
                          struct error *err)
{
    char name[MIME_FILE_NAME_MAX];
    const char *slash = strchr(attachment->content_type, '/');

    mime_file_name(attachment->file_name, name);
    for (const char *c = attachment->content_type; *c != '\0'; c++)
        if (!is_atom(*c) && *c != '.')
            slash = NULL;
    if (!slash || strlen(attachment->content_type) > 100)
        return error_set(err, E_INPUT, "attachment %s: wanted a content type, got %s", name,
                         attachment->content_type);
    buf_printf(out,
               "Content-Type: %s;%s\r\n name=\"%s\"\r\n"
               "Content-Transfer-Encoding: base64\r\n"
               "Content-Disposition: attachment;\r\n filename=\"%s\"\r\n\r\n",
               attachment->content_type,
               text_starts(attachment->content_type, "text/") ? " charset=utf-8;" : "", name, name);
    mime_add_base64(out, attachment->data);
    return 0;
}

/* A line of text that begins a private key in PEM. */
static bool has_private_key(struct span data)
{
    static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";
    const char *text = (const char *)data.data;

    while (data.len > 0) {
        const char *lf = memchr(text, '\n', data.len);
        size_t line = lf ? (size_t)(lf - text) + 1 : data.len;

        if (line > sizeof begin && memcmp(text, begin, sizeof begin - 1) == 0 &&
            memmem(text, line, end, sizeof end - 1))
            return true;
        text += line;
        data.len -= line;
    }
    return false;
}

static int check_no_key(const char *text, const struct mail_attachment *attachments, size_t count,
                        struct error *err)
{
    bool found = has_private_key(span_text(text));

    for (size_t i = 0; i < count; i++)
        found = found || has_private_key(attachments[i].data);
    return found ? error_set(err, E_REFUSED, "mail: keys never leave by mail, and this has one")
                 : 0;
}

/* In quoted-printable and base64 "=_" cannot occur; a plain text is searched. */
static char *make_boundary(const char *text)
{
    char *boundary = mem_strdup("=_unlapsed_0");

    for (unsigned i = 1; strstr(text, boundary); i++) {
        free(boundary);
        boundary = mem_printf("=_unlapsed_%u", i);
    }
    return boundary;
}

static int add_content(struct buf *out, const char *text, const struct mail_attachment *attachments,
                       size_t count, struct error *err)
{
    int rc = check_no_key(text, attachments, count, err);

    if (rc < 0)
        return rc;
    if (count == 0) {
        add_text_part(out, text);
        return 0;
    }
    AUTO_FREE char *boundary = make_boundary(text);
    buf_printf(out, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n", boundary,
               boundary);
    add_text_part(out, text);
    for (size_t i = 0; i < count && rc == 0; i++) {
        buf_printf(out, "--%s\r\n", boundary);
        rc = add_attachment(out, &attachments[i], err);
    }
    buf_printf(out, "--%s--\r\n", boundary);
    return rc;
}

int mail_render(enum notice_kind kind, const struct mail_envelope *envelope,
                const struct fields *fields, const struct mail_attachment *attachments,
                size_t count, struct blob *ret, struct error *err)
{
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *text = NULL;
    AUTO_BUF struct buf out;

    buf_init(&out, BUF_MAX_MAIL);
    int rc = check_envelope(envelope, err);
    if (rc == 0)
        rc = mail_render_text(kind, fields, &subject, &text, err);
    if (rc == 0)
        rc = add_headers(&out, kind, envelope, subject, err);
    if (rc == 0)
        rc = add_content(&out, text, attachments, count, err);
    if (rc == 0 && out.full)
        rc = error_set(err, E_TOO_LARGE, "mail: wanted at most %d bytes", BUF_MAX_MAIL);
    if (rc == 0)
        *ret = buf_take(&out);
    return rc;
}

#include "notify/template.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

struct filler {
    const char *name;
    size_t line; /* of the template, from 1 */
    const struct fields *fields;
    struct buf *out;
    struct error *err;
};

enum { FIELD_NAME_MAX = 32 };

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* The value of the field whose "{" is at `at`; *ret_len is the length of "{field}". */
static int look_up(const struct filler *filler, const char *at, size_t left, const char **ret,
                   size_t *ret_len)
{
    char name[FIELD_NAME_MAX];
    size_t len = 0;

    while (1 + len < left && is_name(at[1 + len]) && len < sizeof name - 1) {
        name[len] = at[1 + len];
        len++;
    }
    name[len] = '\0';
    if (len == 0 || 1 + len >= left || at[1 + len] != '}')
        return error_set(filler->err, E_INPUT,
                         "template %s:%zu: stray \"{\": wanted {field}, or {{ for a brace",
                         filler->name, filler->line);
    const char *value = fields_get(filler->fields, name);
    if (!value)
        return error_set(filler->err, E_INPUT, "template %s:%zu: field {%s}: the notice has none",
                         filler->name, filler->line, name);
    *ret = value;
    *ret_len = len + 2;
    return 0;
}

static void add_escaped(struct buf *out, const char *text, size_t len)
{
    /* The longest escape, \xHH, makes four characters of a byte. */
    AUTO_FREE char *raw = mem_alloc(len + 1, 1);
    AUTO_FREE char *safe = mem_alloc(len + 1, 4);

    memcpy(raw, text, len);
    buf_add_text(out, text_escape(raw, safe, 4 * (len + 1)));
}

static int add_inline(struct filler *filler, const char *line, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *value;
        size_t step = 1;

        if (line[at] != '{' && line[at] != '}') {
            while (at + step < len && line[at + step] != '{' && line[at + step] != '}')
                step++;
            buf_add(filler->out, line + at, step);
        } else if (at + 1 < len && line[at + 1] == line[at]) {
            buf_add(filler->out, line + at, 1);
            step = 2;
        } else if (line[at] == '}') {
            return error_set(filler->err, E_INPUT,
                             "template %s:%zu: stray \"}\": wanted }} for a brace", filler->name,
                             filler->line);
        } else {
            int rc = look_up(filler, line + at, len - at, &value, &step);

            if (rc < 0)
                return rc;
            add_escaped(filler->out, value, strlen(value));
        }
        at += step;
    }
    return 0;
}

static void add_block(struct filler *filler, const char *value, int indent)
{
    size_t len = strlen(value);

    while (len > 0 && value[len - 1] == '\n')
        len--;
    while (len > 0) {
        const char *end = memchr(value, '\n', len);
        size_t line = end ? (size_t)(end - value) : len;
        size_t shown = line > 0 && value[line - 1] == '\r' ? line - 1 : line;

        buf_printf(filler->out, "%*s", shown > 0 ? indent : 0, "");
        add_escaped(filler->out, value, shown);
        buf_add_text(filler->out, "\n");
        line += end ? 1 : 0;
        value += line;
        len -= line;
    }
}

static int add_line(struct filler *filler, const char *line, size_t len)
{
    size_t indent = 0;
    const char *value;
    size_t field;

    while (indent < len && line[indent] == ' ')
        indent++;
    bool may_be_block = len - indent > 2 && line[indent] == '{' && line[indent + 1] != '{' &&
                        memchr(line + indent, '}', len - indent) == line + len - 1;
    if (!may_be_block) {
        int rc = add_inline(filler, line, len);

        if (rc == 0)
            buf_add_text(filler->out, "\n");
        return rc;
    }
    int rc = look_up(filler, line + indent, len - indent, &value, &field);
    if (rc == 0)
        add_block(filler, value, (int)indent);
    return rc;
}

static int fill_subject(struct filler *filler, const char *line, size_t len, char **ret)
{
    static const char start[] = "Subject: ";
    char subject[TEMPLATE_SUBJECT_MAX + 1];

    if (!text_starts(line, start) || line[len] != '\n' || line[len + 1] != '\n')
        return error_set(filler->err, E_INPUT,
                         "template %s:1: wanted \"Subject: ...\" and an empty line", filler->name);
    int rc = add_inline(filler, line + sizeof start - 1, len - (sizeof start - 1));
    if (rc < 0)
        return rc;
    *ret = mem_strdup(text_escape(buf_text(filler->out), subject, sizeof subject));
    buf_done(filler->out);
    return 0;
}

static int fill_body(struct filler *filler, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        int rc = add_line(filler, text, len);

        if (rc < 0)
            return rc;
        text += text[len] == '\n' ? len + 1 : len;
        filler->line++;
    }
    if (filler->out->full)
        return error_set(filler->err, E_TOO_LARGE, "template %s: wanted at most %zu bytes",
                         filler->name, filler->out->max);
    return 0;
}

int template_fill(const char *name, const char *text, const struct fields *fields,
                  char **ret_subject, char **ret_body, struct error *err)
{
    AUTO_BUF struct buf out;
    AUTO_FREE char *subject = NULL;
    struct filler filler = {.name = name, .line = 1, .fields = fields, .out = &out, .err = err};
    size_t first = strcspn(text, "\n");

    buf_init(&out, BUF_MAX_MAIL);
    int rc = fill_subject(&filler, text, first, &subject);
    if (rc == 0) {
        filler.line = 3;
        rc = fill_body(&filler, text + first + 2);
    }
    if (rc < 0)
        return rc;
    *ret_subject = TAKE(subject);
    *ret_body = out.len > 0 ? (char *)buf_take(&out).data : mem_strdup("");
    return 0;
}

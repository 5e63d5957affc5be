#include "store/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "base/text.h"

enum { MARK_MAX = 16 << 10 };

static int64_t number_of(const struct fields *fields, const char *key)
{
    const char *text = fields_get(fields, key);
    int64_t number = 0;

    return text && text_number(text, 0, INT64_MAX - 1, &number) ? number : 0;
}

int mark_read(const char *path, struct mark *ret, struct error *err)
{
    AUTO_FREE char *name = mem_printf("%s" MARK_SUFFIX, path);
    AUTO_FIELDS struct fields fields = {0};
    AUTO_BLOB struct blob file = {0};
    struct mark mark = {.text = "was found damaged before"};
    struct error ignored;
    int rc = file_read(name, MARK_MAX, &file, err);

    if (rc == E_NOT_FOUND)
        return rc;
    AUTO_FREE char *json = mem_printf("%.*s", (int)file.len, (const char *)file.data);
    if (rc == 0 && fields_from_json(json, &fields, &ignored) == 0) {
        const char *text = fields_get(&fields, "text");

        if (text)
            snprintf(mark.text, sizeof mark.text, "%s", text);
        mark.since = number_of(&fields, "since");
        mark.told = number_of(&fields, "told") != 0;
    }
    *ret = mark;
    return 0;
}

int mark_write(const char *path, const struct mark *mark, struct error *err)
{
    AUTO_FREE char *name = mem_printf("%s" MARK_SUFFIX, path);
    AUTO_FIELDS struct fields fields = {0};

    fields_set(&fields, "text", mark->text);
    fields_printf(&fields, "since", "%" PRId64, mark->since);
    fields_set(&fields, "told", mark->told ? "1" : "0");
    AUTO_FREE char *json = fields_to_json(&fields);
    return file_replace(name, span_text(json), FILE_PRIVATE, err);
}

int mark_remove(const char *path, struct error *err)
{
    AUTO_FREE char *full = mem_printf("%s" MARK_SUFFIX, path);
    const char *name = NULL;
    AUTO_FD int dir = -1;
    int rc = file_open_parent(full, &dir, &name, err);

    return rc < 0 ? rc : file_remove_at(dir, name, err);
}

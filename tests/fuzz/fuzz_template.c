/* Any text as a mail's template, and any as a value in it: what comes out is one safe subject line
 * and a text without control characters. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "notify/mime.h"
#include "notify/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(const char *value)
{
    AUTO_BUF struct buf out;
    struct error err = {0};

    buf_init(&out, BUF_MAX_MAIL);
    if (mime_header_text(&out, "Subject", value, &err) < 0)
        return;
    const char *text = buf_text(&out);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] == '\r')
            assert(text[i + 1] == '\n' && (text[i + 2] == ' ' || text[i + 2] == '\0'));
        else
            assert(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text =
        mem_printf("%.*s", (int)(size < 65536 ? size : 65536), (const char *)data);
    AUTO_FIELDS struct fields fields = {0};
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *body = NULL;
    struct error err = {0};

    fields_set(&fields, "certificate", text);
    fields_set(&fields, "report", text);
    if (template_fill("fuzz", "Subject: about {certificate}\n\n{certificate}:\n  {report}\n",
                      &fields, &subject, &body, &err) == 0) {
        assert(text_is_header_safe(subject, strlen(subject)));
        check_header(subject);
    }
    check_header(text);
    free(subject);
    free(body);
    subject = body = NULL;
    if (template_fill("fuzz", text, &fields, &subject, &body, &err) == 0)
        assert(strlen(subject) <= TEMPLATE_SUBJECT_MAX &&
               text_is_header_safe(subject, strlen(subject)));
    return 0;
}

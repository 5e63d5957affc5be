#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Formatted with room to spare, so that only text_escape cuts, at a character and with "...". */
enum { RAW_MAX = 2 * ERROR_TEXT_MAX };

static void store(struct error *err, int code, const char *raw)
{
    err->code = code;
    text_escape(raw, err->text, sizeof err->text);
}

int error_set(struct error *err, int code, const char *format, ...)
{
    char raw[RAW_MAX];
    va_list args;

    assert(code < 0);
    if (!err)
        return code;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    store(err, code, raw);
    return code;
}

int error_set_errno(struct error *err, int errnum, const char *format, ...)
{
    char raw[RAW_MAX];
    char reason[128];
    va_list args;
    int code = code_from_errno(errnum);

    if (!err)
        return code;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    const char *text = strerror_r(errnum, reason, sizeof reason);
    size_t used = strlen(raw);
    snprintf(raw + used, sizeof raw - used, ": %s", text);
    store(err, code, raw);
    return code;
}

int error_wrap(struct error *err, int code, const char *format, ...)
{
    char raw[RAW_MAX];
    char inner[ERROR_TEXT_MAX];
    va_list args;

    assert(code < 0);
    if (!err)
        return code;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    snprintf(inner, sizeof inner, "%s", err->code ? err->text : code_text(code));
    size_t used = strlen(raw);
    snprintf(raw + used, sizeof raw - used, ": %s", inner);
    store(err, code, raw);
    return code;
}

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* Of the message, and of the message with its context, which a long message never crowds out. */
enum { MESSAGE_MAX = 2048, LINE_MAX_BYTES = MESSAGE_MAX + 4 * LOG_CONTEXT_MAX };

static struct {
    enum log_level most;
    bool journal;
    log_sink_fn sink;
    void *sink_self;
} state = {.most = LOG_LEVEL_INFO};

static _Thread_local struct log_context *current;

void log_open(enum log_level most, bool journal)
{
    state.most = most;
    state.journal = journal;
}

void log_capture(log_sink_fn sink, void *self)
{
    state.sink = sink;
    state.sink_self = self;
}

void log_context_push(struct log_context *context, const char *format, ...)
{
    char raw[2 * LOG_CONTEXT_MAX];
    va_list args;

    raw[0] = ' ';
    va_start(args, format);
    vsnprintf(raw + 1, sizeof raw - 1, format, args);
    va_end(args);
    text_escape(raw, context->text, sizeof context->text);
    /* What a caller said already is not said twice. */
    for (const struct log_context *outer = current; outer; outer = outer->parent)
        if (strcmp(outer->text, context->text) == 0)
            context->text[0] = '\0';
    context->parent = current;
    current = context;
}

void log_context_pop(struct log_context *context)
{
    current = context->parent;
}

static void append_context(const struct log_context *context, char *line, size_t size)
{
    if (!context)
        return;
    append_context(context->parent, line, size);
    size_t used = strlen(line);
    if (used + strlen(context->text) < size)
        snprintf(line + used, size - used, "%s", context->text);
}

void log_line(enum log_level level, const char *id, const char *format, ...)
{
    char raw[2 * MESSAGE_MAX], line[LINE_MAX_BYTES], out[LINE_MAX_BYTES + 128], time[UTC_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(raw, line, MESSAGE_MAX);
    append_context(current, line, sizeof line);
    if (state.sink)
        state.sink(state.sink_self, level, id, line);
    if (level > state.most)
        return;
    if (state.journal)
        snprintf(out, sizeof out, "<%d>%s: %s\n", level, id, line);
    else
        snprintf(out, sizeof out, "%s %s: %s\n", utc_format(clock_now(), time), id, line);
    /* One write a line, so that lines of several threads and processes stay whole. */
    ssize_t ignored = write(STDERR_FILENO, out, strlen(out));
    (void)ignored;
}

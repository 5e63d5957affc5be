/*
 * Log lines for journald and people: "<priority>id: message certificate=www renewal=17" on standard
 * error. A function either logs or returns an error, never both. `id` is one stable word per kind
 * of message. The context is inherited: what a caller put there appears on every line logged below
 * it, on the same thread.
 */
#ifndef UL_BASE_LOG_H
#define UL_BASE_LOG_H

#include <stdbool.h>

enum log_level {
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARN = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

/* Lines above this level are dropped. With `journal` each line starts with "<N>" (sd-daemon(3)),
 * else with the time. */
void log_open(enum log_level most, bool journal);

void log_line(enum log_level level, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(id, ...) log_line(LOG_LEVEL_ERROR, id, __VA_ARGS__)
#define log_warn(id, ...) log_line(LOG_LEVEL_WARN, id, __VA_ARGS__)
#define log_notice(id, ...) log_line(LOG_LEVEL_NOTICE, id, __VA_ARGS__)
#define log_info(id, ...) log_line(LOG_LEVEL_INFO, id, __VA_ARGS__)
#define log_debug(id, ...) log_line(LOG_LEVEL_DEBUG, id, __VA_ARGS__)

enum { LOG_CONTEXT_MAX = 256 };

/* One level of context: lives in the caller's frame, is undone by log_context_pop (or LOG_CONTEXT
 * at end of scope). */
struct log_context {
    struct log_context *parent;
    char text[LOG_CONTEXT_MAX]; /* " key=value", escaped */
};

void log_context_push(struct log_context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_context_pop(struct log_context *context);

/* LOG_CONTEXT("certificate=%s", name); until the end of the enclosing block, which may have several
 * and stand inside another that has one. */
#define LOG_CONTEXT(...) LOG_CONTEXT_AT_(__LINE__, __VA_ARGS__)
#define LOG_CONTEXT_AT_(line, ...) LOG_CONTEXT_JOIN_(line, __VA_ARGS__)
#define LOG_CONTEXT_JOIN_(line, ...)                                                 \
    struct log_context log_context_##line __attribute__((cleanup(log_context_pop))); \
    log_context_push(&log_context_##line, __VA_ARGS__)

/* For tests: every line also goes to sink (without the prefix); NULL stops that. */
typedef void (*log_sink_fn)(void *self, enum log_level level, const char *id, const char *line);
void log_capture(log_sink_fn sink, void *self);

#endif

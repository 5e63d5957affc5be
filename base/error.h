/*
 * The sentence that goes with a result code. It lives in a struct of the caller (no per-thread
 * message that can be stale, no allocation), is set once where the failure happens, and gains "who
 * asked" on the way up.
 */
#ifndef UL_BASE_ERROR_H
#define UL_BASE_ERROR_H

#include "base/codes.h"

enum { ERROR_TEXT_MAX = 1024 };

struct error {
    int code;                  /* 0 while nothing failed */
    char text[ERROR_TEXT_MAX]; /* UTF-8, one line, printable: foreign bytes are escaped by error_set
                                */
};

/* Sets code and text and returns the code, so that a function can `return error_set(...)`. err may
 * be NULL. */
int error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* As error_set with the code of errnum and ": " strerror appended. */
int error_set_errno(struct error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

/* Puts "text: " in front of the message that is there and returns its code. err may be NULL. */
int error_wrap(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));

#endif

/*
 * Time: seconds since 1970 in UTC, 64 bits, with one explicit "never" that sorts last. Everything
 * above this module takes `now` as a parameter; only the daemon's outermost layer asks the clock.
 */
#ifndef UL_BASE_CLOCK_H
#define UL_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int64_t utc_t;     /* seconds since 1970-01-01T00:00:00Z, leap seconds not counted */
typedef int64_t seconds_t; /* a length of time */

#define UTC_NEVER INT64_MAX
enum { UTC_TEXT_MAX = 32, SECONDS_TEXT_MAX = 32 };

/* The wall clock. */
utc_t clock_now(void);

/* Milliseconds of a clock that never jumps: for deadlines and for how long ago something was seen.
 */
int64_t clock_monotonic_ms(void);

/* at + length without overflow: UTC_NEVER stays, and results saturate. */
utc_t utc_add(utc_t at, seconds_t length);
utc_t utc_min(utc_t a, utc_t b);

/* RFC 3339 in UTC, "2026-11-22T16:57:14Z"; "never" for UTC_NEVER. ret holds UTC_TEXT_MAX bytes;
 * returns ret. */
char *utc_format(utc_t at, char *ret);

/* For people: "2026-11-22 16:57:14 UTC". */
char *utc_format_plain(utc_t at, char *ret);

/* The reverse of utc_format; false when text is anything else. */
bool utc_parse(const char *text, utc_t *ret);

/*
 * A length of time for people, largest two units: "21 d 3 h", "90 s", "4 min 5 s"; a sign stays in
 * front. ret holds SECONDS_TEXT_MAX bytes; returns ret.
 */
char *seconds_format(seconds_t length, char *ret);

/* Parses "30s", "15m", "12h", "21d", "2w" (one number, one unit, not negative); false on anything
 * else. */
bool seconds_parse(const char *text, seconds_t *ret);

#endif

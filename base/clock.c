#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

utc_t clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

utc_t utc_add(utc_t at, seconds_t length)
{
    utc_t sum;

    if (at == UTC_NEVER || length == UTC_NEVER)
        return UTC_NEVER;
    if (__builtin_add_overflow(at, length, &sum))
        return length > 0 ? UTC_NEVER : INT64_MIN;
    return sum;
}

utc_t utc_min(utc_t a, utc_t b)
{
    return a < b ? a : b;
}

static char *format(utc_t at, const char *pattern, char *ret)
{
    struct tm tm;
    time_t time = at;

    if (at == UTC_NEVER || !gmtime_r(&time, &tm) || tm.tm_year > 9999 - 1900) {
        snprintf(ret, UTC_TEXT_MAX, "%s", "never");
        return ret;
    }
    snprintf(ret, UTC_TEXT_MAX, pattern, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
    return ret;
}

char *utc_format(utc_t at, char *ret)
{
    return format(at, "%04d-%02d-%02dT%02d:%02d:%02dZ", ret);
}

char *utc_format_plain(utc_t at, char *ret)
{
    return format(at, "%04d-%02d-%02d %02d:%02d:%02d UTC", ret);
}

bool utc_parse(const char *text, utc_t *ret)
{
    struct tm tm = {0};
    char again[UTC_TEXT_MAX];
    char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    if (!end || *end != '\0')
        return false;
    utc_t at = timegm(&tm);
    /* strptime accepts the 31st of any month: what does not print as itself was not a date. */
    if (strcmp(utc_format(at, again), text) != 0)
        return false;
    *ret = at;
    return true;
}

static const struct unit {
    seconds_t seconds;
    char letter;
    const char *name;
} units[] = {
    {604800, 'w', NULL}, {86400, 'd', "d"}, {3600, 'h', "h"}, {60, 'm', "min"}, {1, 's', "s"}};

char *seconds_format(seconds_t length, char *ret)
{
    uint64_t left = length < 0 ? 0 - (uint64_t)length : (uint64_t)length;
    const char *sign = length < 0 ? "-" : "";

    for (size_t i = 1; i < 5; i++) {
        uint64_t unit = (uint64_t)units[i].seconds;

        if (left < unit && i < 4)
            continue;
        uint64_t rest = i < 4 ? left % unit / (uint64_t)units[i + 1].seconds : 0;
        if (rest > 0)
            snprintf(ret, SECONDS_TEXT_MAX, "%s%" PRIu64 " %s %" PRIu64 " %s", sign, left / unit,
                     units[i].name, rest, units[i + 1].name);
        else
            snprintf(ret, SECONDS_TEXT_MAX, "%s%" PRIu64 " %s", sign, left / unit, units[i].name);
        break;
    }
    return ret;
}

bool seconds_parse(const char *text, seconds_t *ret)
{
    char digits[16];
    size_t len = strlen(text);
    int64_t number;

    if (len < 2 || len > sizeof digits || text[0] == '-')
        return false;
    memcpy(digits, text, len - 1);
    digits[len - 1] = '\0';
    if (!text_number(digits, 0, 10000000000, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].letter == text[len - 1]) {
            *ret = number * units[i].seconds;
            return true;
        }
    }
    return false;
}

#include "daemon/cli/term.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/mem.h"
#include "base/text.h"

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 20 };

struct term term_of(int fd, bool no_color)
{
    const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");
    struct winsize size;

    if (!isatty(fd))
        return (struct term){0};
    size_t width = WIDTH_DEFAULT;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    bool dumb = kind && strcmp(kind, "dumb") == 0;
    return (struct term){
        .color = !no_color && !(no && no[0] != '\0') && !dumb,
        .width = width < WIDTH_LEAST ? WIDTH_LEAST : width,
    };
}

const char *term_begin(const struct term *term, enum color color)
{
    if (!term->color)
        return "";
    switch (color) {
    case COLOR_PLAIN:
        return "";
    case COLOR_HEAD:
        return "\033[1m";
    case COLOR_GOOD:
        return "\033[32m";
    case COLOR_BUSY:
        return "\033[33m";
    case COLOR_BAD:
        return "\033[31m";
    }
    return "";
}

const char *term_end(const struct term *term, enum color color)
{
    return term->color && color != COLOR_PLAIN ? "\033[0m" : "";
}

enum color color_of_state(const char *state)
{
    static const struct {
        const char *state;
        enum color color;
    } colors[] = {
        {"ok", COLOR_GOOD},        {"new", COLOR_BUSY},         {"due", COLOR_BUSY},
        {"requested", COLOR_BUSY}, {"handed over", COLOR_BUSY}, {"waiting chain", COLOR_BUSY},
        {"deploying", COLOR_BUSY}, {"rejected", COLOR_BAD},     {"rolled back", COLOR_BAD},
        {"chain ends", COLOR_BAD}, {"expired", COLOR_BAD},      {"good", COLOR_GOOD},
        {"bad", COLOR_BAD},        {"warning", COLOR_BUSY},     {"whole", COLOR_GOOD},
        {"broken", COLOR_BAD},
    };

    for (size_t i = 0; i < COUNT_OF(colors); i++)
        if (strcmp(colors[i].state, state) == 0)
            return colors[i].color;
    return COLOR_PLAIN;
}

enum color color_of_kind(const char *kind)
{
    static const struct {
        const char *kind;
        enum color color;
    } colors[] = {
        {"accepted", COLOR_GOOD},         {"adopted", COLOR_GOOD},  {"verified", COLOR_GOOD},
        {"delivery-rejected", COLOR_BAD}, {"expired", COLOR_BAD},   {"failed", COLOR_BAD},
        {"key-disclosed", COLOR_BAD},     {"mail-lost", COLOR_BAD}, {"not-restored", COLOR_BAD},
        {"refused", COLOR_BAD},           {"rejected", COLOR_BAD},  {"rolled-back", COLOR_BAD},
        {"trust-added", COLOR_BUSY},      {"pruned", COLOR_BUSY},   {"trust-removed", COLOR_BUSY},
    };

    for (size_t i = 0; i < COUNT_OF(colors); i++)
        if (strcmp(colors[i].kind, kind) == 0)
            return colors[i].color;
    return COLOR_PLAIN;
}

/* Our text is UTF-8 whatever the locale of the user says, and widths must not depend on it. */
static locale_t utf8_locale(void)
{
    static locale_t locale;

    if (!locale)
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    return locale;
}

/* One character at text: its bytes, and its columns in *ret. */
static size_t step(const char *text, size_t *ret)
{
    mbstate_t state = {0};
    wchar_t c;
    size_t len = mbrtowc(&c, text, strlen(text), &state);

    if (len == (size_t)-1 || len == (size_t)-2 || len == 0) {
        *ret = 1;
        return 1;
    }
    int columns = wcwidth(c);
    *ret = columns < 0 ? 1 : (size_t)columns;
    return len;
}

size_t text_head(const char *text, size_t columns)
{
    locale_t before = uselocale(utf8_locale());
    size_t used = 0, at = 0;

    while (text[at] != '\0') {
        size_t more;
        size_t len = step(text + at, &more);

        if (used + more > columns)
            break;
        used += more;
        at += len;
    }
    uselocale(before);
    return at;
}

size_t text_columns(const char *text)
{
    locale_t before = uselocale(utf8_locale());
    size_t used = 0;

    while (*text != '\0') {
        size_t more;

        text += step(text, &more);
        used += more;
    }
    uselocale(before);
    return used;
}

char *text_escape_all(const char *text)
{
    /* "\u{10ffff}" is the longest that stands for one character of at least two bytes. */
    size_t size = strlen(text) * 8 + 1;

    return text_escape(text, mem_alloc(1, size), size);
}

/* Any bytes as one of the small texts people and files give: what is taken comes out the same way
 * it went in, and what is made harmless is harmless. */
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "pki/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void times(const char *text)
{
    char again[UTC_TEXT_MAX];
    seconds_t length;
    double part;
    utc_t at;

    if (utc_parse(text, &at))
        assert(strcmp(utc_format(at, again), text) == 0);
    if (seconds_parse(text, &length))
        assert(length >= 0);
    if (text_fraction(text, &part))
        assert(part >= 0);
}

static void names(const char *text)
{
    AUTO_NAMES struct names names = {0};
    AUTO_NAMES struct names again = {0};
    struct error err = {0};

    if (names_add_tagged(&names, text, &err) < 0) {
        assert(err.code == E_INPUT && names.count == 0);
        return;
    }
    assert(names.count == 1);
    AUTO_FREE char *joined = names_join(&names);
    assert(names_add_tagged(&again, joined, &err) == 0);
    assert(names_first_missing(&again, &names) == NULL || names.items[0].text[0] == '*');
}

static void found(const uint8_t *data, size_t size)
{
    AUTO_NAMES struct names names = {0};

    for (int type = NAME_DNS; type <= NAME_URI; type++)
        names_add_found(&names, (enum name_type)type, span_of(data, size));
    for (size_t i = 0; i < names.count; i++) {
        const char *text = names.items[i].text;

        assert(text_is_header_safe(text, strlen(text)) && text_is_utf8(text, strlen(text)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = mem_printf("%.*s", (int)(size < 4096 ? size : 4096), (const char *)data);
    char safe[256];

    text_escape(text, safe, sizeof safe);
    assert(strlen(safe) < sizeof safe && text_is_header_safe(safe, strlen(safe)));
    assert(text_is_utf8(safe, strlen(safe)));
    if (text_is_mail_address(text))
        assert(text_is_header_safe(text, strlen(text)) && !strpbrk(text, "<> "));
    times(text);
    names(text);
    found(data, size);
    return 0;
}

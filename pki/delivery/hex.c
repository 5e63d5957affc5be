#include "pki/delivery/hex.h"

#include <string.h>

#include "pki/delivery/text.h"

enum { DER_MIN = 64, DER_MAX = 1 << 20, DUMP_WIDTH = 16 };

struct hex_reader {
    struct span text;
    size_t at;
    size_t budget; /* steps left, over all attempts */
    bool dump;     /* an offset stands in front of the line: at most DUMP_WIDTH bytes are in it */
    size_t in_line;
};

static int digit_at(const struct hex_reader *reader, size_t at)
{
    return at < reader->text.len ? text_hex_digit(reader->text.data[at]) : -1;
}

static uint8_t char_at(const struct hex_reader *reader, size_t at)
{
    return at < reader->text.len ? reader->text.data[at] : '\0';
}

/* "00000010: " and "00000010  " */
static void skip_offset(struct hex_reader *reader)
{
    size_t end = reader->at;

    while (end - reader->at < 9 && digit_at(reader, end) >= 0)
        end++;
    reader->in_line = 0;
    reader->dump = end - reader->at >= 4 && char_at(reader, end + 1) == ' ' &&
                   (char_at(reader, end) == ':' || char_at(reader, end) == ' ');
    if (reader->dump)
        reader->at = end + 2;
}

static void skip_line(struct hex_reader *reader)
{
    const uint8_t *at = reader->text.data + reader->at;
    const uint8_t *end = memchr(at, '\n', reader->text.len - reader->at);

    reader->at = end ? (size_t)(end - reader->text.data) : reader->text.len;
}

/* The next byte; -1 at anything that is not one. */
static int next_byte(struct hex_reader *reader)
{
    for (; reader->at < reader->text.len && reader->budget > 0; reader->budget--) {
        uint8_t c = reader->text.data[reader->at];

        if (reader->dump && reader->in_line == DUMP_WIDTH && c != '\n')
            skip_line(reader);
        else if (c == '\n' && reader->at++ < reader->text.len)
            skip_offset(reader);
        else if (c == '0' && (char_at(reader, reader->at + 1) | 0x20) == 'x')
            reader->at += 2;
        else if (strchr(" :,;\t\"'{}[]()\\", c))
            reader->at++;
        else
            break;
    }
    int high = digit_at(reader, reader->at), low = digit_at(reader, reader->at + 1);
    if (high < 0 || low < 0 || reader->budget == 0)
        return -1;
    reader->at += 2;
    reader->in_line++;
    reader->budget--;
    return high << 4 | low;
}

/* Reads one piece of DER from here on; false unless all of it is there. */
static bool read_der(struct hex_reader *reader, struct blob *ret)
{
    AUTO_SECRET struct blob out = {0};
    uint8_t head[5];
    size_t count, len = 0;

    for (size_t i = 0; i < 2; i++)
        head[i] = (uint8_t)next_byte(reader);
    count = head[1] & 0x7F;
    if (head[0] != 0x30 || head[1] < 0x81 || count > 3)
        return false;
    for (size_t i = 0; i < count; i++) {
        head[2 + i] = (uint8_t)next_byte(reader);
        len = len << 8 | head[2 + i];
    }
    if (len < DER_MIN || len > DER_MAX || len > reader->text.len - reader->at)
        return false;
    out = (struct blob){mem_alloc(2 + count + len, 1), 2 + count + len};
    memcpy(out.data, head, 2 + count);
    for (size_t i = 2 + count; i < out.len; i++) {
        int byte = next_byte(reader);

        if (byte < 0)
            return false;
        out.data[i] = (uint8_t)byte;
    }
    *ret = blob_take(&out);
    return true;
}

bool hex_find(struct span text, struct blob *ret)
{
    struct hex_reader reader = {.text = text, .budget = 8 * text.len};
    size_t line = 0, seen = 0;

    for (size_t at = 0; at + 4 < text.len && reader.budget > 0; at++) {
        const uint8_t *hit = memmem(text.data + at, text.len - at, "30", 2);

        if (!hit)
            return false;
        at = (size_t)(hit - text.data);
        for (; seen < at; seen++)
            line = text.data[seen] == '\n' ? seen + 1 : line;
        if (at > line && digit_at(&reader, at - 1) >= 0)
            continue;
        reader.at = line;
        skip_offset(&reader);
        reader.at = at;
        if (read_der(&reader, ret))
            return true;
    }
    return false;
}

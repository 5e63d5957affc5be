/* The first byte chooses the protocol, the rest is what the server says: the talk ends, with
 * consent or with a sentence that can be shown. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "pki/starttls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tape {
    struct span says;
    size_t step, heard;
};

static int read_tape(void *self, uint8_t *data, size_t max, size_t *ret, struct error *err)
{
    struct tape *tape = self;
    size_t give = tape->says.len < max ? tape->says.len : max;

    if (give == 0)
        return error_set(err, E_NETWORK, "end");
    if (tape->step > 0 && give > tape->step)
        give = tape->step;
    memcpy(data, tape->says.data, give);
    tape->says = span_of(tape->says.data + give, tape->says.len - give);
    *ret = give;
    return 0;
}

static int write_tape(void *self, struct span data, struct error *err)
{
    struct tape *tape = self;

    (void)err;
    tape->heard += data.len;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    for (size_t step = 0; step < 2; step++) {
        struct tape tape = {.says = span_of(data + 1, size - 1), .step = step * 3};
        const struct starttls_line line = {&tape, read_tape, write_tape};
        struct error err = {0};
        enum starttls protocol = (enum starttls)(data[0] % (STARTTLS_SIEVE + 1));
        int rc = starttls_talk(&line, protocol, "www.example.com", &err);

        assert(rc == 0 || (rc == E_NETWORK && err.text[0] != '\0'));
        assert(text_is_header_safe(err.text, strlen(err.text)));
        assert(tape.heard < 1024);
    }
    return 0;
}

#include "daemon/role/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/testing.h"

enum { KINDS = 8 };

/* What a peer may send in place of a message: nothing, half a head, a kind or a length that is
 * none, half a body. */
static const struct {
    const char *bytes;
    size_t len;
    bool garbage;
} streams[] = {
    {"", 0, false},
    {"\7\0\0\0\1\0\0", 7, false},
    {"\0\0\0\0\0\0\0\0", 8, true},
    {"\x08\0\0\0\0\0\0\0", 8, true},
    {"\xff\xff\xff\xff\0\0\0\0", 8, true},
    {"\7\0\0\0\1\0\0\2", 8, true},
    {"\7\0\0\0\xff\xff\xff\xff", 8, true},
    {"\7\0\0\0\4\0\0\0abc", 11, false},
    {"\7\0\0\0\0\0\0\2", 8, false}, /* as much as may come, and then nothing */
};

START_TEST(streams_that_are_no_message)
{
    AUTO_BUF struct buf body = {.max = WIRE_MAX};
    uint32_t kind = 0;
    bool garbage = false;
    int ends[2];

    ck_assert_int_eq(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    const struct channel channel = {.fd = ends[0], .kinds = KINDS};
    ck_assert_int_eq((ssize_t)streams[_i].len, write(ends[1], streams[_i].bytes, streams[_i].len));
    close(ends[1]);
    ck_assert(!channel_receive(&channel, &kind, &body, &garbage));
    ck_assert_int_eq(streams[_i].garbage, garbage);
    ck_assert_uint_lt(body.room, 1 << 16);
    ck_assert(!channel_send(&channel, 1, span_text("to nobody")));
    close(ends[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *tcase = tcase_create("channel");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_loop_test(tcase, streams_that_are_no_message, 0, COUNT_OF(streams));
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

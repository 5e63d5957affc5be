/* What servers say before TLS, as bytes; that real ones are understood is shown in tests/flow. */
#include "pki/starttls.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tests/testing.h"

/* A line on which the other side says `says`, whatever it hears, `step` bytes at a time. */
struct tape {
    struct span says;
    size_t at, step;
    struct buf heard;
};

static struct error err;

static int read_tape(void *self, uint8_t *data, size_t max, size_t *ret, struct error *ret_err)
{
    struct tape *tape = self;
    size_t left = tape->says.len - tape->at;

    if (left == 0)
        return error_set(ret_err, E_NETWORK, "connection closed before TLS");
    size_t give = left < max ? left : max;
    if (tape->step > 0 && give > tape->step)
        give = tape->step;
    memcpy(data, tape->says.data + tape->at, give);
    tape->at += give;
    *ret = give;
    return 0;
}

static int write_tape(void *self, struct span data, struct error *ret_err)
{
    struct tape *tape = self;

    (void)ret_err;
    buf_add(&tape->heard, data.data, data.len);
    return 0;
}

static int talk(struct span says, size_t step, enum starttls protocol, struct buf *ret_heard)
{
    struct tape tape = {.says = says, .step = step};
    const struct starttls_line line = {&tape, read_tape, write_tape};

    buf_init(&tape.heard, BUF_MAX_RECEIPT);
    int rc = starttls_talk(&line, protocol, "www.example.com", &err);
    if (ret_heard)
        *ret_heard = tape.heard;
    else
        buf_done(&tape.heard);
    return rc;
}

#define SAYS(text) (text), sizeof(text) - 1

#define GREETING_OF_MYSQL(capability) \
    "\x1b\0\0\0\x0a"                  \
    "8.0\0"                           \
    "thrd"                            \
    "saltsalt"                        \
    "\0"                              \
    "\0" capability "\x21\0\0\0\0\0\0"

static const struct {
    enum starttls protocol;
    const char *says;
    size_t len;
    const char *heard;  /* a piece of what the server hears last */
    const char *reason; /* NULL: it comes to the handshake */
} talks[] = {
    {STARTTLS_SMTP, SAYS("220 mx\r\n250-mx\r\n250-STARTTLS\r\n250 HELP\r\n220 go\r\n"),
     "STARTTLS\r\n", NULL},
    {STARTTLS_SMTP, SAYS("220-mx\r\n220 mx\r\n250 starttls\r\n220 go\r\n"), "STARTTLS", NULL},
    {STARTTLS_SMTP, SAYS("220 mx\r\n250-mx\r\n250 HELP\r\n220 go\r\n"), NULL,
     "wanted STARTTLS among what it offers"},
    {STARTTLS_SMTP, SAYS("220 mx\r\n250 STARTTLS\r\n454 later\r\n"), NULL, "got \"454 later\""},
    {STARTTLS_SMTP, SAYS("554 no\r\n"), NULL, "smtp: wanted 220, got \"554 no\""},
    {STARTTLS_SMTP, SAYS("220 mx\r\n250 STARTTLS\r\n220 go\r\n250 injected\r\n"), NULL,
     "nothing before the handshake"},
    {STARTTLS_SMTP, SAYS("220 mx\r\n250 STARTTLS\r\n"), NULL, "connection closed"},
    {STARTTLS_IMAP, SAYS("* OK ready\r\n* BYE? no\r\na OK begin\r\n"), "a STARTTLS\r\n", NULL},
    {STARTTLS_IMAP, SAYS("* OK ready\r\na BAD what\r\n"), NULL, "got \"a BAD what\""},
    {STARTTLS_IMAP, SAYS("* BYE\r\n"), NULL, "wanted * OK"},
    {STARTTLS_POP3, SAYS("+OK\r\n+OK\r\n"), "STLS\r\n", NULL},
    {STARTTLS_POP3, SAYS("+OK\r\n-ERR no\r\n"), NULL, "got \"-ERR no\""},
    {STARTTLS_FTP, SAYS("220-hello\r\n anything\r\n220 hello\r\n234 go\r\n"), "AUTH TLS\r\n", NULL},
    {STARTTLS_FTP, SAYS("220 hello\r\n530 no\r\n"), NULL, "wanted 234"},
    {STARTTLS_SIEVE, SAYS("\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK \"hello\"\r\nOK\r\n"),
     "STARTTLS\r\n", NULL},
    {STARTTLS_SIEVE, SAYS("\"SASL\" \"\"\r\nOK\r\nOK\r\n"), NULL, "STARTTLS among"},
    {STARTTLS_LDAP, SAYS("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
     "1.3.6.1.4.1.1466.20037", NULL},
    {STARTTLS_LDAP,
     SAYS("\x30\x84\x00\x00\x00\x10\x02\x01\x01\x78\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04"
          "\x00"),
     "1.3.6.1", NULL},
    {STARTTLS_LDAP, SAYS("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"), NULL,
     "wanted success"},
    {STARTTLS_LDAP, SAYS("\x30\x84\xff\xff\xff\xff"), NULL, "wanted an LDAP answer"},
    {STARTTLS_LDAP, SAYS("\x30\x80\x00\x00"), NULL, "wanted an LDAP answer"},
    {STARTTLS_POSTGRES, SAYS("S"), "\x04\xd2\x16\x2f", NULL},
    {STARTTLS_POSTGRES, SAYS("N"), NULL, "wanted S, got \"N\""},
    {STARTTLS_POSTGRES, SAYS("SE"), NULL, "nothing before the handshake"},
    {STARTTLS_MYSQL, SAYS(GREETING_OF_MYSQL("\x08")), "\x8a", NULL},
    {STARTTLS_MYSQL, SAYS(GREETING_OF_MYSQL("\x04")), NULL, "one without"},
    {STARTTLS_MYSQL, SAYS("\xff\xff\xff\0"), NULL, "a greeting of MySQL"},
    {STARTTLS_MYSQL, SAYS("\x02\0\0\0\x0a\x38"), NULL, "one without"},
    {STARTTLS_XMPP,
     SAYS("<?xml version='1.0'?><stream:stream><stream:features><starttls "
          "xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"
          "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
     "<starttls xmlns=", NULL},
    {STARTTLS_XMPP, SAYS("<stream:stream><stream:features></stream:features>"), NULL,
     "wanted starttls among"},
    {STARTTLS_XMPP, SAYS("<stream:stream><stream:error/>"), NULL, "stream:error"},
};

START_TEST(test_talk)
{
    /* As one piece, and a byte at a time: a server's answers come as the network likes. */
    for (size_t step = 0; step < 2; step++) {
        AUTO_BUF struct buf heard = {0};
        /* What follows the consent comes with it, or is left to the handshake. */
        bool injected = talks[_i].reason && strstr(talks[_i].reason, "before the handshake");

        if (step == 1 && injected)
            continue;
        const struct span says = span_of(talks[_i].says, talks[_i].len);
        if (talks[_i].reason) {
            ck_fails(talk(says, step, talks[_i].protocol, &heard), E_NETWORK, talks[_i].reason);
            continue;
        }
        ck_ok(talk(says, step, talks[_i].protocol, &heard));
        ck_assert_msg(memmem(heard.data, heard.len, talks[_i].heard, strlen(talks[_i].heard)),
                      "talk %d: it never said %s", _i, talks[_i].heard);
    }
}
END_TEST

/* A server that never comes to an end. */
START_TEST(test_endless)
{
    size_t len = 1 << 20;
    uint8_t *lines = mem_alloc(len, 1);

    for (size_t i = 0; i < len; i++)
        lines[i] = "220-x\r\n"[i % 7];
    for (int protocol = STARTTLS_SMTP; protocol <= STARTTLS_SIEVE; protocol++) {
        ck_assert_int_lt(talk(span_of(lines, len), 0, (enum starttls)protocol, NULL), 0);
        memset(lines, 'x', len);
        ck_assert_int_lt(talk(span_of(lines, len), 0, (enum starttls)protocol, NULL), 0);
    }
    free(lines);
}
END_TEST

START_TEST(test_names)
{
    enum starttls found = STARTTLS_NONE;

    ck_assert(starttls_find("SMTP", &found) && found == STARTTLS_SMTP);
    ck_assert(starttls_find("sieve", &found) && found == STARTTLS_SIEVE);
    ck_assert(!starttls_find("none", &found) && !starttls_find("", &found));
    ck_assert_str_eq("postgres", starttls_text(STARTTLS_POSTGRES));
    ck_assert_int_eq(143, starttls_port(STARTTLS_IMAP));
    ck_assert_int_eq(443, starttls_port(STARTTLS_NONE));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/starttls");
    TCase *tcase = tcase_create("starttls");

    tcase_add_loop_test(tcase, test_talk, 0, COUNT_OF(talks));
    tcase_add_test(tcase, test_endless);
    tcase_add_test(tcase, test_names);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

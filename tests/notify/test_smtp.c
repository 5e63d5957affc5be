#include "notify/smtp.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "notify/mail.h"
#include "tests/testing.h"

static struct error err;
static struct smtp_settings settings;
static struct blob read_back; /* what text_of returned last */

/* tests/notify/smtp_server.py, which ends when `hold` closes: also when a test fails. */
static struct {
    pid_t pid;
    int hold;
} server;

static int start_child(const char *const argv[], int *ret_in, int *ret_out)
{
    int in[2], out[2];

    ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    *ret_in = in[1];
    *ret_out = out[0];
    return pid;
}

/* Starts the server with up to six options and points the settings at it. */
static void serve(const char *tls, const char *const options[])
{
    AUTO_FREE char *script = mem_printf("%s/tests/notify/smtp_server.py", getenv("SOURCE_ROOT"));
    const char *argv[16] = {"/usr/bin/python3", script, testing_dir(), "--until-eof", "--tls", tls};
    char port[16] = "";
    AUTO_FD int out = -1;

    for (size_t i = 0; options && options[i]; i++)
        argv[6 + i] = options[i];
    server.pid = start_child(argv, &server.hold, &out);
    for (size_t len = 0; !strchr(port, '\n'); len++)
        ck_assert_int_eq(read(out, port + len, 1), 1);
    settings.port = (int)strtol(port, NULL, 10);
    ck_assert_int_gt(settings.port, 0);
}

static void set_up(void)
{
    settings = (struct smtp_settings){.host = mem_strdup("localhost"),
                                      .port = 1,
                                      .tls = SMTP_TLS_REQUIRED,
                                      .ca_file = testing_path("ca.pem"),
                                      .from = mem_strdup("unlapsed@web01.example"),
                                      .timeout = 30};
    server.hold = -1;
}

static void tear_down(void)
{
    file_close(&server.hold);
    if (server.pid > 0)
        waitpid(server.pid, NULL, 0);
    smtp_settings_done(&settings);
    blob_done(&read_back);
}

static void write_file(const char *name, const char *text)
{
    AUTO_FREE char *path = testing_path(name);

    ck_ok(file_replace(path, span_text(text), FILE_PRIVATE, &err));
}

static void log_in(const char *password)
{
    settings.user = mem_strdup("daemon");
    settings.password_file = testing_path("password");
    write_file("password", password);
}

/* A file the server wrote; "" when there is none. */
static const char *text_of(const char *name)
{
    AUTO_FREE char *path = testing_path(name);

    blob_done(&read_back);
    if (file_read(path, 64 << 20, &read_back, NULL) < 0)
        return "";
    return (const char *)read_back.data;
}

#define ck_has(name, piece) \
    ck_assert_msg(strstr(text_of(name), piece), "no \"%s\" in: %s", piece, text_of(name))
#define ck_has_not(name, piece) \
    ck_assert_msg(!strstr(text_of(name), piece), "\"%s\" in: %s", piece, text_of(name))

static int send_text(const char *recipient, const char *message)
{
    err = (struct error){0};
    return smtp_send(&settings, recipient, span_text(message), &err);
}

static int send_one(void)
{
    return send_text("ops@example.com", "Subject: hello\r\n\r\nbody\r\n");
}

START_TEST(test_starttls_and_auth)
{
    serve("starttls", (const char *[]){"--user", "daemon", "--password", "pass word", NULL});
    log_in("pass word\r\n");
    ck_ok(send_one());
    ck_has("mail-1.txt", "Envelope: unlapsed@web01.example -> ops@example.com tls\n");
    ck_has("mail-1.txt", "Subject: hello\n");
    ck_has("mail-1.txt", "Part: text/plain -\nbody\n");
    ck_has("commands.log", "tls AUTH");
    ck_has("commands.log", "tls QUIT");
    ck_has_not("commands.log", "clear AUTH");
    ck_has_not("commands.log", "clear MAIL");
}
END_TEST

START_TEST(test_implicit)
{
    serve("implicit", (const char *[]){"--user", "daemon", "--password", "p", NULL});
    settings.tls = SMTP_TLS_IMPLICIT;
    log_in("p");
    ck_ok(send_one());
    ck_has("mail-1.txt", "ops@example.com tls\n");
}
END_TEST

START_TEST(test_none)
{
    serve("none", NULL);
    settings.tls = SMTP_TLS_NONE;
    ck_ok(send_one());
    ck_has("mail-1.txt", "ops@example.com clear\n");
}
END_TEST

START_TEST(test_none_never_with_a_user)
{
    serve("none", (const char *[]){"--user", "daemon", "--password", "p", NULL});
    settings.tls = SMTP_TLS_NONE;
    log_in("p");
    ck_fails(send_one(), E_CONFIG, "wanted TLS");
    ck_assert_str_eq(text_of("commands.log"), "");
}
END_TEST

START_TEST(test_required_and_not_offered)
{
    serve("none", NULL);
    ck_fails(send_one(), E_CONFIG, "localhost");
    ck_has_not("commands.log", "MAIL");
}
END_TEST

/* STARTTLS stripped on the way: without a password there is clear text, with one nothing. */
START_TEST(test_opportunistic_without_starttls)
{
    serve("none", (const char *[]){"--user", "daemon", "--password", "p", NULL});
    settings.tls = SMTP_TLS_OPPORTUNISTIC;
    ck_fails(send_one(), E_CONFIG, "530");
    ck_has("commands.log", "clear MAIL");
    log_in("p");
    ck_fails(send_one(), E_CONFIG, "localhost");
    ck_has_not("commands.log", "AUTH");
}
END_TEST

START_TEST(test_opportunistic_with_starttls)
{
    serve("starttls", NULL);
    settings.tls = SMTP_TLS_OPPORTUNISTIC;
    ck_ok(send_one());
    ck_has("mail-1.txt", "ops@example.com tls\n");
    /* With nothing to check it by, any certificate is better than none. */
    free(TAKE(settings.ca_file));
    ck_ok(send_one());
    ck_has("mail-2.txt", "ops@example.com tls\n");
    /* With a password it is checked. */
    log_in("p");
    ck_fails(send_one(), E_CONFIG, "certificate");
    ck_has_not("commands.log", "AUTH");
}
END_TEST

START_TEST(test_wrong_certificate)
{
    serve("starttls", NULL);
    free(TAKE(settings.ca_file));
    ck_fails(send_one(), E_CONFIG, "certificate");
    settings.ca_file = testing_path("gone.pem");
    ck_fails(send_one(), E_CONFIG, "gone.pem");
    free(TAKE(settings.ca_file));
    settings.ca_file = testing_path("ca.pem");
    free(settings.host);
    settings.host = mem_strdup("127.0.0.2");
    ck_assert_int_lt(send_one(), 0);
    ck_has_not("commands.log", "MAIL");
}
END_TEST

START_TEST(test_wrong_name)
{
    AUTO_FREE char *cert = testing_path("other.pem");
    AUTO_FREE char *key = testing_path("other.key");
    AUTO_FD int in = -1;
    AUTO_FD int out = -1;
    const char *const argv[] = {"/usr/bin/openssl",
                                "req",
                                "-x509",
                                "-newkey",
                                "ec",
                                "-pkeyopt",
                                "ec_paramgen_curve:prime256v1",
                                "-nodes",
                                "-days",
                                "2",
                                "-keyout",
                                key,
                                "-out",
                                cert,
                                "-subj",
                                "/CN=other.example",
                                "-addext",
                                "subjectAltName=DNS:other.example",
                                "-batch",
                                NULL};
    int status = -1;

    waitpid(start_child(argv, &in, &out), &status, 0);
    ck_assert_int_eq(status, 0);
    serve("starttls", (const char *[]){"--cert", cert, "--key", key, NULL});
    free(settings.ca_file);
    settings.ca_file = mem_strdup(cert);
    ck_fails(send_one(), E_CONFIG, "localhost");
    ck_has_not("commands.log", "MAIL");
}
END_TEST

START_TEST(test_wrong_password)
{
    serve("starttls", (const char *[]){"--user", "daemon", "--password", "right", NULL});
    log_in("wrongsecret");
    ck_fails(send_one(), E_CONFIG, "535");
    ck_assert_ptr_null(strstr(err.text, "wrongsecret"));
    ck_has_not("commands.log", "MAIL");
}
END_TEST

START_TEST(test_auth_that_is_busy)
{
    serve("starttls", (const char *[]){"--user", "daemon", "--password", "p", "--auth-busy", NULL});
    log_in("p");
    ck_fails(send_one(), E_NETWORK, "454");
}
END_TEST

START_TEST(test_password_file)
{
    static const char *const bad[] = {"", "\n", "\r\n\n"};

    log_in("x");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        write_file("password", bad[i]);
        ck_fails(send_one(), E_CONFIG, "password");
    }
    free(settings.password_file);
    settings.password_file = testing_path("gone");
    ck_fails(send_one(), E_CONFIG, "gone");
    free(TAKE(settings.password_file));
    ck_fails(send_one(), E_CONFIG, "wanted a password file");
}
END_TEST

START_TEST(test_greylisted)
{
    serve("starttls", (const char *[]){"--greylist", "1", NULL});
    ck_fails(send_one(), E_NETWORK, "451 4.7.1 greylisted");
    ck_ok(send_one());
    ck_has("mail-1.txt", "Subject: hello\n");
}
END_TEST

START_TEST(test_recipient_refused)
{
    serve("starttls", (const char *[]){"--refuse", "ops@example.com", NULL});
    ck_fails(send_one(), E_REFUSED, "550 5.1.1 no such user here");
    ck_assert_ptr_nonnull(strstr(err.text, "ops@example.com"));
    ck_has_not("commands.log", "DATA");
    ck_ok(send_text("other@example.com", "Subject: x\r\n\r\n"));
}
END_TEST

START_TEST(test_message_refused)
{
    serve("starttls", (const char *[]){"--refuse-message", NULL});
    ck_fails(send_one(), E_REFUSED, "554 5.6.0 message not wanted");
}
END_TEST

/* The sender or this machine is not wanted: no fault of the recipient's. */
START_TEST(test_sender_refused)
{
    serve("starttls", (const char *[]){"--refuse-sender", NULL});
    ck_fails(send_one(), E_CONFIG, "553 5.7.1 sender not allowed");
}
END_TEST

START_TEST(test_machine_refused)
{
    serve("starttls", (const char *[]){"--refuse-all", NULL});
    ck_fails(send_one(), E_CONFIG, "554 5.7.1 no mail from you");
}
END_TEST

START_TEST(test_evil_reply)
{
    serve("starttls", (const char *[]){"--evil-reply", NULL});
    ck_fails(send_one(), E_REFUSED, "550 no\\x1b[31m such \\u{202e} user");
}
END_TEST

START_TEST(test_hang_up)
{
    const char *how[] = {"data", "message"};

    serve("starttls", (const char *[]){"--drop", how[_i], NULL});
    ck_fails(send_one(), E_NETWORK, "localhost");
    ck_assert_str_eq(text_of("mail-1.txt"), "");
}
END_TEST

/* Hanging up on a writer must not end the daemon: libcurl sends with MSG_NOSIGNAL, also below TLS.
 */
START_TEST(test_hang_up_on_a_large_message)
{
    AUTO_BUF struct buf message;

    buf_init(&message, 64 << 20);
    buf_add_text(&message, "Subject: large\r\n\r\n");
    for (int i = 0; i < 200000; i++)
        buf_printf(&message, "%074d\r\n", i);
    signal(SIGPIPE, SIG_DFL);
    serve("starttls", (const char *[]){"--drop", "data", NULL});
    ck_fails(send_text("ops@example.com", buf_text(&message)), E_NETWORK, "localhost");
    sigset_t pending;
    sigpending(&pending);
    ck_assert(!sigismember(&pending, SIGPIPE));
}
END_TEST

START_TEST(test_stall)
{
    const char *how[] = {"greeting", "message"};

    serve("starttls", (const char *[]){"--stall", how[_i], NULL});
    settings.timeout = 2;
    ck_fails(send_one(), E_TIMEOUT, "localhost");
}
END_TEST

/* The mail was taken: what happens to the farewell does not change that. */
START_TEST(test_stall_at_quit)
{
    serve("starttls", (const char *[]){"--stall", "quit", NULL});
    settings.timeout = 2;
    ck_ok(send_one());
    ck_has("mail-1.txt", "Subject: hello\n");
}
END_TEST

START_TEST(test_nobody_there)
{
    ck_fails(send_one(), E_NETWORK, "localhost:1");
    free(settings.host);
    settings.host = mem_strdup("no-such-host.invalid");
    ck_fails(send_one(), E_NETWORK, "no-such-host.invalid");
}
END_TEST

START_TEST(test_settings_refused)
{
    static const char *const hosts[] = {"",          "a b", "a/b",      "user@host", "host?x",
                                        "host\r\nx", "a#b", "http://a", "g::1"};

    for (size_t i = 0; i < COUNT_OF(hosts); i++) {
        free(settings.host);
        settings.host = mem_strdup(hosts[i]);
        ck_fails(send_one(), E_CONFIG, "wanted a host name and a port");
    }
    free(settings.host);
    settings.host = mem_strdup("localhost");
    settings.port = 65536;
    ck_fails(send_one(), E_CONFIG, "wanted a host name and a port");
    free(TAKE(settings.host));
    ck_fails(send_one(), E_CONFIG, "no mail server");
}
END_TEST

/* libcurl 7.88 would pass these on: the server must see one recipient and one sender, ours. */
START_TEST(test_no_injection)
{
    static const char *const bad[] = {
        "ops@example.com>\r\nRCPT TO:<evil@example.com",
        "ops@example.com\r\nRCPT TO:<evil@example.com>",
        "ops@example.com\nDATA",
        "ops@example.com> SIZE=1",
        "ops@example.com> NOTIFY=NEVER",
        "<ops@example.com>",
        "ops@example.com evil@example.com",
        "",
    };

    serve("starttls", NULL);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_fails(send_text(bad[i], "Subject: x\r\n\r\n"), E_INPUT, "mail address");
    free(settings.from);
    settings.from = mem_strdup("a@example.com>\r\nRCPT TO:<evil@example.com");
    ck_fails(send_one(), E_INPUT, "mail address");
    ck_assert_str_eq(text_of("commands.log"), "");
    free(settings.from);
    settings.from = mem_strdup("unlapsed@web01.example");
    ck_ok(send_one());
    ck_has_not("commands.log", "evil");
    ck_has("commands.log", "tls RCPT TO:<ops@example.com>\n");
}
END_TEST

/* SMTP smuggling: line ends that one server takes for an end of data and the next does not. */
START_TEST(test_message_refused_before_anything_is_sent)
{
    static const char *const bad[] = {"",
                                      "Subject: x",
                                      "Subject: x\n",
                                      "Subject: x\r\n\r\na\n.\r\nMAIL FROM:<a@b>\r\n",
                                      "Subject: x\r\n\r\na\r.\r\n",
                                      "Subject: x\r\n\r\na\r\r\n",
                                      "\nSubject: x\r\n"};
    char wide[1100];

    serve("starttls", NULL);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_fails(send_text("ops@example.com", bad[i]), E_INPUT, "ended by CRLF");
    err = (struct error){0};
    ck_assert_int_eq(smtp_send(&settings, "ops@example.com", span_of("a\0b\r\n", 5), &err),
                     E_INPUT);
    memset(wide, 'w', sizeof wide);
    memcpy(wide + 999, "\r\n", 3);
    ck_fails(send_text("ops@example.com", wide), E_INPUT, "998");
    ck_assert_str_eq(text_of("commands.log"), "");
}
END_TEST

START_TEST(test_dots_arrive)
{
    AUTO_BUF struct buf message;

    buf_init(&message, 1 << 20);
    buf_add_text(&message, "Subject: dots\r\n\r\n");
    for (int i = 0; i < 9000; i++)
        buf_add_text(&message, i % 3 ? ".\r\n" : i % 2 ? "..x\r\n" : "x\r\n");
    serve("starttls", NULL);
    ck_ok(send_text("ops@example.com", buf_text(&message)));
    ck_assert_str_eq(text_of("mail-1.eml"), buf_text(&message));
}
END_TEST

START_TEST(test_proxies_are_ignored)
{
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    setenv("smtp_proxy", "http://127.0.0.1:1", 1);
    serve("starttls", NULL);
    ck_ok(send_one());
}
END_TEST

/* Long enough for several encoded words, whose ends fall inside a character. */
static const char certificate[] =
    "gr\xc3\xbc\xc3\x9f-www-\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
    "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
    "\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91\xf0\x9f\x94\x91";

static void fill_fields(struct fields *fields)
{
    notice_fields_init(fields);
    fields_set(fields, "certificate", certificate);
    fields_set(fields, "host", "web01");
    fields_set(fields, "names", "www.example.com, example.com");
    fields_set(fields, "target", "nginx");
    fields_set(fields, "file", "reply.p7b");
    fields_set(fields, "left", "21 d 3 h");
    fields_set(fields, "reason", "the key is another one: caf\xe9");
    fields_set(fields, "csr",
               "-----BEGIN CERTIFICATE REQUEST-----\nMIIBxyz=\n"
               "-----END CERTIFICATE REQUEST-----\n");
    fields_set(fields, "commands", "unlapse explain www\nunlapse history www");
}

/* A rendered notice of each kind, as a mail program that is not ours reads it. */
START_TEST(test_rendered_notices_arrive_whole)
{
    AUTO_FIELDS struct fields fields = FIELDS_EMPTY;
    AUTO_FREE char *subject = NULL;
    AUTO_FREE char *text = NULL;
    AUTO_BLOB struct blob message = {0};
    const struct mail_attachment files[] = {
        {"www.csr", "application/pkcs10", span_text("BINARY\n")},
        {"www.txt", "text/plain", span_text("line \xc3\xbc\n")}};
    const struct mail_envelope envelope = {.from = "unlapsed@web01.example",
                                           .recipient = "ops@example.com",
                                           .host = "web01.example",
                                           .message_id = "notice-17",
                                           .thread_id = "renewal-4",
                                           .date = 1795366634,
                                           .certificate = certificate};

    fill_fields(&fields);
    serve("starttls", NULL);
    ck_ok(mail_render((enum notice_kind)_i, &envelope, &fields, files, 2, &message, &err));
    ck_ok(mail_render_text((enum notice_kind)_i, &fields, &subject, &text, &err));
    ck_ok(smtp_send(&settings, "ops@example.com", blob_span(&message), &err));
    AUTO_FREE char *subject_line = mem_printf("\nSubject: %s\n", subject);
    AUTO_FREE char *body = mem_printf("\nPart: text/plain -\n%s", text);
    AUTO_FREE char *name_line = mem_printf("\nX-Unlapsed-Certificate: %s\n", certificate);
    body[strlen(body) - 1] = '\0'; /* the last line end belongs to the boundary */
    ck_has("mail-1.txt", subject_line);
    ck_has("mail-1.txt", body);
    ck_has("mail-1.txt", name_line);
    ck_has("mail-1.txt", "\nPart: application/pkcs10 www.csr\nBINARY\n");
    ck_has("mail-1.txt", "\nPart: text/plain www.txt\nline \xc3\xbc\n");
    ck_has("mail-1.txt", "\nDate: Sun, 22 Nov 2026 16:57:14 +0000\n");
    ck_has_not("mail-1.txt", "Defect");
}
END_TEST

START_TEST(test_settings_done)
{
    log_in("x");
    smtp_settings_done(&settings);
    ck_assert_ptr_null(settings.host);
    smtp_settings_done(&settings);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify/smtp");
    TCase *tc = tcase_create("smtp");

    tcase_set_timeout(tc, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_starttls_and_auth);
    tcase_add_test(tc, test_implicit);
    tcase_add_test(tc, test_none);
    tcase_add_test(tc, test_none_never_with_a_user);
    tcase_add_test(tc, test_required_and_not_offered);
    tcase_add_test(tc, test_opportunistic_without_starttls);
    tcase_add_test(tc, test_opportunistic_with_starttls);
    tcase_add_test(tc, test_wrong_certificate);
    tcase_add_test(tc, test_wrong_name);
    tcase_add_test(tc, test_wrong_password);
    tcase_add_test(tc, test_auth_that_is_busy);
    tcase_add_test(tc, test_password_file);
    tcase_add_test(tc, test_greylisted);
    tcase_add_test(tc, test_recipient_refused);
    tcase_add_test(tc, test_message_refused);
    tcase_add_test(tc, test_sender_refused);
    tcase_add_test(tc, test_machine_refused);
    tcase_add_test(tc, test_evil_reply);
    tcase_add_loop_test(tc, test_hang_up, 0, 2);
    tcase_add_test(tc, test_hang_up_on_a_large_message);
    tcase_add_loop_test(tc, test_stall, 0, 2);
    tcase_add_test(tc, test_stall_at_quit);
    tcase_add_test(tc, test_nobody_there);
    tcase_add_test(tc, test_settings_refused);
    tcase_add_test(tc, test_no_injection);
    tcase_add_test(tc, test_message_refused_before_anything_is_sent);
    tcase_add_test(tc, test_dots_arrive);
    tcase_add_test(tc, test_proxies_are_ignored);
    tcase_add_loop_test(tc, test_rendered_notices_arrive_whole, 0, NOTICE_KINDS);
    tcase_add_test(tc, test_settings_done);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}

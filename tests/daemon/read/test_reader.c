#include "daemon/read/reader.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "daemon/read/wire.h"
#include "tests/daemon/read/harness.h"
#include "tests/pki/delivery/making.h"
#include "tests/pki/authority.h"

static struct error err;

/* Everything that objects say, as bytes to compare. */
static struct buf packed(struct delivery_objects *objects)
{
    struct buf body = {.max = WIRE_MAX};

    wire_objects(&(struct wire){.out = &body}, objects, true);
    return body;
}

/* The same comes out as in this process. Returns how many objects. */
static size_t compare(struct reader *reader, const char *name, struct span file,
                      const struct delivery_options *options)
{
    AUTO_OBJECTS struct delivery_objects here = {0}, there = {0};
    struct error why = {0};
    int rc = delivery_read(file, options, &here, &why);

    err = (struct error){0};
    ck_assert_msg(reader_read_delivery(reader, file, &there, &err) == rc, "%s: %s / %s", name,
                  why.text, err.text);
    AUTO_BUF struct buf a = packed(&here), b = packed(&there);
    ck_assert_msg(span_equal(span_of(a.data, a.len), span_of(b.data, b.len)), "%s: %s / %s", name,
                  here.summary, there.summary);
    for (size_t i = 0; i < there.count; i++) {
        struct span der = blob_span(&there.items[i].der);
        AUTO_CERT struct cert cert = {0};

        if (there.items[i].kind != OBJECT_CERTIFICATE)
            continue;
        ck_ok(reader_parse_cert(reader, der, &cert, &err));
        ck_assert_str_eq(there.items[i].cert.subject, cert.subject);
        ck_assert_mem_eq(there.items[i].cert.sha256, cert.sha256, SHA256_LEN);
        ck_assert_uint_eq(there.items[i].cert.names.count, cert.names.count);
    }
    return there.count;
}

START_TEST(every_kind_of_file)
{
    static const char *const passwords[] = {"", "secret"};
    const struct delivery_options options = {
        .passwords = passwords, .password_count = COUNT_OF(passwords), .keep_keys = _i == 1};
    struct reader *reader = harness_open((struct reader_options){.delivery = options});
    AUTO_FREE char *path = mem_printf("%s/tests/fuzz/fuzz_delivery.in", getenv("SOURCE_ROOT"));
    DIR *dir = opendir(path);
    const struct dirent *entry;
    size_t count = 0;

    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.') {
            AUTO_BLOB struct blob file = harness_seed(entry->d_name);

            compare(reader, entry->d_name, blob_span(&file), &options);
            count++;
        }
    closedir(dir);
    ck_assert_uint_gt(count, 20);
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    reader_close(reader);
}
END_TEST

/* What wants other ciphers, key derivation or inflation is there after the doors are closed. */
START_TEST(locked_and_packed)
{
    static const char *const passwords[] = {"secret"};
    static const char *const names[] = {"old.p12",    "new.p12", "nomac.p12", "locked.key",
                                        "scrypt.key", "rc2.p12", "mail.eml"};
    const struct delivery_options options = {passwords, COUNT_OF(passwords), true};
    struct reader *reader = harness_open((struct reader_options){.delivery = options});

    making_certificates();
    making("p12='openssl pkcs12 -export -inkey k.pem -in c.pem -certfile ca.pem -passout "
           "pass:secret'\n"
           "$p12 -out new.p12 && $p12 -legacy -out old.p12 && $p12 -nomac -out nomac.p12 &&\n"
           "$p12 -legacy -keypbe PBE-SHA1-RC2-40 -certpbe PBE-SHA1-RC2-40 -out rc2.p12 &&\n"
           "openssl pkcs8 -topk8 -in k.pem -passout pass:secret -out locked.key &&\n"
           "openssl pkcs8 -topk8 -scrypt -in k.pem -passout pass:secret -out scrypt.key &&\n"
           "{ printf 'MIME-Version: 1.0\\nContent-Type: application/x-pkcs12\\n"
           "Content-Transfer-Encoding: base64\\n\\n'; base64 old.p12; } >mail.eml");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_BLOB struct blob file = made(names[i]);

        ck_assert_uint_gt(compare(reader, names[i], blob_span(&file), &options), 0);
    }
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    reader_close(reader);
}
END_TEST

START_TEST(limits_of_size)
{
    struct reader *reader = harness_open((struct reader_options){0});
    AUTO_FREE uint8_t *large = mem_alloc(DELIVERY_FILE_MAX + 1, 1);
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_CERT struct cert cert = {0};

    ck_fails(reader_read_delivery(reader, span_of(large, DELIVERY_FILE_MAX + 1), &objects, &err),
             E_TOO_LARGE, "at most 10485760 bytes");
    memcpy(large, "PK\3\4", 4);
    int rc = reader_read_delivery(reader, span_of(large, DELIVERY_FILE_MAX), &objects, &err);
    ck_assert_msg(rc == 0 || rc == E_TOO_LARGE, "%s", err.text);
    ck_fails(reader_parse_cert(reader, span_of(large, CERT_DER_MAX + 1), &cert, &err), E_TOO_LARGE,
             "at most 65536");
    ck_fails(reader_parse_cert(reader, span_of(large, 100), &cert, &err), E_FORMAT,
             "not a certificate");
    reader_close(reader);
}
END_TEST

/* What the pool knows. */
static const struct authority *known[4];
static size_t asked;

static int find(void *self, const uint8_t subject_sha256[SHA256_LEN], struct blobs *ret,
                struct error *ret_err)
{
    asked++;
    if (self)
        return error_set(ret_err, E_IO, "inventory: cannot be read");
    for (size_t i = 0; i < COUNT_OF(known) && known[i]; i++) {
        AUTO_CERT struct cert cert = {0};

        ck_assert_int_eq(0, cert_parse(authority_der(known[i]), &cert, NULL));
        if (memcmp(cert.subject_sha256, subject_sha256, SHA256_LEN) == 0)
            blobs_add(ret, authority_der(known[i]));
    }
    return 0;
}

static const struct chain_pool pool = {NULL, find};

static const struct authority *ca(const struct authority *issuer, const char *name)
{
    return authority_make(issuer, &(struct authority_plan){.subject = name, .ca = true});
}

/* Readers with two sets of anchors: none, and a root's. */
static struct reader *open_with_anchors(const struct authority *root)
{
    static const char *files[1];
    static const struct reader_anchors sets[] = {{.name = "empty"},
                                                 {.name = "ours", files, 1, false}};
    AUTO_FREE char *path = testing_path("root.pem");

    ck_ok(file_replace(path, span_text(authority_pem(root)), FILE_PUBLIC, &err));
    files[0] = path;
    return harness_open((struct reader_options){.anchors = sets, .anchor_count = 2});
}

START_TEST(chains)
{
    const struct authority *root = ca(NULL, "Root");
    const struct authority *upper = ca(root, "Upper");
    const struct authority *lower = ca(upper, "Lower");
    const struct authority *leaf =
        authority_make(lower, &(struct authority_plan){.subject = "w", .names = "DNS:w.example"});
    struct chain_request request = {
        .leaf = authority_der(leaf), .pool = &pool, .at = AUTHORITY_NOW};
    struct reader *reader = open_with_anchors(root);
    AUTO_CHAIN struct chain chain = {0}, added = {0};
    AUTO_BLOB struct blob gap = {0};

    known[0] = lower;
    ck_fails(reader_build_chain(reader, 1, &request, &chain, &err), E_NO_CHAIN, "Upper");
    ck_ok(reader_find_gap(reader, 1, &request, &gap, &err));
    ck_assert(span_equal(authority_der(lower), blob_span(&gap)));
    known[1] = upper;
    ck_fails(reader_find_gap(reader, 1, &request, &gap, &err), E_NOT_FOUND, "");
    ck_ok(reader_build_chain(reader, 1, &request, &chain, &err));
    ck_assert_uint_eq(2, chain.certs.count);
    ck_assert(span_equal(authority_der(lower), blob_span(&chain.certs.items[0])));
    ck_assert(span_equal(authority_der(upper), blob_span(&chain.certs.items[1])));
    ck_assert_str_eq("CN=Root", chain.anchor);
    ck_assert_int_eq(AUTHORITY_NOW + (int64_t)90 * AUTHORITY_DAY, chain.earliest_not_after);
    request.at += (int64_t)91 * AUTHORITY_DAY;
    ck_fails(reader_build_chain(reader, 1, &request, &added, &err), E_REFUSED, "this one ended on");
    ck_fails(reader_build_chain(reader, 2, &request, &added, &err), E_FORMAT, "order");
    /* The inventory's own failure is told as it is, and costs nothing but a process. */
    request.pool = &(struct chain_pool){&asked, find};
    ck_fails(reader_build_chain(reader, 1, &request, &added, &err), E_IO, "cannot be read");
    harness_read_well(reader);
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    reader_close(reader);
}
END_TEST

START_TEST(anchors_that_cannot_be_read)
{
    static const char *const files[] = {"/nonexistent/root.pem"};
    static const struct reader_anchors set = {"internal", files, 1, false};
    struct reader *reader =
        harness_open((struct reader_options){.anchors = &set, .anchor_count = 1});

    ck_fails(reader_try(reader, &err), E_CONFIG, "policy internal: anchors: ");
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/root.pem"));
    harness_read_well(reader); /* which takes no anchors */
    reader_close(reader);
}
END_TEST

START_TEST(programs_that_are_no_reader)
{
    struct reader *reader = harness_open((struct reader_options){.program = "/nonexistent"});

    ck_fails(reader_try(reader, &err), E_NOT_FOUND, "/nonexistent");
    ck_fails(harness_read(reader, "exit", &err), E_COMMAND, "cannot be started");
    reader_close(reader);
    reader = harness_open((struct reader_options){.program = "/bin/true"});
    ck_fails(reader_try(reader, &err), E_COMMAND, "while it was set up it ended with");
    reader_close(reader);
}
END_TEST

/* Time that a file takes is its own fault at once, and a reader that does nothing may be somebody
 * else's. */
START_TEST(deadlines)
{
    struct reader *reader = harness_open((struct reader_options){.limits = {60000, 300}});

    harness_read_well(reader);
    ck_fails(harness_read(reader, "spin", &err), E_REFUSED,
             "took longer than 0.3 s of processor time");
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    harness_read_well(reader);
    reader_close(reader);
    reader = harness_open((struct reader_options){.limits = {500, 5000}});
    ck_fails(harness_read(reader, "hang", &err), E_REFUSED, "took longer than 0.5 s while");
    ck_assert_uint_eq(1, harness_tellings);
    ck_assert_ptr_nonnull(strstr(harness_told, "once more by another"));
    reader_close(reader);
}
END_TEST

/* Of processor time alone: a busy machine may give less than half of a processor. */
START_TEST(usual_budget)
{
    struct reader *reader = harness_open((struct reader_options){.limits = {600000, 0}});

    ck_fails(harness_read(reader, "spin", &err), E_REFUSED, "5 s of processor time");
    reader_close(reader);
}
END_TEST

/* Kills the readers that hang, as an administrator or a full memory would. */
static void *kill_readers(void *count)
{
    pid_t last = 0;

    for (int left = *(int *)count; left > 0;) {
        pid_t pids[4];

        if (harness_children(getpid(), pids, COUNT_OF(pids)) == 1 && pids[0] != last &&
            strcmp(harness_proc(pids[0], "status", "Seccomp"), "2") == 0) {
            usleep(100000); /* it has begun with the file by then, mostly */
            kill(pids[0], SIGKILL);
            last = pids[0];
            left--;
        }
        usleep(1000);
    }
    return NULL;
}

START_TEST(killed_in_the_middle)
{
    struct reader *reader = harness_open((struct reader_options){0});
    int kills = 2;
    pthread_t thread;

    pthread_create(&thread, NULL, kill_readers, &kills);
    ck_fails(harness_read(reader, "hang", &err), E_REFUSED, "ended by signal 9 (Killed) while");
    pthread_join(thread, NULL);
    ck_assert_uint_eq(1, harness_tellings);
    ck_assert_ptr_nonnull(strstr(harness_told, "ended by signal 9"));
    harness_read_well(reader);
    reader_close(reader);
}
END_TEST

START_TEST(killed_at_rest)
{
    struct reader *reader = harness_open((struct reader_options){0});

    for (size_t i = 1; i <= 3; i++) {
        harness_read_well(reader);
        kill(harness_child(), SIGKILL);
        harness_read_well(reader);
        ck_assert_uint_eq(i, harness_tellings);
        harness_child(); /* not a zombie beside it */
    }
    reader_close(reader);
}
END_TEST

/* What systemd sends to all of a service's processes: the agent still has work in hand then. */
START_TEST(signals_for_the_agent)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct reader *reader = harness_open((struct reader_options){0});

    harness_read_well(reader);
    pid_t pid = harness_child();
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        ck_assert_int_eq(0, kill(pid, numbers[i]));
    harness_read_well(reader);
    ck_assert_int_eq(pid, harness_child());
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    reader_close(reader);
}
END_TEST

static pthread_barrier_t all_wait;

static void *read_slowly(void *reader)
{
    struct error unused = {0};

    harness_read(reader, "dawdle", &unused);
    pthread_barrier_wait(&all_wait);
    for (;;)
        pause(); /* a process ends with the thread that started it */
    return NULL;
}

/* The second try is a fresh process's, however many others wait: they may have suffered the same.
 */
START_TEST(all_killed_at_rest)
{
    struct reader *reader = harness_open((struct reader_options){0});
    pthread_t threads[3];
    pid_t pids[8];

    pthread_barrier_init(&all_wait, NULL, COUNT_OF(threads) + 1);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, read_slowly, reader);
    pthread_barrier_wait(&all_wait);
    size_t count = harness_children(getpid(), pids, COUNT_OF(pids));
    ck_assert_uint_ge(count, 2);
    for (size_t i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    harness_read_well(reader);
    ck_assert_uint_eq(1, harness_tellings);
}
END_TEST

/* Real messages of a reader that was taken over; the numbers are those of daemon/role/wire.h and
 * enum wire_kind. */
static const char *const lies[] = {
    "answer 0 x",
    "answer 1 setup",
    "answer 3 read",
    "answer 7 found",
    "answer 2 short",
    "answer 2 ",
    "answer 2 \x7F\x7F\x7F\x7F no such code",
    "answer 8 12345678901234567890123456789012", /* nothing is looked up for a file */
    "answer 9 x",
    "answer 2147483647 x",
};

START_TEST(lies_are_refused)
{
    struct reader *reader = harness_open((struct reader_options){0});

    ck_fails(harness_read(reader, lies[_i], &err), E_REFUSED, "gave an answer that cannot be one");
    ck_assert_uint_eq(1, harness_tellings);
    harness_read_well(reader);
    reader_close(reader);
}
END_TEST

START_TEST(many_files_few_processes)
{
    struct reader *reader = harness_open((struct reader_options){0});
    AUTO_BLOB struct blob file = harness_seed("chain.pem");
    pid_t last = 0;
    size_t processes = 0;

    for (int i = 0; i < 2000; i++) {
        AUTO_OBJECTS struct delivery_objects objects = {0};

        ck_ok(reader_read_delivery(reader, blob_span(&file), &objects, &err));
        ck_assert_uint_eq(2, objects.count);
        if (i % 100 == 50) {
            pid_t pid = harness_child();

            processes += pid != last;
            last = pid;
        }
    }
    /* Replaced after 512 requests. */
    ck_assert_uint_eq(4, processes);
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    ck_assert(reader_tidy(reader, 3600000));
    harness_child();
    ck_assert(!reader_tidy(reader, 0));
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
    harness_read_well(reader);
    reader_close(reader);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}
END_TEST

/* By nobody who has met another file, be there one at rest or not. */
START_TEST(read_alone)
{
    struct reader *reader = harness_open((struct reader_options){0});
    AUTO_BLOB struct blob file = harness_seed("chain.pem");

    harness_read_well(reader);
    pid_t used = harness_child();
    for (int i = 0; i < 2; i++) {
        AUTO_OBJECTS struct delivery_objects objects = {0};
        pid_t pids[8];

        ck_ok(reader_read_alone(reader, blob_span(&file), &objects, &err));
        ck_assert_uint_eq(2, objects.count);
        size_t count = harness_children(getpid(), pids, COUNT_OF(pids));
        ck_assert_uint_eq(2 + (size_t)i, count);
        ck_assert_int_eq(kill(used, 0), 0);
    }
    reader_close(reader);
}
END_TEST

/* Whoever takes over a process that knows passwords or hands out keys meets no other file. */
START_TEST(secrets_are_for_one_file)
{
    static const char *const passwords[] = {"secret"};
    static const struct delivery_options rows[] = {
        {passwords, COUNT_OF(passwords), false}, {NULL, 0, true}, {NULL, 0, false}};
    bool kept = _i == 2;
    struct reader *reader = harness_open((struct reader_options){.delivery = rows[_i]});
    pid_t judge = 0, pids[8];

    ck_ok(reader_try(reader, &err));
    judge = harness_child();
    for (int i = 0; i < 3; i++) {
        harness_read_well(reader);
        ck_assert_uint_eq(kept ? 2 : 1, harness_children(getpid(), pids, COUNT_OF(pids)));
    }
    ck_assert_int_eq(kill(judge, 0), 0);
    ck_assert_msg(harness_tellings == 0, "%s", harness_told);
    reader_close(reader);
}
END_TEST

static void *read_a_lot(void *reader)
{
    AUTO_BLOB struct blob file = harness_seed("chain.pem");

    for (int i = 0; i < 100; i++) {
        AUTO_OBJECTS struct delivery_objects objects = {0};
        AUTO_CERT struct cert cert = {0};
        struct error why = {0};

        if (reader_read_delivery(reader, blob_span(&file), &objects, &why) < 0 ||
            objects.count != 2 ||
            reader_parse_cert(reader, blob_span(&objects.items[0].der), &cert, &why) < 0)
            return mem_strdup(why.text);
        if (i % 40 == 20 && harness_read(reader, "crash", &why) != E_REFUSED)
            return mem_strdup("a crash was not refused");
    }
    return NULL;
}

/* Readers' threads end before the readers do, as a thread that started one may end any time. */
START_TEST(many_callers)
{
    struct reader *reader = harness_open((struct reader_options){0});
    pthread_t threads[8];

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, read_a_lot, reader);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *why = NULL;

        pthread_join(threads[i], &why);
        ck_assert_msg(!why, "%s", (const char *)why);
    }
    reader_close(reader);
    ck_assert_msg(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *tcase = tcase_create("reader");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, NULL, authority_done);
    tcase_add_loop_test(tcase, every_kind_of_file, 0, 2);
    tcase_add_test(tcase, locked_and_packed);
    tcase_add_test(tcase, limits_of_size);
    tcase_add_test(tcase, chains);
    tcase_add_test(tcase, anchors_that_cannot_be_read);
    tcase_add_test(tcase, programs_that_are_no_reader);
    tcase_add_test(tcase, deadlines);
    tcase_add_test(tcase, usual_budget);
    tcase_add_test(tcase, killed_in_the_middle);
    tcase_add_test(tcase, killed_at_rest);
    tcase_add_test(tcase, signals_for_the_agent);
    tcase_add_test(tcase, all_killed_at_rest);
    tcase_add_loop_test(tcase, lies_are_refused, 0, COUNT_OF(lies));
    tcase_add_test(tcase, many_files_few_processes);
    tcase_add_test(tcase, read_alone);
    tcase_add_loop_test(tcase, secrets_are_for_one_file, 0, 3);
    tcase_add_test(tcase, many_callers);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

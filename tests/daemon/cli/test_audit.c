/* `unlapse audit`: told in pages, followed, and proven. */
#include "tests/daemon/cli/run.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/text.h"
#include "store/events.h"
#include "tests/store/sample.h"

enum { EVENTS = 2500, DAY = 86400 };

static struct server server;

/* The n-th of them is n seconds younger than the beginning. */
static void fill(struct harness *harness)
{
    struct error err = {0};
    char actor[] = "uid 7 (eve)", kind[] = "accepted", text[] = "it came";
    int64_t id = harness_www(harness);

    harness->now = HARNESS_NOW + 2 * EVENTS;
    ck_ok(inventory_begin(harness->inventory, &err));
    for (int i = 1; i <= EVENTS; i++) {
        const struct event_row row = {.at = HARNESS_NOW + i,
                                      .certificate_id = id,
                                      .actor = actor,
                                      .kind = kind,
                                      .text = text,
                                      .old_sha256 = {0xaa, 0xbb, 0xcc, 0xdd, 0xee},
                                      .new_sha256 = {0x11, 0x22, 0x33, 0x44, 0x55}};
        ck_ok(events_record(harness->inventory, &row, &err));
    }
    ck_ok(inventory_commit(harness->inventory, &err));
}

/* The same with the oldest gone. */
static void fill_and_prune(struct harness *harness)
{
    struct error err = {0};
    utc_t next;

    fill(harness);
    harness->life.keep_events = 30 * DAY;
    harness->now = HARNESS_NOW + 32 * DAY;
    ck_ok(life_prune(&harness->life, &next, &err));
}

static void fill_and_tamper(struct harness *harness)
{
    AUTO_FREE char *path = testing_path("inventory.db");

    fill(harness);
    sample_sql(path, "DROP TRIGGER events_are_not_changed;"
                     "UPDATE events SET actor = 'uid 8 (adam)' WHERE id = 1717");
}

static void setup(void)
{
    server_start(&server, fill);
}

static void teardown(void)
{
    server_stop(&server);
}

static size_t lines_of(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

START_TEST(a_table_of_the_newest)
{
    AUTO_RAN struct ran ran = run(&server, "audit", "--limit", "2");

    ck_ran(ran, 0);
    ck_assert_str_eq(
        ran.out, "ID    AT                       CERTIFICATE  BY           WHAT      FINGERPRINT"
                 "          TEXT\n"
                 "2499  2027-01-15 08:41:39 UTC  www          uid 7 (eve)  accepted  aabbccdd > "
                 "11223344  it came\n"
                 "2500  2027-01-15 08:41:40 UTC  www          uid 7 (eve)  accepted  aabbccdd > "
                 "11223344  it came\n");
    AUTO_RAN struct ran hundred = run(&server, "audit");
    ck_assert_uint_eq(lines_of(hundred.out), 101);
}
END_TEST

START_TEST(all_of_it_in_pages)
{
    AUTO_RAN struct ran ran = run(&server, "audit", "--since", "@0", "--json");
    const char *line = ran.out;
    int64_t id = 0;

    ck_ran(ran, 0);
    for (; *line != '\0'; line = strchr(line, '\n') + 1) {
        json_t *event = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);

        ck_json_number(event, "id", ++id);
        json_decref(event);
    }
    ck_assert_int_eq(id, EVENTS);
    AUTO_RAN struct ran table = run(&server, "audit", "--since", "@0");
    ck_assert_uint_eq(lines_of(table.out), EVENTS + 1);
}
END_TEST

START_TEST(times)
{
    static const struct {
        const char *words[8];
        size_t lines;
    } rows[] = {
        {{"audit", "--json", "--since", "2027-01-15T08:41:40Z"}, 1},
        {{"audit", "--json", "--since", "2027-01-15", "--limit", "7"}, 7},
        {{"audit", "--json", "--since", "2027-01-15T08:00:02Z", "--until", "2027-01-15T08:00:05Z"},
         3},
        {{"audit", "--json", "--until", "2027-01-15T08:00:05Z"}, 4},
        {{"audit", "--json", "--since", "2027-01-16"}, 0},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_RAN struct ran ran = run_argv(&server, -1, rows[i].words);

        ck_ran(ran, 0);
        ck_assert_msg(lines_of(ran.out) == rows[i].lines, "row %zu: %s", i, ran.out);
    }
    /* so long ago, by the clock of who asks */
    AUTO_RAN struct ran ago = run(&server, "audit", "--json", "--since", "2000w");
    ck_assert_uint_eq(lines_of(ago.out), EVENTS);
}
END_TEST

START_TEST(usage)
{
    static const char *const rows[][8] = {
        {"audit", "proof"},
        {"audit", "verify", "verify"},
        {"audit", "--since", "soon"},
        {"audit", "--until", "1"},
        {"audit", "--limit", "0"},
        {"audit", "--follow", "--until", "2027-01-16"},
        {"audit", "--expect", "1:00"},
        {"audit", "verify", "--expect", "1:00"},
        {"audit", "verify", "--follow"},
        {"audit", "verify", "--since", "1d"},
        {"audit", "--expect", "1:0000000000000000000000000000000000000000000000000000000000000000"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_RAN struct ran ran = run_argv(&server, -1, rows[i]);

        ck_assert_msg(ran.status == 2, "row %zu: %d %s", i, ran.status, ran.err);
    }
}
END_TEST

/* Reads until the piece has come. */
static void read_until(int fd, struct buf *text, const char *piece)
{
    while (!strstr(buf_text(text), piece)) {
        char got[4096];
        ssize_t len = read(fd, got, sizeof got);

        ck_assert_msg(len > 0, "wanted \"%s\" in:\n%s", piece, buf_text(text));
        buf_add(text, got, (size_t)len);
    }
}

static const char *const follow[] = {"audit", "--follow", "--limit", "1", NULL};

START_TEST(followed_until_interrupted)
{
    AUTO_BUF struct buf text;
    int out, status;
    pid_t pid = run_start(&server, follow, &out);

    buf_init(&text, BUF_MAX_REPLY);
    read_until(out, &text, "2500  ");
    AUTO_RAN struct ran renew = run(&server, "renew", "www");
    ck_ran(renew, 0);
    read_until(out, &text, "started");
    /* below the same headers */
    ck_assert_ptr_null(strstr(strstr(buf_text(&text), "FINGERPRINT") + 1, "FINGERPRINT"));
    ck_assert_int_eq(kill(pid, SIGINT), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    close(out);
}
END_TEST

/* Nothing happens, and still it sees that nobody reads any more. */
START_TEST(followed_until_the_reader_goes)
{
    AUTO_BUF struct buf text;
    int out, status;
    pid_t pid = run_start(&server, follow, &out);

    buf_init(&text, BUF_MAX_REPLY);
    read_until(out, &text, "2500  ");
    close(out);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
}
END_TEST

/* "2500:0a1b..." of what was printed behind a label; owned by the caller. */
static char *mark_behind(const char *text, const char *label)
{
    const char *found = strstr(text, label);

    ck_assert_msg(found, "wanted \"%s\" in:\n%s", label, text);
    found += strlen(label);
    found += strspn(found, " ");
    return mem_printf("%.*s", (int)strcspn(found, "\n"), found);
}

START_TEST(verified)
{
    AUTO_RAN struct ran ran = run(&server, "audit", "verify");
    ck_ran(ran, 0);
    ck_says(ran.out, "Audit trail    whole, 2500 events\n");
    AUTO_FREE char *mark = mark_behind(ran.out, "Newest");
    AUTO_RAN struct ran status = run(&server, "status");
    AUTO_FREE char *told = mark_behind(status.out, "the newest is ");
    ck_assert_str_eq(mark, told);
    /* later, when more has happened */
    AUTO_RAN struct ran renew = run(&server, "renew", "www");
    ck_ran(renew, 0);
    AUTO_RAN struct ran again = run(&server, "audit", "verify", "--expect", mark);
    ck_ran(again, 0);
    ck_says(again.out, "whole, 2501 events\n");
    ck_says(again.out, "Expected       2500:");
    AUTO_RAN struct ran json = run(&server, "audit", "verify", "--json", "--expect", mark);
    json_t *document = json_loads(json.out, 0, NULL);
    ck_assert(json_is_true(at(document, "whole")));
    ck_assert(json_is_true(at(document, "expected")));
    ck_json_number(document, "events", 2501);
    ck_json_number(document, "to.id", 2501);
    ck_json_null(document, "broken");
    ck_json_null(document, "pruned");
    json_decref(document);
}
END_TEST

START_TEST(another_than_expected)
{
    static const struct {
        int64_t id;
        const char *says;
    } rows[] = {{1, "broken at event 1: it is another one"},
                {1000, "broken at event 1000: it is another one"},
                {1001, "broken at event 1001: it is another one"},
                {2500, "broken at event 2500: it is another one"},
                {2501, "broken at event 2501: it is missing: the newest one is 2500"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *mark = mem_printf("%d:%064d", (int)rows[i].id, 0);
        AUTO_RAN struct ran ran = run(&server, "audit", "verify", "--expect", mark);

        ck_ran(ran, 1);
        ck_says(ran.out, rows[i].says);
    }
}
END_TEST

START_TEST(broken)
{
    struct server own;

    server_start(&own, fill_and_tamper);
    AUTO_RAN struct ran ran = run(&own, "audit", "verify");
    AUTO_RAN struct ran json = run(&own, "audit", "verify", "--json");
    server_stop(&own);
    ck_ran(ran, 1);
    ck_says(ran.out, "Audit trail    broken at event 1717: it is not as it was recorded");
    ck_says(ran.out, "Whole up to    1716:");
    ck_ran(json, 1);
    json_t *document = json_loads(json.out, 0, NULL);
    ck_assert(json_is_false(at(document, "whole")));
    ck_json_number(document, "broken.id", 1717);
    json_decref(document);
}
END_TEST

START_TEST(pruned)
{
    struct server own;
    AUTO_FREE char *gone = mem_printf("17:%064d", 0);

    server_start(&own, fill_and_prune);
    AUTO_RAN struct ran ran = run(&own, "audit", "verify");
    AUTO_RAN struct ran first = run(&own, "audit", "--since", "@0", "--json");
    AUTO_RAN struct ran expected = run(&own, "audit", "verify", "--expect", gone);
    server_stop(&own);
    ck_ran(ran, 0);
    ck_says(ran.out, "whole, 1501 events\n");
    ck_says(ran.out, "Pruned         the events up to 1000, by unlapsed, ");
    ck_assert_msg(text_starts(first.out, "{\"id\":1001,"), "%.100s", first.out);
    ck_assert_uint_eq(lines_of(first.out), 1501);
    ck_ran(expected, 1);
    ck_says(expected.out, "broken at event 17: it is pruned");
}
END_TEST

/* A file that was put back from a backup: whoever follows hears of it. */
START_TEST(trail_that_went_back)
{
    struct server own;
    AUTO_FREE char *first =
        http_reply(200, "{\"schema_version\":1,\"head\":{\"id\":9},\"after\":9,\"more\":false,"
                        "\"events\":[]}");
    AUTO_FREE char *second =
        http_reply(200, "{\"schema_version\":1,\"head\":{\"id\":5},\"after\":9,\"more\":false,"
                        "\"events\":[]}");
    const char *const replies[] = {first, second};

    server_start_canned(&own, replies, 2);
    AUTO_RAN struct ran ran = run(&own, "audit", "--follow");
    server_stop(&own);
    ck_ran(ran, 1);
    ck_says(ran.err, "ends with event 5, but 9 was told");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli/audit");
    TCase *tcase = tcase_create("audit");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_table_of_the_newest);
    tcase_add_test(tcase, all_of_it_in_pages);
    tcase_add_test(tcase, times);
    tcase_add_test(tcase, usage);
    tcase_add_test(tcase, followed_until_interrupted);
    tcase_add_test(tcase, followed_until_the_reader_goes);
    tcase_add_test(tcase, verified);
    tcase_add_test(tcase, another_than_expected);
    tcase_add_test(tcase, broken);
    tcase_add_test(tcase, pruned);
    tcase_add_test(tcase, trail_that_went_back);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

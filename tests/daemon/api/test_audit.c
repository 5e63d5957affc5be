/* The audit trail over the API: its pages, the proof that it is whole, and what was pruned. */
#include <string.h>

#include "base/text.h"
#include "store/events.h"
#include "tests/daemon/api/harness.h"
#include "tests/store/sample.h"

enum { DAY = 86400 };

static struct harness harness;
static struct error err;
static char *path;

static void setup(void)
{
    harness_open(&harness);
    path = testing_path("inventory.db");
}

static void teardown(void)
{
    harness_close(&harness);
    free(path);
}

/* The n-th of them n days after the beginning. */
static void record(int count)
{
    static int64_t number;

    for (int i = 0; i < count; i++) {
        number++;
        ck_ok(events_add(harness.inventory, HARNESS_NOW + number * DAY, 0, 0, "unlapsed", "seen",
                         "a day", &err));
    }
}

static struct answer ask(const char *query)
{
    AUTO_FREE char *url = mem_printf("/v1/audit%s", query);

    return harness_ask(&harness, "GET", url, NULL);
}

/* first 0: no event */
static void ck_page(const char *query, int64_t first, int64_t last, bool more)
{
    AUTO_ANSWER struct answer answer = ask(query);

    ck_assert_msg(answer.status == 200, "%s: %d", query, answer.status);
    const json_t *events = at(answer.json, "events");
    size_t count = json_array_size(events);
    ck_assert_msg(json_is_true(at(answer.json, "more")) == more, "%s: more", query);
    ck_assert_msg(count == (first == 0 ? 0 : (size_t)(last - first + 1)), "%s: %zu events", query,
                  count);
    if (first == 0)
        return;
    ck_assert_msg(json_integer_value(at(events, "0.id")) == first, "%s: first", query);
    ck_json_number(answer.json, "after", last);
}

START_TEST(pages)
{
    static const struct {
        const char *query;
        int64_t first, last;
        bool more;
    } rows[] = {
        {"", 1, 10, false},
        {"?limit=3", 1, 3, true},
        {"?limit=3&after=3", 4, 6, true},
        {"?limit=3&after=7", 8, 10, false},
        {"?after=10", 0, 0, false},
        {"?newest=2", 9, 10, false},
        {"?newest=4&limit=3", 7, 9, true},
        {"?newest=100", 1, 10, false},
        {"?since=2027-01-18T08:00:00Z", 3, 10, false},
        {"?since=2027-01-18T08:00:01Z", 4, 10, false},
        {"?until=2027-01-18T08:00:00Z", 1, 2, false},
        {"?until=2027-01-18T08:00:00Z&newest=1", 2, 2, false},
        {"?since=2027-01-17T08:00:00Z&until=2027-01-19T08:00:00Z", 2, 3, false},
        {"?since=2027-01-17T08:00:00Z&until=2027-01-19T08:00:00Z&newest=1", 3, 3, false},
        {"?since=2027-01-19T08:00:00Z&until=2027-01-17T08:00:00Z", 0, 0, false},
        {"?since=2099-01-01T00:00:00Z", 0, 0, false},
        {"?until=2000-01-01T00:00:00Z", 0, 0, false},
    };

    record(10);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        ck_page(rows[i].query, rows[i].first, rows[i].last, rows[i].more);
}
END_TEST

START_TEST(one_in_full)
{
    char text[] = "serial 17", hex[2 * SHA256_LEN + 1];
    int64_t id = harness_www(&harness);
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    const struct event_row row = {.at = HARNESS_NOW,
                                  .certificate_id = id,
                                  .renewal_id = 1,
                                  .actor = text,
                                  .kind = text,
                                  .text = text,
                                  .old_sha256 = {0xab},
                                  .new_sha256 = {0xcd}};

    ck_ok(events_record(harness.inventory, &row, &err));
    ck_ok(trail_ends(harness.inventory, &ends, &err));
    text_hex(ends.head.hash, SHA256_LEN, hex);
    AUTO_ANSWER struct answer answer = ask("");
    ck_json_number(answer.json, "events.0.certificate_id", id);
    ck_json_text(answer.json, "events.0.certificate", "www");
    ck_json_text(answer.json, "events.0.at", "2027-01-15T08:00:00Z");
    ck_assert(text_starts(json_string_value(at(answer.json, "events.0.old_sha256")), "ab00"));
    ck_assert(text_starts(json_string_value(at(answer.json, "events.0.new_sha256")), "cd00"));
    ck_json_text(answer.json, "events.0.hash", hex);
    ck_json_text(answer.json, "head.hash", hex);
    ck_json_null(answer.json, "pruned");
    AUTO_ANSWER struct answer history = harness_ask(&harness, "GET", "/v1/history", NULL);
    ck_json_text(history.json, "events.0.hash", hex);
    AUTO_ANSWER struct answer status = harness_ask(&harness, "GET", "/v1/status", NULL);
    ck_json_number(status.json, "audit.events", 1);
    ck_json_text(status.json, "audit.head.hash", hex);
}
END_TEST

START_TEST(refused)
{
    static const struct {
        const char *query, *piece;
    } rows[] = {
        {"?after=x", "after"},        {"?after=-1", "after"},
        {"?limit=0", "limit"},        {"?limit=251", "limit"},
        {"?newest=0", "newest"},      {"?since=yesterday", "since"},
        {"?until=2027", "until"},     {"/verify?after=1", "hash"},
        {"/verify?hash=00", "after"}, {"/verify?after=1&hash=00", "hash"},
        {"/verify?limit=0", "limit"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ANSWER struct answer answer = ask(rows[i].query);

        ck_refused(answer, 400, "E_INPUT", rows[i].piece);
    }
}
END_TEST

static struct answer verify(const char *query)
{
    AUTO_FREE char *url = mem_printf("/verify%s", query);

    return ask(url);
}

START_TEST(whole_page_by_page)
{
    AUTO_ANSWER struct answer empty = verify("");
    ck_json_null(empty.json, "broken");
    record(5);
    AUTO_ANSWER struct answer first = verify("?limit=3");
    ck_json_null(first.json, "broken");
    ck_json_number(first.json, "from.id", 0);
    ck_json_number(first.json, "to.id", 3);
    ck_assert(json_is_true(at(first.json, "more")));
    AUTO_FREE char *query =
        mem_printf("?after=3&hash=%s", json_string_value(at(first.json, "to.hash")));
    AUTO_ANSWER struct answer second = verify(query);
    ck_json_null(second.json, "broken");
    ck_json_number(second.json, "to.id", 5);
    ck_assert(json_is_false(at(second.json, "more")));
    /* with another mark than the true one */
    char *last = query + strlen(query) - 1;
    *last = *last == '0' ? '1' : '0';
    AUTO_ANSWER struct answer other = verify(query);
    ck_json_number(other.json, "broken.id", 4);
}
END_TEST

static void tamper(const char *sql)
{
    AUTO_FREE char *all =
        mem_printf("DROP TRIGGER events_are_not_changed; DROP TRIGGER trail_only_grows; %s", sql);

    sample_sql(path, all);
}

START_TEST(tampering_is_told)
{
    record(5);
    tamper("UPDATE events SET text = 'another day' WHERE id = 4");
    AUTO_ANSWER struct answer answer = verify("");
    ck_json_number(answer.json, "broken.id", 4);
    ck_json_number(answer.json, "to.id", 3);
    ck_assert(json_is_false(at(answer.json, "more")));
}
END_TEST

static void prune(void)
{
    utc_t next;

    harness.life.keep_events = 30 * DAY;
    harness.now = HARNESS_NOW + 36 * DAY;
    ck_ok(life_prune(&harness.life, &next, &err));
}

START_TEST(pruned_and_signed_off)
{
    record(10);
    prune();
    AUTO_ANSWER struct answer answer = verify("");
    ck_json_null(answer.json, "broken");
    ck_json_number(answer.json, "from.id", 5);
    ck_json_number(answer.json, "pruned.id", 5);
    ck_json_text(answer.json, "pruned.by", "unlapsed");
    ck_json_number(answer.json, "to.id", 11);
    ck_page("?after=2", 6, 11, false);
    ck_page("?since=2000-01-01T00:00:00Z&limit=1", 6, 6, true);
}
END_TEST

/* Whoever has the file and not the sealing key cannot take events away. */
START_TEST(pruned_by_somebody_else)
{
    static const char *const forgeries[] = {
        "UPDATE trail SET pruned_by = 'somebody'",
        "UPDATE trail SET pruned_at = pruned_at + 1",
        "UPDATE trail SET pruned_mac = randomblob(32)",
        "UPDATE trail SET pruned_hash = randomblob(32)",
        /* more than was */
        ("UPDATE trail SET pruned_id = 7, pruned_hash = (SELECT hash FROM events WHERE id = 7);"
         "DELETE FROM events WHERE id <= 7"),
    };
    record(10);
    prune();
    tamper(forgeries[_i]);
    AUTO_ANSWER struct answer answer = verify("");
    ck_assert_msg(!json_is_null(at(answer.json, "broken")), "%s", forgeries[_i]);
    ck_assert_ptr_nonnull(
        strstr(json_string_value(at(answer.json, "broken.text")), "not signed off"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api/audit");
    TCase *tcase = tcase_create("audit");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, pages);
    tcase_add_test(tcase, one_in_full);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, whole_page_by_page);
    tcase_add_test(tcase, tampering_is_told);
    tcase_add_test(tcase, pruned_and_signed_off);
    tcase_add_loop_test(tcase, pruned_by_somebody_else, 0, 5);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

#include "store/trail.h"

#include <string.h>

#include "base/text.h"
#include "store/statement.h"
#include "tests/store/sample.h"

static struct inventory *inventory;
static struct error err;
static char *path;
static int64_t www, renewal;

static const uint8_t signature[SHA256_LEN] = {0x51, 0x60};

static void setup(void)
{
    path = testing_path("inventory.db");
    inventory = sample_open();
    www = sample_certificate(inventory, "www");
    renewal = sample_renewal(inventory, www);
}

static void teardown(void)
{
    inventory_close(inventory);
    free(path);
}

/* The n-th of them is from the n-th second. */
static void record(int count)
{
    for (int i = 0; i < count; i++) {
        AUTO_TRAIL_ENDS struct trail_ends ends = {0};
        char actor[] = "uid 0 (root)", kind[] = "accepted", text[] = "serial 17";

        ck_ok(trail_ends(inventory, &ends, &err));
        const struct event_row row = {.at = ends.head.id + 1,
                                      .certificate_id = www,
                                      .renewal_id = renewal,
                                      .actor = actor,
                                      .kind = kind,
                                      .text = text,
                                      .old_sha256 = {1, 2},
                                      .new_sha256 = {3, 4}};
        ck_ok(events_record(inventory, &row, &err));
    }
}

/* As somebody who may write the file. */
static void tamper(const char *sql)
{
    AUTO_FREE char *all = mem_printf("DROP TRIGGER IF EXISTS events_follow_the_newest;"
                                     "DROP TRIGGER IF EXISTS events_are_not_changed;"
                                     "DROP TRIGGER IF EXISTS events_are_not_removed;"
                                     "DROP TRIGGER IF EXISTS trail_only_grows;"
                                     "DROP TRIGGER IF EXISTS trail_is_not_removed;%s",
                                     sql);

    sample_sql(path, all);
}

static struct trail_proof prove(int64_t limit)
{
    struct trail_proof proof = {.more = true};

    while (proof.more) {
        struct trail_mark after = proof.to;
        ck_ok(trail_prove(inventory, &after, limit, &proof, &err));
    }
    return proof;
}

static void ck_broken(int64_t limit, int64_t id, const char *wrong)
{
    struct trail_proof proof = prove(limit);

    ck_assert_msg(proof.broken_id == id && strstr(proof.wrong, wrong),
                  "wanted event %ld: %s, got event %ld: %s", (long)id, wrong, (long)proof.broken_id,
                  proof.wrong);
    ck_assert_int_eq(proof.to.id, id - 1);
}

/* docs/api.md tells how to do this without us: the numbers are another program's. */
START_TEST(hashes_are_as_documented)
{
    static const char *const wanted[] = {
        "da1bd5062a82b9100c3fb395b1d0c1bf00104e922bbecb8ad0cd8010c82f7381",
        "abf479ec4c3f81ac2924c0990a47f66231262b134c0606d88f457ba4507bae49",
    };
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};
    char hex[2 * SHA256_LEN + 1];

    ck_ok(events_add(inventory, 1800000000, 0, 0, "unlapsed", "began", "", &err));
    ck_ok(trail_ends(inventory, &ends, &err));
    ck_assert_str_eq(text_hex(ends.head.hash, SHA256_LEN, hex), wanted[0]);
    ck_assert_int_eq(www, 1);
    ck_assert_int_eq(renewal, 1);
    record(1);
    trail_ends_done(&ends);
    ck_ok(trail_ends(inventory, &ends, &err));
    ck_assert_int_eq(ends.head.id, 2);
    ck_assert_str_eq(text_hex(ends.head.hash, SHA256_LEN, hex), wanted[1]);
}
END_TEST

START_TEST(whole_in_pages_of_any_size)
{
    ck_assert_int_eq(sample_trail_is_whole(inventory), 0);
    record(10);
    for (int64_t limit = 1; limit < 13; limit++) {
        struct trail_proof proof = prove(limit);

        ck_assert_msg(proof.broken_id == 0, "pages of %ld: event %ld: %s", (long)limit,
                      (long)proof.broken_id, proof.wrong);
        ck_assert_int_eq(proof.to.id, 10);
    }
}
END_TEST

static const struct {
    const char *sql;
    int64_t id; /* the first that is broken */
    const char *wrong;
} tamperings[] = {
    {"UPDATE events SET at = at + 1 WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET certificate_id = NULL WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET renewal_id = NULL WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET actor = 'unlapsed' WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET kind = 'verified' WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET text = 'serial 18' WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET old_sha256 = NULL WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET new_sha256 = old_sha256 WHERE id = 3", 3, "not as it was recorded"},
    {"UPDATE events SET old_sha256 = new_sha256, new_sha256 = old_sha256 WHERE id = 3", 3,
     "not as it was recorded"},
    {"UPDATE events SET hash = (SELECT hash FROM events WHERE id = 2) WHERE id = 3", 3,
     "not as it was recorded"},
    /* the same bytes, cut elsewhere */
    {"UPDATE events SET actor = actor || 'a', kind = 'ccepted' WHERE id = 3", 3,
     "not as it was recorded"},
    {"UPDATE events SET kind = kind || 's', text = 'erial 17' WHERE id = 3", 3,
     "not as it was recorded"},
    {"UPDATE events SET certificate_id = NULL, renewal_id = 256 WHERE id = 3", 3,
     "not as it was recorded"},
    /* of the first and of the last */
    {"UPDATE events SET text = '' WHERE id = 1", 1, "not as it was recorded"},
    {"UPDATE events SET text = '' WHERE id = 10", 10, "not as it was recorded"},
    /* two changed places */
    {"UPDATE events SET id = 99 WHERE id = 3; UPDATE events SET id = 3 WHERE id = 4;"
     "UPDATE events SET id = 4 WHERE id = 99",
     3, "not as it was recorded"},
    {"DELETE FROM events WHERE id = 3", 3, "missing: the next one is 4"},
    {"DELETE FROM events WHERE id BETWEEN 3 AND 6", 3, "missing: the next one is 7"},
    {"DELETE FROM events WHERE id = 1", 1, "missing: the next one is 2"},
    {"DELETE FROM events WHERE id = 10", 10, "missing, as is everything after it up to 10"},
    {"DELETE FROM events WHERE id > 5", 6, "missing, as is everything after it up to 10"},
    {"DELETE FROM events", 1, "missing, as is everything after it up to 10"},
    {"INSERT INTO events SELECT 11, at, certificate_id, renewal_id, actor, kind, text, old_sha256,"
     " new_sha256, hash FROM events WHERE id = 10",
     11, "not as it was recorded"},
    {"UPDATE trail SET head_hash = zeroblob(32)", 10, "not the newest that was recorded"},
    {"UPDATE trail SET head_id = 11", 11, "missing, as is everything after it up to 11"},
};

START_TEST(tampering_is_found)
{
    record(10);
    tamper(tamperings[_i].sql);
    for (int64_t limit = 1; limit < 13; limit += 5) {
        struct trail_proof proof = prove(limit);

        ck_assert_msg(proof.broken_id == tamperings[_i].id &&
                          strstr(proof.wrong, tamperings[_i].wrong),
                      "%s: pages of %ld: event %ld: %s", tamperings[_i].sql, (long)limit,
                      (long)proof.broken_id, proof.wrong);
    }
}
END_TEST

/* Whoever may write the file may make events of his own that fit; but not below the head. */
START_TEST(one_that_fits_was_put_in)
{
    char hex[2 * SHA256_LEN + 1];
    char actor[] = "a", kind[] = "b", text[] = "c";
    struct event_row row = {.id = 2, .at = 5, .actor = actor, .kind = kind, .text = text};
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};

    record(1);
    ck_ok(trail_ends(inventory, &ends, &err));
    trail_hash(ends.head.hash, &row, row.hash);
    AUTO_FREE char *sql = mem_printf("INSERT INTO events (id, at, actor, kind, text, hash)"
                                     " VALUES (2, 5, 'a', 'b', 'c', x'%s')",
                                     text_hex(row.hash, SHA256_LEN, hex));
    tamper(sql);
    for (int64_t limit = 1; limit < 4; limit++) {
        struct trail_proof proof = prove(limit);
        ck_assert_int_eq(proof.broken_id, 2);
        ck_assert_msg(strstr(proof.wrong, "put in"), "%s", proof.wrong);
    }
}
END_TEST

START_TEST(triggers_forbid_it)
{
    static const struct {
        const char *sql, *why;
        int code;
    } rows[] = {
        {"UPDATE events SET text = ''", "never changed", E_REFUSED},
        {"DELETE FROM events WHERE id = 10", "never removed", E_REFUSED},
        {"DELETE FROM events WHERE id = 1", "never removed", E_REFUSED},
        {"INSERT OR REPLACE INTO events (id, at, actor, kind, text, hash)"
         " VALUES (10, 1, '', '', '', zeroblob(32))",
         "follows the newest", E_REFUSED},
        {"INSERT INTO events (id, at, actor, kind, text, hash)"
         " VALUES (12, 1, '', '', '', zeroblob(32))",
         "follows the newest", E_REFUSED},
        {"UPDATE trail SET head_id = 9", "only grows", E_REFUSED},
        {"DELETE FROM trail", "never removed", E_REFUSED},
        {"INSERT INTO trail SELECT 2, head_id, head_hash, pruned_id, pruned_hash, NULL, NULL, NULL"
         " FROM trail",
         "CHECK", E_INPUT},
        {"UPDATE trail SET pruned_id = 5", "pruned_events_are_signed_off", E_INPUT},
        {"UPDATE trail SET pruned_id = 11, pruned_at = 1, pruned_by = '', pruned_mac = "
         "zeroblob(32)",
         "pruned_events_are_past", E_INPUT},
    };
    AUTO_STATEMENT struct statement statement = {0};

    record(10);
    ck_ok(statement_open(inventory, rows[_i].sql, &statement, &err));
    ck_fails(statement_run(&statement, &err), rows[_i].code, rows[_i].why);
    statement_done(&statement);
    ck_assert_int_eq(sample_trail_is_whole(inventory), 10);
}
END_TEST

START_TEST(what_was_rolled_back_leaves_no_gap)
{
    record(1);
    ck_ok(inventory_begin(inventory, &err));
    record(2);
    inventory_rollback(inventory);
    record(1);
    ck_ok(inventory_begin(inventory, &err));
    record(1);
    ck_ok(inventory_part_begin(inventory, &err));
    record(2);
    ck_ok(inventory_part_end(inventory, false, &err));
    record(1);
    ck_ok(inventory_commit(inventory, &err));
    ck_assert_int_eq(sample_trail_is_whole(inventory), 4);
}
END_TEST

START_TEST(two_handles_share_one_chain)
{
    struct inventory *first = inventory, *second = sample_open();

    for (int i = 0; i < 4; i++) {
        inventory = i % 2 == 0 ? first : second;
        record(2);
    }
    inventory = first;
    inventory_close(second);
    ck_assert_int_eq(sample_trail_is_whole(inventory), 8);
}
END_TEST

static struct trail_mark prune(utc_t before, int64_t limit)
{
    struct trail_mark mark = {0};

    ck_ok(trail_oldest(inventory, before, limit, &mark, &err));
    ck_ok(trail_prune(inventory, &mark, 100, "unlapsed", signature, &err));
    return mark;
}

START_TEST(pruned_from_its_beginning)
{
    AUTO_TRAIL_ENDS struct trail_ends ends = {0};

    record(10);
    ck_assert_int_eq(prune(5, 100).id, 4);
    ck_ok(trail_ends(inventory, &ends, &err));
    ck_assert_int_eq(ends.pruned.id, 4);
    ck_assert_int_eq(ends.pruned_at, 100);
    ck_assert_str_eq(ends.pruned_by, "unlapsed");
    ck_assert_int_eq(memcmp(ends.pruned_mac, signature, SHA256_LEN), 0);
    ck_assert_int_eq(sample_sql_int(path, "SELECT min(id) FROM events"), 5);
    ck_assert_int_eq(sample_trail_is_whole(inventory), 6);
    /* at most so many at a time */
    ck_assert_int_eq(prune(100, 2).id, 6);
    ck_assert_int_eq(prune(100, 100).id, 10);
    ck_assert_int_eq(sample_trail_is_whole(inventory), 0);
    record(2);
    ck_assert_int_eq(sample_trail_is_whole(inventory), 2);
    ck_assert_int_eq(sample_sql_int(path, "SELECT min(id) FROM events"), 11);
}
END_TEST

START_TEST(nothing_young_is_pruned)
{
    struct trail_mark mark = {0};

    ck_assert_int_eq(trail_oldest(inventory, 100, 10, &mark, &err), E_NOT_FOUND);
    record(10);
    ck_assert_int_eq(trail_oldest(inventory, 1, 10, &mark, &err), E_NOT_FOUND);
    /* one whose clock was ahead keeps those behind it */
    ck_ok(events_add(inventory, 1000, 0, 0, "a", "b", "c", &err));
    ck_ok(events_add(inventory, 11, 0, 0, "a", "b", "c", &err));
    ck_ok(trail_oldest(inventory, 100, 100, &mark, &err));
    ck_assert_int_eq(mark.id, 10);
}
END_TEST

START_TEST(what_is_broken_is_not_pruned)
{
    struct trail_mark mark = {0};

    record(10);
    tamper("UPDATE events SET text = '' WHERE id = 3");
    ck_fails(trail_oldest(inventory, 5, 100, &mark, &err), E_CORRUPT, "event 3");
    mark.id = 4;
    ck_fails(trail_prune(inventory, &mark, 100, "unlapsed", signature, &err), E_CORRUPT, "event 4");
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM events"), 10);
}
END_TEST

START_TEST(tampering_after_pruning)
{
    record(10);
    prune(5, 100);
    tamper("DELETE FROM events WHERE id = 5");
    ck_broken(3, 5, "missing: the next one is 6");
}
END_TEST

/* A proof that takes its time sees events come and go. */
START_TEST(proof_goes_on_while_things_happen)
{
    struct trail_proof proof = {0};
    struct trail_mark after = {0};

    record(10);
    ck_ok(trail_prove(inventory, &after, 3, &proof, &err));
    ck_assert_int_eq(proof.to.id, 3);
    record(1);
    prune(7, 100);
    after = proof.to;
    ck_ok(trail_prove(inventory, &after, 3, &proof, &err));
    ck_assert_msg(proof.broken_id == 0, "%s", proof.wrong);
    ck_assert_int_eq(proof.from.id, 6);
    ck_assert_int_eq(proof.to.id, 9);
    after = proof.to;
    ck_ok(trail_prove(inventory, &after, 3, &proof, &err));
    ck_assert_msg(proof.broken_id == 0 && !proof.more, "%s", proof.wrong);
    ck_assert_int_eq(proof.to.id, 11);
}
END_TEST

/* A file that was put back from before: what was known of it is not in it any more. */
START_TEST(a_mark_that_it_does_not_have)
{
    struct trail_proof proof = {0};
    struct trail_mark after = {.id = 20};

    record(10);
    ck_ok(trail_prove(inventory, &after, 100, &proof, &err));
    ck_assert_int_eq(proof.broken_id, 11);
    after.id = 10;
    ck_ok(trail_prove(inventory, &after, 100, &proof, &err));
    ck_assert_int_eq(proof.broken_id, 10);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/trail");
    TCase *trail = tcase_create("trail");

    tcase_add_checked_fixture(trail, setup, teardown);
    tcase_add_test(trail, hashes_are_as_documented);
    tcase_add_test(trail, whole_in_pages_of_any_size);
    tcase_add_loop_test(trail, tampering_is_found, 0, COUNT_OF(tamperings));
    tcase_add_test(trail, one_that_fits_was_put_in);
    tcase_add_loop_test(trail, triggers_forbid_it, 0, 10);
    tcase_add_test(trail, what_was_rolled_back_leaves_no_gap);
    tcase_add_test(trail, two_handles_share_one_chain);
    tcase_add_test(trail, pruned_from_its_beginning);
    tcase_add_test(trail, nothing_young_is_pruned);
    tcase_add_test(trail, what_is_broken_is_not_pruned);
    tcase_add_test(trail, tampering_after_pruning);
    tcase_add_test(trail, proof_goes_on_while_things_happen);
    tcase_add_test(trail, a_mark_that_it_does_not_have);
    suite_add_tcase(suite, trail);
    return testing_run(suite);
}

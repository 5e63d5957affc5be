/* Where files go, and what lies beside them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/daemon/drop/harness.h"

static struct error err;

START_TEST(never_over_another_file)
{
    struct drop *drop = harness_open(0);
    static const char *const wanted[] = {"www.pem", "www-2.pem", "www-3.pem"};

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        AUTO_FREE char *text = mem_printf("content %zu", i);
        AUTO_FREE char *moved = mem_printf("accepted/%s", wanted[i]);
        AUTO_FREE char *beside = mem_printf("accepted/%s.txt", wanted[i]);

        harness_put("www.pem", text);
        harness_scan(drop);
        AUTO_FREE char *filed = harness_file_away(drop, true, text);
        ck_assert_str_eq(filed, wanted[i]);
        harness_content(moved, text);
        harness_content(beside, text);
    }
    harness_content("accepted/www.pem", "content 0");
    drop_close(drop);
}
END_TEST

START_TEST(receipts_and_deliveries_do_not_meet)
{
    struct drop *drop = harness_open(0);

    /* A delivery that is called like the receipt of the next one, and the reverse. */
    harness_put("a.pem.txt", "delivery");
    harness_scan(drop);
    AUTO_FREE char *first = harness_file_away(drop, true, "receipt 1");
    harness_put("a.pem", "other delivery");
    harness_scan(drop);
    AUTO_FREE char *second = harness_file_away(drop, true, "receipt 2");
    harness_put("a-2.pem.txt", "third delivery");
    harness_scan(drop);
    AUTO_FREE char *third = harness_file_away(drop, true, "receipt 3");
    ck_assert_str_eq(first, "a.pem.txt");
    ck_assert_str_eq(second, "a-2.pem");
    ck_assert_str_eq(third, "a-2.pem-2.txt");
    harness_content("accepted/a.pem.txt", "delivery");
    harness_content("accepted/a.pem.txt.txt", "receipt 1");
    harness_content("accepted/a-2.pem", "other delivery");
    harness_content("accepted/a-2.pem.txt", "receipt 2");
    harness_content("accepted/a-2.pem-2.txt", "third delivery");
    drop_close(drop);
}
END_TEST

static void ck_found(struct drop *drop, const char *text, const char *wanted)
{
    AUTO_FREE char *found = NULL;
    uint8_t sha256[SHA256_LEN] = {0};

    if (text)
        sha256_of(span_text(text), sha256);
    ck_ok(drop_find_filed(drop, true, "www.pem", sha256, &found, &err));
    ck_assert_str_eq(found, wanted);
}

/* The file was moved, and then the daemon died: neither the receipt nor the note of the name came.
 */
START_TEST(moved_just_before_a_crash)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *found = NULL;
    uint8_t sha256[SHA256_LEN];

    harness_put("www.pem", "one");
    harness_scan(drop);
    AUTO_FREE char *first = harness_file_away(drop, true, "receipt of one");
    ck_assert_str_eq(first, "www.pem");
    sha256_of(span_text("two"), sha256);
    ck_fails(drop_find_filed(drop, true, "www.pem", sha256, &found, &err), E_NOT_FOUND, "www.pem");
    harness_put("accepted/www-2.pem", "two");
    ck_found(drop, "one", "www.pem");
    ck_found(drop, "two", "www-2.pem");
    ck_ok(drop_receipt(drop, true, "www-2.pem", "receipt of two", &err));
    ck_found(drop, "two", "www-2.pem");
    harness_content("accepted/www.pem.txt", "receipt of one");
    harness_content("accepted/www-2.pem.txt", "receipt of two");
    /* The same once more: the one that still lacks a receipt. */
    harness_put("accepted/www-3.pem", "one");
    ck_found(drop, "one", "www-3.pem");
    ck_ok(drop_receipt(drop, true, "www-3.pem", "again", &err));
    ck_found(drop, "one", "www-3.pem");
    drop_close(drop);
}
END_TEST

static void fill(char *name, size_t len, const char *ending)
{
    memset(name, 'n', len);
    snprintf(name + len - strlen(ending), strlen(ending) + 1, "%s", ending);
}

START_TEST(long_names)
{
    static const char *const endings[] = {".pem", "", ".an-extension-that-is-none-at-all"};
    struct drop *drop = harness_open(0);

    for (size_t e = 0; e < COUNT_OF(endings); e++) {
        for (size_t len = NAME_MAX - 6; len <= NAME_MAX; len++) {
            char name[NAME_MAX + 1];

            fill(name, len, endings[e]);
            for (int round = 0; round < 3; round++) {
                harness_put(name, "x");
                harness_scan(drop);
                AUTO_FREE char *filed = harness_file_away(drop, true, "receipt");
                AUTO_FREE char *moved = mem_printf("accepted/%s", filed);
                AUTO_FREE char *beside = mem_printf("accepted/%s.txt", filed);
                harness_content(moved, "x");
                harness_content(beside, "receipt");
                ck_assert_uint_le(strlen(filed), NAME_MAX - 4);
                if (e == 0)
                    ck_assert_str_eq(filed + strlen(filed) - 4, ".pem");
            }
        }
    }
    drop_close(drop);
}
END_TEST

START_TEST(names_are_bytes)
{
    static const char *const names[] = {
        "\n", "a b;$(id)`x`.pem", "\xff\xfe.crt", "-rf", "caf\xc3\xa9", "..pem", "%s%n"};
    struct drop *drop = harness_open(0);

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i][0] == '.')
            continue;
        harness_put(names[i], "x");
        harness_scan(drop);
        AUTO_FREE char *filed = harness_file_away(drop, false, "receipt");
        ck_assert_str_eq(filed, names[i]);
    }
    drop_close(drop);
}
END_TEST

START_TEST(cut_between_characters)
{
    struct drop *drop = harness_open(0);
    char name[NAME_MAX + 1];

    /* 127 characters of two bytes and one more byte: the cut at 251 falls into a character. */
    for (size_t i = 0; i < 254; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    memcpy(name + 254, "", 1);
    harness_put(name, "x");
    harness_scan(drop);
    AUTO_FREE char *filed = harness_file_away(drop, true, "receipt");
    ck_assert_uint_eq(strlen(filed), 250);
    drop_close(drop);
}
END_TEST

START_TEST(what_is_filed_is_what_was_read)
{
    struct drop *drop = harness_open(0);
    char *filed = NULL;
    AUTO_FREE char *path = harness_inside("www.pem");

    harness_put("www.pem", "read");
    harness_scan(drop);
    AUTO_FREE char *kept = harness_inside("kept");
    ck_assert_int_eq(rename(path, kept), 0);
    ck_fails(harness_file_one(drop, &harness_taken[0], true, "receipt", &filed, &err), E_NOT_FOUND,
             "www.pem");
    harness_put("www.pem", "another");
    ck_fails(harness_file_one(drop, &harness_taken[0], true, "receipt", &filed, &err), E_NOT_FOUND,
             "www.pem");
    ck_assert_ptr_null(filed);
    harness_content("www.pem", "another");
    ck_assert(!harness_is_there("accepted/www.pem"));
    ck_assert(!harness_is_there("accepted/www.pem.txt"));
    ck_assert_int_eq(harness_leftovers("accepted"), 0);
    drop_close(drop);
}
END_TEST

START_TEST(a_linked_subfolder_is_refused)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *outside = testing_path("outside");
    AUTO_FREE char *sub = harness_inside("accepted");
    char *filed = NULL;

    harness_put("www.pem", "x");
    harness_scan(drop);
    ck_assert_int_eq(mkdir(outside, 0755), 0);
    ck_assert_int_eq(rmdir(sub), 0);
    ck_assert_int_eq(symlink(outside, sub), 0);
    ck_fails(harness_file_one(drop, &harness_taken[0], true, "receipt", &filed, &err), E_REFUSED,
             "accepted");
    ck_fails(drop_receipt(drop, true, "www.pem", "receipt", &err), E_REFUSED, "accepted");
    ck_assert(harness_is_there("www.pem"));
    ck_assert_int_eq(unlink(sub), 0);
    /* Missing: made again. */
    ck_ok(harness_file_one(drop, &harness_taken[0], true, "receipt", &filed, &err));
    harness_content("accepted/www.pem", "x");
    free(filed);
    drop_close(drop);
}
END_TEST

static int no_space(void *self, const char *call)
{
    (void)self;
    return strcmp(call, "write") == 0 ? ENOSPC : 0;
}

START_TEST(a_full_disk_moves_nothing)
{
    struct drop *drop = harness_open(0);
    char *filed = NULL;

    harness_put("www.pem", "x");
    harness_scan(drop);
    file_fault_set(no_space, NULL);
    ck_fails(harness_file_one(drop, &harness_taken[0], true, "receipt", &filed, &err), E_FULL,
             "receipt");
    file_fault_set(NULL, NULL);
    harness_content("www.pem", "x");
    ck_assert(!harness_is_there("accepted/www.pem"));
    AUTO_FREE char *again = harness_file_away(drop, true, "receipt");
    ck_assert_ptr_nonnull(again);
    harness_content("accepted/www.pem.txt", "receipt");
    drop_close(drop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/drop/filing");
    TCase *tcase = tcase_create("filing");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, never_over_another_file);
    tcase_add_test(tcase, receipts_and_deliveries_do_not_meet);
    tcase_add_test(tcase, moved_just_before_a_crash);
    tcase_add_test(tcase, long_names);
    tcase_add_test(tcase, names_are_bytes);
    tcase_add_test(tcase, cut_between_characters);
    tcase_add_test(tcase, what_is_filed_is_what_was_read);
    tcase_add_test(tcase, a_linked_subfolder_is_refused);
    tcase_add_test(tcase, a_full_disk_moves_nothing);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

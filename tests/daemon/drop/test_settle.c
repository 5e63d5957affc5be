#include "daemon/drop/settle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/daemon/drop/harness.h"

START_TEST(what_is_put_off_comes_back_later)
{
    struct drop *drop = harness_open(0);

    harness_put("a", "1");
    harness_put("b", "2");
    harness_put_off = true;
    harness_scan(drop);
    harness_put_off = false;
    ck_assert_uint_eq(harness_taken_count, 2);
    ck_assert_int_ge(harness_scan(drop), 1);
    ck_assert_uint_eq(harness_taken_count, 0);
    ck_assert(drop_has_put_off(drop));
    /* Another file under the name, or other bytes in it, come at once. */
    harness_put("a", "other");
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_str_eq(harness_taken[0].text, "other");
    AUTO_FREE char *path = harness_inside("b");
    ck_assert_int_eq(unlink(path), 0);
    harness_scan(drop);
    ck_assert(!drop_has_put_off(drop));
    drop_close(drop);
}
END_TEST

START_TEST(an_unfinished_file_waits)
{
    struct drop *drop = harness_open(1000);

    harness_put("www.pem", "first");
    seconds_t again = harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 0);
    ck_assert_int_gt(again, 990);
    ck_assert_int_le(again, 1000);
    again = harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 0);
    ck_assert_int_gt(again, 900);
    drop_close(drop);
}
END_TEST

START_TEST(settles_when_it_stands_still)
{
    struct drop *drop = harness_open(2);
    AUTO_FREE char *path = harness_inside("www.pem");

    harness_put("www.pem", "first");
    ck_assert_int_ge(harness_scan(drop), 1);
    usleep(1200 * 1000);
    /* Same length, same inode: the times tell. */
    int64_t written = clock_monotonic_ms();
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(write(fd, "other", 5), 5);
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 0);
    usleep(1200 * 1000);
    harness_scan(drop);
    /* Unless the machine was too slow to look in time. */
    if (clock_monotonic_ms() - written < 2000)
        ck_assert_msg(harness_taken_count == 0, "it had changed and started over");
    usleep(2100 * 1000);
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_str_eq(harness_taken[0].text, "other");
    drop_close(drop);
}
END_TEST

START_TEST(a_restart_does_not_wait)
{
    drop_close(harness_open(2));
    harness_put("old.pem", "old");
    usleep(3200 * 1000);
    struct drop *drop = harness_open(2);
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_str_eq(harness_taken[0].name, "old.pem");
    drop_close(drop);
}
END_TEST

START_TEST(an_old_file_with_a_future_date_settles)
{
    struct drop *drop = harness_open(1);
    struct timespec times[2] = {{4102444800, 0}, {4102444800, 0}};
    AUTO_FREE char *path = harness_inside("future.pem");

    harness_put("future.pem", "x");
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    ck_assert_int_eq(harness_scan(drop), 1);
    usleep(1100 * 1000);
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_uint_eq(harness_taken_count, 1);
    drop_close(drop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/drop/settle");
    TCase *tcase = tcase_create("settle");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, what_is_put_off_comes_back_later);
    tcase_add_test(tcase, an_unfinished_file_waits);
    tcase_add_test(tcase, settles_when_it_stands_still);
    tcase_add_test(tcase, a_restart_does_not_wait);
    tcase_add_test(tcase, an_old_file_with_a_future_date_settles);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

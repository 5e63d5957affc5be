#include "daemon/drop/folder.h"

#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/daemon/drop/harness.h"

static struct error err;

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};

    return poll(&poll_fd, 1, 0) == 1;
}

START_TEST(the_watch)
{
    struct drop *drop = harness_open(0);
    int fd = drop_watch_fd(drop);
    AUTO_FREE char *path = harness_inside("linked.pem");
    AUTO_FREE char *other = testing_path("other");

    ck_assert_int_ge(fd, 0);
    harness_scan(drop);
    ck_assert_msg(!is_readable(fd), "making the subfolders is no event");
    harness_put("www.pem", "x");
    ck_assert(is_readable(fd));
    drop_watch_drain(drop);
    ck_assert(!is_readable(fd));
    ck_ok(file_replace(other, span_text("x"), FILE_PUBLIC, &err));
    ck_assert_int_eq(link(other, path), 0);
    ck_assert_msg(is_readable(fd), "a hard link tells of its creation alone");
    drop_watch_drain(drop);
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 2);
    ck_assert(!is_readable(fd));
    drop_close(drop);
}
END_TEST

START_TEST(the_folder_goes_and_comes_back)
{
    struct drop *drop = harness_open(0);
    int fd = drop_watch_fd(drop);
    AUTO_FREE char *away = testing_path("away");

    harness_scan(drop);
    ck_assert_int_eq(rename(harness_folder, away), 0);
    ck_assert(is_readable(fd));
    drop_watch_drain(drop);
    for (int i = 0; i < 2; i++)
        ck_fails(drop_look(drop, &err), E_NOT_FOUND, "drop");
    ck_fails(drop_receipt(drop, true, "x", "receipt", &err), E_NOT_FOUND, "gone");
    ck_assert_int_eq(mkdir(harness_folder, 0755), 0);
    harness_scan(drop);
    ck_assert(harness_is_there("accepted"));
    ck_assert_int_eq(drop_watch_fd(drop), fd);
    drop_watch_drain(drop);
    harness_put("www.pem", "x");
    ck_assert_msg(is_readable(fd), "the watch is on the new folder");
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 1);
    /* Replaced between two looks, without ever being missed. */
    AUTO_FREE char *second = testing_path("second");
    ck_assert_int_eq(rename(harness_folder, second), 0);
    ck_assert_int_eq(rename(away, harness_folder), 0);
    harness_put("other.pem", "y");
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_str_eq(harness_taken[0].name, "other.pem");
    drop_close(drop);
}
END_TEST

/* The daemon has more to do than to watch a folder: what ails it is told by every look. */
START_TEST(where_it_cannot_be)
{
    struct drop *drop = NULL;
    AUTO_FREE char *file = testing_path("file");
    AUTO_FREE char *below = testing_path("below/accepted");
    AUTO_FREE char *base = testing_path("below");
    AUTO_FREE char *link = testing_path("link");

    ck_fails(drop_open("relative", 0, &drop, &err), E_INPUT, "absolute");
    ck_ok(file_replace(file, span_text("x"), FILE_PUBLIC, &err));
    ck_ok(drop_open(file, 0, &drop, &err));
    ck_fails(drop_look(drop, &err), E_REFUSED, "got a file");
    drop_close(drop);
    ck_assert_int_eq(mkdir(base, 0755), 0);
    ck_assert_int_eq(symlink(base, link), 0);
    ck_ok(drop_open(link, 0, &drop, &err));
    ck_fails(drop_look(drop, &err), E_REFUSED, "got a symbolic link");
    drop_close(drop);
    ck_ok(file_replace(below, span_text("x"), FILE_PUBLIC, &err));
    ck_ok(drop_open(base, 0, &drop, &err));
    ck_fails(drop_look(drop, &err), E_REFUSED, "accepted");
    ck_assert_int_eq(unlink(below), 0);
    ck_ok(drop_look(drop, &err));
    drop_close(drop);
    drop_close(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/drop/folder");
    TCase *tcase = tcase_create("folder");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, the_watch);
    tcase_add_test(tcase, the_folder_goes_and_comes_back);
    tcase_add_test(tcase, where_it_cannot_be);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

/* The socket in the file system. */
#include "daemon/api/socket.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/testing.h"

static bool is_socket(const char *path, mode_t *ret_mode)
{
    struct stat st;

    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    *ret_mode = st.st_mode & 07777;
    return true;
}

START_TEST(makes_folder_and_socket)
{
    struct error err = {0};
    struct listener listener;
    AUTO_FREE char *path = testing_path("a/b/api.sock");
    AUTO_FREE char *folder = testing_path("a/b");
    struct stat st;
    mode_t mode;

    umask(022);
    ck_ok(listener_open(path, &listener, &err));
    ck_assert(is_socket(path, &mode));
    ck_assert_uint_eq(mode, 0666);
    ck_assert_int_eq(stat(folder, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0755);
    listener_close(&listener);
    ck_assert(!is_socket(path, &mode));
    listener_close(&listener);
}
END_TEST

START_TEST(another_daemon_is_left_alone)
{
    struct error err = {0};
    struct listener first, second;
    AUTO_FREE char *path = testing_path("api.sock");
    mode_t mode;

    ck_ok(listener_open(path, &first, &err));
    ck_fails(listener_open(path, &second, &err), E_BUSY, "another daemon answers");
    ck_assert(is_socket(path, &mode));
    listener_close(&first);
}
END_TEST

/* A daemon that does not come to accept is there all the same. */
START_TEST(a_full_backlog_is_not_stale)
{
    struct error err = {0};
    struct listener second;
    AUTO_FREE char *path = testing_path("api.sock");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path) + 1);
    int busy = socket(AF_UNIX, SOCK_STREAM, 0), waits = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(busy, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(busy, 0), 0);
    ck_assert_int_eq(connect(waits, (struct sockaddr *)&address, sizeof address), 0);
    ck_fails(listener_open(path, &second, &err), E_BUSY, "another daemon may be there");
    close(waits);
    close(busy);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
    struct error err = {0};
    struct listener listener;
    AUTO_FREE char *path = testing_path("api.sock");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, path, strlen(path) + 1);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    ck_ok(listener_open(path, &listener, &err));
    listener_close(&listener);
}
END_TEST

START_TEST(other_files_are_not_removed)
{
    struct error err = {0};
    struct listener listener;
    AUTO_FREE char *path = testing_path("precious");
    AUTO_FREE char *link = testing_path("link");
    struct stat st;

    ck_ok(file_replace(path, span_text("data"), FILE_PUBLIC, &err));
    ck_fails(listener_open(path, &listener, &err), E_EXISTS, "another file");
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(symlink(path, link), 0);
    ck_fails(listener_open(link, &listener, &err), E_EXISTS, "another file");
}
END_TEST

START_TEST(a_successor_keeps_its_socket)
{
    struct error err = {0};
    struct listener first, second;
    AUTO_FREE char *path = testing_path("api.sock");
    mode_t mode;

    ck_ok(listener_open(path, &first, &err));
    ck_assert_int_eq(unlink(path), 0);
    ck_ok(listener_open(path, &second, &err));
    listener_close(&first);
    ck_assert(is_socket(path, &mode));
    listener_close(&second);
}
END_TEST

START_TEST(paths_that_do_not_fit)
{
    struct error err = {0};
    struct listener listener;
    char path[200] = "/";

    memset(path + 1, 'a', 120);
    ck_fails(listener_open(path, &listener, &err), E_INPUT, "at most 107 bytes, got 121");
    ck_fails(listener_open("api.sock", &listener, &err), E_INPUT, "absolute");
    ck_fails(listener_open("", &listener, &err), E_INPUT, "absolute");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("api-socket");
    TCase *tcase = tcase_create("socket");

    tcase_add_test(tcase, makes_folder_and_socket);
    tcase_add_test(tcase, another_daemon_is_left_alone);
    tcase_add_test(tcase, a_full_backlog_is_not_stale);
    tcase_add_test(tcase, a_stale_socket_is_replaced);
    tcase_add_test(tcase, other_files_are_not_removed);
    tcase_add_test(tcase, a_successor_keeps_its_socket);
    tcase_add_test(tcase, paths_that_do_not_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}

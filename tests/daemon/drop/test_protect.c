/* Filed files with private keys: kept from others, erased when asked. And the way to the folder. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/drop/drop.h"
#include "tests/testing.h"

enum { NOBODY = 65534 };

static struct error err;
static char *folder, *filed;
static struct drop *drop;

static void set_up(void)
{
    folder = testing_path("drop");
    filed = testing_path("drop/rejected/www.key");
    ck_ok(drop_open(folder, 0, &drop, &err));
    ck_ok(drop_look(drop, &err));
    ck_ok(file_replace(filed, span_text("secret\n"), FILE_PUBLIC, &err));
}

static void tear_down(void)
{
    drop_close(drop);
    free(filed);
    free(folder);
}

static struct stat look(void)
{
    struct stat st;

    ck_assert_int_eq(lstat(filed, &st), 0);
    return st;
}

START_TEST(others_may_not_read_it)
{
    ck_assert_int_eq(look().st_mode & 0777, 0644);
    ck_ok(drop_protect(drop, false, "www.key", false, &err));
    ck_assert_int_eq(look().st_mode & 0777, 0600);
    ck_assert_int_eq(look().st_size, 7);
    ck_ok(drop_protect(drop, false, "www.key", false, &err));
}
END_TEST

START_TEST(its_content_is_overwritten)
{
    AUTO_FD int fd = open(filed, O_RDONLY | O_CLOEXEC);
    ino_t before = look().st_ino;

    ck_assert_int_ge(fd, 0);
    ck_ok(drop_protect(drop, false, "www.key", true, &err));
    ck_assert_int_eq(look().st_size, 0);
    ck_assert_int_eq(look().st_mode & 0777, 0600);
    /* In place: whoever holds it open has nothing either. */
    ck_assert(look().st_ino == before);
    ck_ok(drop_protect(drop, false, "www.key", true, &err));
}
END_TEST

START_TEST(nothing_else_is_touched)
{
    AUTO_FREE char *elsewhere = testing_path("elsewhere");
    struct stat st;

    ck_ok(file_replace(elsewhere, span_text("precious"), FILE_PUBLIC, &err));
    ck_assert_int_eq(unlink(filed), 0);
    ck_fails(drop_protect(drop, false, "www.key", true, &err), E_NOT_FOUND, "cannot be kept");
    ck_assert_int_eq(symlink(elsewhere, filed), 0);
    ck_assert_int_lt(drop_protect(drop, false, "www.key", true, &err), 0);
    ck_assert_int_eq(unlink(filed), 0);
    ck_assert_int_eq(link(elsewhere, filed), 0);
    ck_fails(drop_protect(drop, false, "www.key", true, &err), E_REFUSED, "one link");
    ck_assert_int_eq(unlink(filed), 0);
    ck_assert_int_eq(mkfifo(filed, 0644), 0);
    ck_fails(drop_protect(drop, false, "www.key", true, &err), E_REFUSED, "regular file");
    ck_fails(drop_protect(drop, false, "../../elsewhere", true, &err), E_INPUT, "name of a filed");
    ck_assert_int_eq(lstat(elsewhere, &st), 0);
    ck_assert_int_eq(st.st_size, 8);
    ck_assert_int_eq(st.st_mode & 0777, 0644);
}
END_TEST

/* The file belongs to whoever dropped it; the daemon may move it, but not change it. */
START_TEST(the_file_of_somebody_else_is_replaced)
{
    AUTO_FREE char *rejected = testing_path("drop/rejected");
    int status = 0;

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chown(folder, NOBODY, NOBODY), 0);
    ck_assert_int_eq(chown(rejected, NOBODY, NOBODY), 0);
    ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(setresuid(NOBODY, NOBODY, NOBODY) == 0 &&
                      drop_protect(drop, false, "www.key", _i == 1, &err) == 0
                  ? 0
                  : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_uint_eq(look().st_uid, NOBODY);
    ck_assert_int_eq(look().st_mode & 0777, 0600);
    ck_assert_int_eq(look().st_size, _i == 1 ? 0 : 7);
}
END_TEST

/* /srv/share/ssl -> /etc/ssl by somebody who may write to the share; the folder is "ssl/certs". */
START_TEST(strangers_links_are_not_followed)
{
    struct drop *other = NULL;
    AUTO_FREE char *base = testing_path("base");
    AUTO_FREE char *certs = testing_path("base/certs");
    AUTO_FREE char *link = testing_path("ssl");
    AUTO_FREE char *way = testing_path("ssl/certs");

    if (geteuid() != 0)
        return;
    ck_ok(file_make_dirs(certs, 0755, &err));
    ck_assert_int_eq(symlink(base, link), 0);
    ck_ok(drop_open(way, 0, &other, &err));
    ck_ok(drop_look(other, &err));
    drop_release(other);
    ck_assert_int_eq(lchown(link, NOBODY, NOBODY), 0);
    ck_fails(drop_look(other, &err), E_REFUSED, "got \"ssl\" of uid");
    drop_close(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/drop/protect");
    TCase *tcase = tcase_create("protect");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, others_may_not_read_it);
    tcase_add_test(tcase, its_content_is_overwritten);
    tcase_add_test(tcase, nothing_else_is_touched);
    tcase_add_test(tcase, strangers_links_are_not_followed);
    tcase_add_loop_test(tcase, the_file_of_somebody_else_is_replaced, 0, 2);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

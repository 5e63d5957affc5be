#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/testing.h"

enum { STRANGER = 12345 };

static struct error err;
static char *folder, *path;

static void setup(void)
{
    umask(0);
    folder = testing_path("etc");
    path = testing_path("etc/file");
    ck_ok(file_make_dirs(folder, 0755, &err));
    ck_ok(file_replace(path, span_text("text"), FILE_PUBLIC, &err));
}

static void teardown(void)
{
    free(folder);
    free(path);
}

static bool is_root(const char *what)
{
    if (geteuid() != 0)
        printf("# skipped: only root can %s\n", what);
    return geteuid() == 0;
}

static void set_mode(const char *name, mode_t mode)
{
    ck_assert_int_eq(chmod(name, mode), 0);
}

START_TEST(test_fine)
{
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_check_trusted(path, 0, &err));
    ck_ok(file_check_trusted_dir(folder, &err));
    ck_ok(file_read_trusted(path, 100, &data, &err));
    ck_assert_str_eq((const char *)data.data, "text");
    ck_ok(file_check_trusted("/etc/passwd", 0, &err));
    ck_ok(file_check_trusted("/bin/sh", 0, &err));
    ck_assert_int_eq(chdir(folder), 0);
    ck_ok(file_check_trusted("file", 0, &err));
    set_mode(path, 0600);
    ck_ok(file_check_trusted(path, 0077, &err));
}
END_TEST

START_TEST(test_mode_of_the_file)
{
    AUTO_BLOB struct blob data = {0};
    AUTO_FREE char *advice =
        mem_printf("got mode 0666 of uid %u; run: chmod go-w %s", (unsigned)geteuid(), path);

    set_mode(path, 0666);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, "wanted a file that only root can write");
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, advice);
    ck_fails(file_read_trusted(path, 100, &data, &err), E_DENIED, advice);
    ck_assert_ptr_null(data.data);
    set_mode(path, 0602);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, "mode 0602");
}
END_TEST

START_TEST(test_mode_of_the_folder)
{
    AUTO_BLOB struct blob data = {0};
    AUTO_FREE char *advice = mem_printf("run: chmod go-w %s", folder);

    set_mode(folder, 0757);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, "wanted a folder that only root");
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, advice);
    ck_fails(file_read_trusted(path, 100, &data, &err), E_DENIED, advice);
    ck_fails(file_check_trusted_dir(folder, &err), E_DENIED, advice);
    set_mode(folder, 01777);
    ck_ok(file_check_trusted(path, 0, &err));
    ck_ok(file_read_trusted(path, 100, &data, &err));
}
END_TEST

/* Also where the file lies behind a link. */
START_TEST(test_link)
{
    AUTO_FREE char *link = testing_path("link");
    AUTO_BLOB struct blob data = {0};

    ck_assert_int_eq(symlink(path, link), 0);
    ck_ok(file_check_trusted(link, 0, &err));
    set_mode(folder, 0777);
    ck_fails(file_check_trusted(link, 0, &err), E_DENIED, "folder");
    set_mode(folder, 0755);
    if (!is_root("give a link away"))
        return;
    ck_assert_int_eq(lchown(link, STRANGER, 0), 0);
    ck_fails(file_check_trusted(link, 0, &err), E_DENIED, "got one of uid 12345; run: chown -h");
    ck_fails(file_read_trusted(link, 100, &data, &err), E_DENIED, "symbolic link of root");
}
END_TEST

START_TEST(test_group)
{
    if (!is_root("give files away"))
        return;
    set_mode(path, 0664);
    ck_ok(file_check_trusted(path, 0, &err));
    ck_assert_int_eq(chown(path, 0, STRANGER), 0);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, "mode 0664 of uid 0; run: chmod go-w");
    ck_assert_int_eq(chown(path, 0, 0), 0);
    set_mode(folder, 0775);
    ck_ok(file_check_trusted(path, 0, &err));
    ck_assert_int_eq(chown(folder, 0, STRANGER), 0);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, "mode 0775 of uid 0");
}
END_TEST

START_TEST(test_owner)
{
    AUTO_FREE char *both = mem_printf("run: chown root %s && chmod go-w %s", path, path);
    AUTO_FREE char *one = mem_printf("run: chown root %s", folder);

    if (!is_root("give files away"))
        return;
    ck_assert_int_eq(chown(path, STRANGER, 0), 0);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, "got mode 0644 of uid 12345");
    set_mode(path, 0666);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, both);
    ck_assert_int_eq(chown(path, 0, 0), 0);
    set_mode(path, 0644);
    ck_assert_int_eq(chown(folder, STRANGER, 0), 0);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, one);
    /* Sticky keeps others from renaming, not its owner. */
    set_mode(folder, 01777);
    ck_fails(file_check_trusted(path, 0, &err), E_DENIED, one);
}
END_TEST

START_TEST(test_secret)
{
    set_mode(path, 0640);
    ck_fails(file_check_trusted(path, 0077, &err), E_DENIED, "only root can read and write");
    ck_fails(file_check_trusted(path, 0077, &err), E_DENIED, "run: chmod go-rwx");
    set_mode(path, 0604);
    ck_fails(file_check_trusted(path, 0077, &err), E_DENIED, "mode 0604");
    set_mode(path, 0400);
    ck_ok(file_check_trusted(path, 0077, &err));
}
END_TEST

START_TEST(test_nothing_there)
{
    AUTO_FREE char *gone = testing_path("gone/file");
    AUTO_FREE char *dangling = testing_path("dangling");
    AUTO_BLOB struct blob data = {0};

    ck_assert_int_eq(symlink(gone, dangling), 0);
    ck_fails(file_check_trusted(gone, 0, &err), E_NOT_FOUND, "No such file");
    ck_fails(file_check_trusted(dangling, 0, &err), E_NOT_FOUND, "No such file");
    ck_fails(file_read_trusted(gone, 9, &data, &err), E_NOT_FOUND, "cannot open");
    ck_fails(file_check_trusted_dir(gone, &err), E_NOT_FOUND, "No such file");
    ck_fails(file_check_trusted_dir(path, &err), E_FORMAT, "wanted a folder");
    ck_fails(file_check_trusted(folder, 0, &err), E_FORMAT, "wanted a regular file");
    ck_fails(file_read_trusted(folder, 9, &data, &err), E_FORMAT, "wanted a regular file");
    ck_fails(file_read_trusted(path, 3, &data, &err), E_TOO_LARGE, "at most 3 bytes");
}
END_TEST

/* ---- where root writes: file_open_parent ---- */

START_TEST(test_target_folder)
{
    AUTO_FD int dir = -1;
    const char *name = NULL;
    AUTO_FREE char *advice = mem_printf("got mode 0757; run: chmod o-w %s", folder);

    set_mode(folder, 0757);
    ck_fails(file_open_parent(path, &dir, &name, &err), E_DENIED, advice);
    ck_assert_int_eq(dir, -1);
    ck_assert_ptr_null(name);
    /* A service's group may write beside its certificate. */
    set_mode(folder, 0775);
    ck_ok(file_open_parent(path, &dir, &name, &err));
    file_close(&dir);
    set_mode(folder, 01777);
    ck_ok(file_open_parent(path, &dir, &name, &err));
}
END_TEST

START_TEST(test_target_link)
{
    static const char *const ways[] = {"link/file", "link//file", "link/./file", "link/.//./file"};
    AUTO_FREE char *link = testing_path("link");
    AUTO_FD int dir = -1;
    const char *name = NULL;

    ck_assert_int_eq(symlink(folder, link), 0);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        AUTO_FREE char *way = testing_path(ways[i]);

        ck_ok(file_open_parent(way, &dir, &name, &err));
        ck_assert_int_eq(faccessat(dir, name, F_OK, 0), 0);
        file_close(&dir);
    }
    if (!is_root("give a link away"))
        return;
    ck_assert_int_eq(lchown(link, STRANGER, 0), 0);
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        AUTO_FREE char *way = testing_path(ways[i]);

        ck_fails(file_open_parent(way, &dir, &name, &err), E_DENIED, "symbolic link of uid 12345");
    }
}
END_TEST

static void is_reached(const char *way, bool wanted)
{
    AUTO_FREE char *name = testing_path(way);
    AUTO_FD int fd = -1;
    struct stat here, there;

    int rc = file_open_dir_straight(name, &fd, &err);
    ck_assert_msg((rc == 0) == wanted, "%s: %s", way, err.text);
    if (!wanted)
        return;
    ck_assert_int_eq(fstat(fd, &here), 0);
    ck_assert_int_eq(stat(name, &there), 0);
    ck_assert_uint_eq(here.st_ino, there.st_ino);
}

START_TEST(test_straight)
{
    AUTO_FREE char *below = testing_path("etc/ssl/certs");
    AUTO_FREE char *absolute = testing_path("absolute");
    AUTO_FREE char *relative = testing_path("etc/relative");
    AUTO_FREE char *endless = testing_path("endless");
    AUTO_FD int fd = -1;

    ck_ok(file_make_dirs(below, 0755, &err));
    ck_assert_int_eq(symlink(folder, absolute), 0);
    ck_assert_int_eq(symlink("../etc/./ssl/", relative), 0);
    ck_assert_int_eq(symlink("endless/x", endless), 0);
    is_reached("etc", true);
    is_reached("etc/ssl//certs/", true);
    is_reached("etc/ssl/../ssl/certs", true);
    is_reached("absolute/ssl/certs", true);
    is_reached("absolute/relative/certs", true);
    is_reached("absolute/relative/none", false);
    is_reached("etc/file", false);
    is_reached("etc/file/x", false);
    is_reached("absolute", false);
    is_reached("etc/relative/", false);
    is_reached("endless/y", false);
    ck_ok(file_open_dir_straight("/", &fd, &err));
    ck_fails(file_open_dir_straight("etc", &fd, &err), E_INPUT, "absolute");
    if (!is_root("give a link away"))
        return;
    ck_assert_int_eq(lchown(relative, STRANGER, STRANGER), 0);
    AUTO_FREE char *way = testing_path("absolute/relative/certs");
    ck_fails(file_open_dir_straight(way, &fd, &err), E_REFUSED,
             "got \"relative\" of uid 12345; give the path of the real folder");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/file_trust");
    TCase *tcase = tcase_create("trust");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_fine);
    tcase_add_test(tcase, test_mode_of_the_file);
    tcase_add_test(tcase, test_mode_of_the_folder);
    tcase_add_test(tcase, test_link);
    tcase_add_test(tcase, test_group);
    tcase_add_test(tcase, test_owner);
    tcase_add_test(tcase, test_secret);
    tcase_add_test(tcase, test_nothing_there);
    tcase_add_test(tcase, test_target_folder);
    tcase_add_test(tcase, test_target_link);
    tcase_add_test(tcase, test_straight);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

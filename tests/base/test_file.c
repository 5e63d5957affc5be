#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "tests/testing.h"

static struct error err;

static int open_dir(void)
{
    int fd = -1;

    ck_ok(file_open_dir(testing_dir(), &fd, &err));
    return fd;
}

static void ck_content(int dir, const char *name, const char *wanted)
{
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_read_at(dir, name, 1 << 20, &data, &err));
    ck_assert_uint_eq(data.len, strlen(wanted));
    ck_assert_mem_eq(data.data, wanted, data.len);
}

static int count_entries(void)
{
    DIR *folder = opendir(testing_dir());
    int count = 0;

    while (readdir(folder))
        count++;
    closedir(folder);
    return count - 2;
}

static mode_t mode_of(int dir, const char *name)
{
    struct stat st;

    ck_assert_int_eq(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st.st_mode & 07777;
}

START_TEST(test_close)
{
    int fd = open("/", O_RDONLY | O_CLOEXEC), again = fd;

    file_close(&fd);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(fcntl(again, F_GETFD), -1);
    file_close(&fd);
}
END_TEST

START_TEST(test_open_dir)
{
    AUTO_FD int dir = open_dir();
    AUTO_FREE char *gone = testing_path("gone");
    AUTO_FREE char *link = testing_path("link");
    AUTO_FREE char *file = testing_path("file");
    int fd = -7;

    ck_assert_int_eq(symlinkat("/", dir, "link"), 0);
    ck_ok(file_create_at(dir, "file", span_text("x"), FILE_PUBLIC, &err));
    ck_fails(file_open_dir(gone, &fd, &err), E_NOT_FOUND, gone);
    ck_fails(file_open_dir(link, &fd, &err), E_NOT_FOUND, link);
    ck_fails(file_open_dir(file, &fd, &err), E_NOT_FOUND, file);
    ck_assert_int_eq(fd, -7);
}
END_TEST

START_TEST(test_make_dirs)
{
    AUTO_FD int dir = open_dir();
    AUTO_FREE char *deep = testing_path("a/b/c");
    AUTO_FREE char *slash = testing_path("a/b/c/");
    AUTO_FREE char *file = testing_path("file");
    AUTO_FREE char *below = testing_path("file/x");

    umask(0);
    ck_ok(file_make_dirs(deep, 0700, &err));
    /* A private folder has private parents. */
    ck_assert_int_eq(mode_of(dir, "a"), 0700);
    ck_assert_int_eq(mode_of(dir, "a/b/c"), 0700);
    ck_ok(file_make_dirs(deep, 0755, &err));
    ck_ok(file_make_dirs(slash, 0755, &err));
    ck_assert_int_eq(mode_of(dir, "a/b/c"), 0700);
    ck_ok(file_make_dirs("/", 0755, &err));
    ck_ok(file_create_at(dir, "file", span_text("x"), FILE_PUBLIC, &err));
    ck_fails(file_make_dirs(file, 0755, &err), E_EXISTS, "wanted a folder");
    ck_fails(file_make_dirs(below, 0755, &err), E_NOT_FOUND, below);
    ck_fails(file_make_dirs("", 0755, &err), E_INPUT, "wanted a path");
}
END_TEST

START_TEST(test_open_parent)
{
    static const char *const bad[] = {"", "name", "a/b", "/", "/tmp/", "/tmp/.", "/tmp/.."};
    AUTO_FD int dir = -1;
    const char *name = NULL;
    AUTO_FREE char *path = testing_path("x.pem");
    AUTO_FREE char *gone = testing_path("gone/x.pem");

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        ck_fails(file_open_parent(bad[i], &dir, &name, &err), E_INPUT, "absolute path");
    ck_fails(file_open_parent(gone, &dir, &name, &err), E_NOT_FOUND, "gone");
    ck_assert_int_eq(dir, -1);
    ck_assert_ptr_null(name);
    ck_ok(file_open_parent(path, &dir, &name, &err));
    ck_assert_str_eq(name, "x.pem");
    file_close(&dir);
    ck_ok(file_open_parent("/x", &dir, &name, &err));
    ck_assert_str_eq(name, "x");
}
END_TEST

START_TEST(test_create)
{
    AUTO_FD int dir = open_dir();

    umask(0);
    ck_ok(file_create_at(dir, "key", span_text("secret"), FILE_PRIVATE, &err));
    ck_ok(file_create_at(dir, "crt", span_text(""), FILE_PUBLIC, &err));
    ck_assert_int_eq(mode_of(dir, "key"), 0600);
    ck_assert_int_eq(mode_of(dir, "crt"), 0644);
    ck_content(dir, "key", "secret");
    ck_content(dir, "crt", "");
    /* umask narrows what a process makes, not what it was told to make. */
    umask(0077);
    ck_ok(file_create_at(dir, "open", span_text("x"), FILE_PUBLIC, &err));
    ck_assert_int_eq(mode_of(dir, "open"), 0644);
}
END_TEST

START_TEST(test_create_is_exclusive)
{
    AUTO_FD int dir = open_dir();

    ck_ok(file_create_at(dir, "file", span_text("first"), FILE_PUBLIC, &err));
    ck_fails(file_create_at(dir, "file", span_text("second"), FILE_PUBLIC, &err), E_EXISTS, "file");
    ck_content(dir, "file", "first");
    /* Nor through a link somebody laid out, dangling or not. */
    ck_assert_int_eq(symlinkat("target", dir, "dangling"), 0);
    ck_assert_int_eq(symlinkat("file", dir, "link"), 0);
    ck_fails(file_create_at(dir, "dangling", span_text("x"), FILE_PUBLIC, &err), E_EXISTS, "");
    ck_fails(file_create_at(dir, "link", span_text("x"), FILE_PUBLIC, &err), E_EXISTS, "");
    ck_assert_int_eq(faccessat(dir, "target", F_OK, 0), -1);
    ck_content(dir, "file", "first");
}
END_TEST

START_TEST(test_owner)
{
    AUTO_FD int dir = open_dir();
    struct stat st;

    if (geteuid() != 0)
        return;
    ck_ok(file_create_at(dir, "file", span_text("x"), (struct file_access){65534, 65533, 0640},
                         &err));
    ck_assert_int_eq(fstatat(dir, "file", &st, 0), 0);
    ck_assert_uint_eq(st.st_uid, 65534);
    ck_assert_uint_eq(st.st_gid, 65533);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_ok(file_create_at(dir, "group", span_text("x"), (struct file_access){(uid_t)-1, 65533, 0640},
                         &err));
    ck_assert_int_eq(fstatat(dir, "group", &st, 0), 0);
    ck_assert_uint_eq(st.st_uid, 0);
    ck_assert_uint_eq(st.st_gid, 65533);
}
END_TEST

START_TEST(test_read)
{
    AUTO_FD int dir = open_dir();
    AUTO_FREE char *path = testing_path("file");
    AUTO_FREE char *link = testing_path("link");
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_create_at(dir, "file", span_of("12345\0\n", 7), FILE_PUBLIC, &err));
    ck_ok(file_read_at(dir, "file", 7, &data, &err));
    ck_assert_uint_eq(data.len, 7);
    ck_assert_mem_eq(data.data, "12345\0\n", 8);
    blob_done(&data);
    ck_fails(file_read_at(dir, "file", 6, &data, &err), E_TOO_LARGE, "at most 6 bytes, got 7");
    ck_fails(file_read_at(dir, "gone", 6, &data, &err), E_NOT_FOUND, "gone");
    ck_fails(file_read("/nowhere/x", 6, &data, &err), E_NOT_FOUND, "/nowhere/x");
    ck_assert_ptr_null(data.data);
    /* An administrator may name a link, a stranger may not. */
    ck_assert_int_eq(symlinkat("file", dir, "link"), 0);
    ck_fails(file_read_at(dir, "link", 7, &data, &err), E_FORMAT, "symbolic link");
    ck_ok(file_read(link, 7, &data, &err));
    ck_assert_uint_eq(data.len, 7);
    blob_done(&data);
    ck_ok(file_read(path, 7, &data, &err));
}
END_TEST

static void make_socket(int dir, const char *name)
{
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
}

START_TEST(test_read_wants_a_regular_file)
{
    static const char *const names[] = {"folder", "fifo", "socket"};
    AUTO_FD int dir = open_dir();
    AUTO_BLOB struct blob data = {0};

    ck_assert_int_eq(mkdirat(dir, "folder", 0700), 0);
    ck_assert_int_eq(mkfifoat(dir, "fifo", 0600), 0);
    make_socket(dir, "socket");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = testing_path(names[i]);

        ck_fails(file_read_at(dir, names[i], 100, &data, &err), E_FORMAT, "regular file");
        ck_fails(file_read(path, 100, &data, &err), E_FORMAT, "regular file");
    }
    ck_fails(file_read("/dev/null", 100, &data, &err), E_FORMAT, "regular file");
    ck_assert_ptr_null(data.data);
}
END_TEST

START_TEST(test_replace)
{
    AUTO_FD int dir = open_dir();
    AUTO_FREE char *path = testing_path("file");

    ck_ok(file_replace(path, span_text("one"), FILE_PUBLIC, &err));
    ck_ok(file_replace(path, span_text("two"), FILE_PRIVATE, &err));
    ck_content(dir, "file", "two");
    ck_assert_int_eq(mode_of(dir, "file"), 0600);
    ck_assert_int_eq(count_entries(), 1);
    /* A crash before the rename. */
    ck_ok(file_create_at(dir, ".file.unlapsed-new", span_text("thr"), FILE_PUBLIC, &err));
    ck_ok(file_replace(path, span_text("three"), FILE_PRIVATE, &err));
    ck_content(dir, "file", "three");
    ck_assert_int_eq(mode_of(dir, "file"), 0600);
    ck_assert_int_eq(count_entries(), 1);
    ck_fails(file_replace("file", span_text("x"), FILE_PUBLIC, &err), E_INPUT, "absolute");
}
END_TEST

START_TEST(test_replace_of_links_and_folders)
{
    AUTO_FD int dir = open_dir();
    struct stat st;

    ck_ok(file_create_at(dir, "precious", span_text("old"), FILE_PUBLIC, &err));
    ck_assert_int_eq(symlinkat("precious", dir, "link"), 0);
    ck_assert_int_eq(mkdirat(dir, "folder", 0700), 0);
    /* The link is replaced, not what it points at. */
    ck_ok(file_replace_at(dir, "link", span_text("new"), FILE_PUBLIC, &err));
    ck_assert_int_eq(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    ck_assert(S_ISREG(st.st_mode));
    ck_content(dir, "precious", "old");
    ck_content(dir, "link", "new");
    ck_fails(file_replace_at(dir, "folder", span_text("x"), FILE_PUBLIC, &err), E_IO, "folder");
    ck_assert_int_eq(count_entries(), 3);
}
END_TEST

START_TEST(test_rename_and_remove)
{
    AUTO_FD int dir = open_dir();

    ck_ok(file_create_at(dir, "a", span_text("a"), FILE_PUBLIC, &err));
    ck_ok(file_create_at(dir, "b", span_text("b"), FILE_PUBLIC, &err));
    ck_ok(file_rename_at(dir, "a", "b", &err));
    ck_content(dir, "b", "a");
    ck_fails(file_rename_at(dir, "a", "c", &err), E_NOT_FOUND, "cannot rename to c");
    ck_ok(file_remove_at(dir, "b", &err));
    ck_ok(file_remove_at(dir, "b", &err));
    ck_assert_int_eq(count_entries(), 0);
    ck_assert_int_eq(mkdirat(dir, "folder", 0700), 0);
    ck_fails(file_remove_at(dir, "folder", &err), E_IO, "cannot remove");
}
END_TEST

/* The fault loop: call number `strike` fails, and with `rest` every later one too. */
struct faults {
    int calls;
    int strike;
    bool rest;
    bool struck;
    bool unlink_struck;
};

static int strike(void *self, const char *call)
{
    struct faults *faults = self;
    bool now = ++faults->calls == faults->strike || (faults->rest && faults->struck);

    faults->struck = faults->struck || now;
    faults->unlink_struck = faults->unlink_struck || (now && strcmp(call, "unlink") == 0);
    return now ? ENOSPC : 0;
}

static int with_fault(int number, bool rest, struct faults *ret, int (*run)(int dir), int dir)
{
    *ret = (struct faults){.strike = number, .rest = rest};
    err = (struct error){0};
    file_fault_set(strike, ret);
    int rc = run(dir);
    file_fault_set(NULL, NULL);
    if (ret->struck && !ret->unlink_struck)
        ck_assert_int_eq(rc, E_FULL);
    if (!ret->struck)
        ck_assert_int_eq(rc, 0);
    return rc;
}

static int replace_file(int dir)
{
    AUTO_FREE char *path = testing_path("file");

    (void)dir;
    return file_replace(path, span_text("the new content"), FILE_PRIVATE, &err);
}

START_TEST(test_replace_under_faults)
{
    AUTO_FD int dir = open_dir();
    struct faults faults = {.struck = true};
    int strikes = 0;

    for (int number = 1; faults.struck; number++) {
        AUTO_BLOB struct blob data = {0};

        ck_ok(file_replace_at(dir, "file", span_text("old"), FILE_PUBLIC, &err));
        int before = count_entries();
        int rc = with_fault(number, _i == 1, &faults, replace_file, dir);
        ck_ok(file_read_at(dir, "file", 100, &data, &err));
        bool old = span_equal(blob_span(&data), span_text("old"));
        bool new = span_equal(blob_span(&data), span_text("the new content"));
        ck_assert_msg(rc == 0 ? new : old || new, "call %d: %s", number, (char *)data.data);
        ck_assert_int_eq(mode_of(dir, "file"), old ? 0644 : 0600);
        if (!faults.unlink_struck)
            ck_assert_msg(count_entries() == before, "call %d left something behind", number);
        strikes += faults.struck;
    }
    /* open, write, fsync, fsync of the folder, rename, fsync of the folder */
    ck_assert_int_eq(strikes, 7);
}
END_TEST

static const struct file_new many[] = {{"a", {(const uint8_t *)"new a", 5}},
                                       {"b", {(const uint8_t *)"new b", 5}}};

static int replace_many(int dir)
{
    return file_replace_many_at(dir, "folder", many, COUNT_OF(many), FILE_PUBLIC, &err);
}

START_TEST(test_replace_many_under_faults)
{
    AUTO_FD int dir = open_dir();
    struct faults faults = {.struck = true};
    int strikes = 0;

    for (int number = 1; faults.struck; number++) {
        for (size_t i = 0; i < COUNT_OF(many); i++)
            ck_ok(file_replace_at(dir, many[i].name, span_text("old"), FILE_PRIVATE, &err));
        int before = count_entries();
        int rc = with_fault(number, _i == 1, &faults, replace_many, dir);
        for (size_t i = 0; i < COUNT_OF(many); i++) {
            AUTO_BLOB struct blob data = {0};

            ck_ok(file_read_at(dir, many[i].name, 100, &data, &err));
            bool new = span_equal(blob_span(&data), many[i].data);
            ck_assert_msg(new || (rc < 0 && span_equal(blob_span(&data), span_text("old"))),
                          "call %d: %s: %s", number, many[i].name, (char *)data.data);
            ck_assert_int_eq(mode_of(dir, many[i].name), new ? 0644 : 0600);
        }
        if (!faults.unlink_struck)
            ck_assert_msg(count_entries() == before, "call %d left something behind", number);
        strikes += faults.struck;
    }
    /* of each unlink, open, write; one sync of all; of each rename; fsync of the folder */
    ck_assert_int_eq(strikes, 10);
}
END_TEST

static int create_file(int dir)
{
    return file_create_at(dir, "file", span_text("content"), FILE_PRIVATE, &err);
}

START_TEST(test_create_under_faults)
{
    AUTO_FD int dir = open_dir();
    struct faults faults = {.struck = true};
    int strikes = 0;

    for (int number = 1; faults.struck; number++) {
        int rc = with_fault(number, _i == 1, &faults, create_file, dir);

        if (!faults.unlink_struck)
            ck_assert_msg(count_entries() == (rc == 0), "call %d: %d entries", number,
                          count_entries());
        strikes += faults.struck;
        unlinkat(dir, "file", 0);
    }
    ck_assert_int_eq(strikes, 4);
}
END_TEST

static int remove_file(int dir)
{
    return file_remove_at(dir, "file", &err);
}

START_TEST(test_remove_under_faults)
{
    AUTO_FD int dir = open_dir();
    struct faults faults;

    ck_ok(file_create_at(dir, "file", span_text("x"), FILE_PUBLIC, &err));
    ck_assert_int_eq(with_fault(1, false, &faults, remove_file, dir), E_FULL);
    ck_content(dir, "file", "x");
    ck_assert_int_eq(with_fault(2, false, &faults, remove_file, dir), E_FULL);
    ck_assert_int_eq(count_entries(), 0);
    ck_ok(with_fault(3, false, &faults, remove_file, dir));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base/file");
    TCase *tc = tcase_create("file");

    tcase_add_test(tc, test_close);
    tcase_add_test(tc, test_open_dir);
    tcase_add_test(tc, test_make_dirs);
    tcase_add_test(tc, test_open_parent);
    tcase_add_test(tc, test_create);
    tcase_add_test(tc, test_create_is_exclusive);
    tcase_add_test(tc, test_owner);
    tcase_add_test(tc, test_read);
    tcase_add_test(tc, test_read_wants_a_regular_file);
    tcase_add_test(tc, test_replace);
    tcase_add_test(tc, test_replace_of_links_and_folders);
    tcase_add_test(tc, test_rename_and_remove);
    tcase_add_loop_test(tc, test_replace_under_faults, 0, 2);
    tcase_add_loop_test(tc, test_replace_many_under_faults, 0, 2);
    tcase_add_loop_test(tc, test_create_under_faults, 0, 2);
    tcase_add_test(tc, test_remove_under_faults);
    suite_add_tcase(suite, tc);
    return testing_run(suite);
}

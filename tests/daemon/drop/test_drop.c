#include "daemon/drop/drop.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "pki/delivery/delivery.h"
#include "tests/daemon/drop/harness.h"

static struct error err;

START_TEST(takes_and_files)
{
    struct drop *drop = harness_open(0);
    struct stat st;
    uint8_t hash[SHA256_LEN];

    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_uint_eq(harness_taken_count, 0);
    harness_put("www.pem", "content");
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_str_eq(harness_taken[0].name, "www.pem");
    ck_assert_str_eq(harness_taken[0].text, "content");
    ck_assert_str_eq(harness_taken[0].problem, "");
    sha256_of(span_text("content"), hash);
    ck_assert_mem_eq(harness_taken[0].sha256, hash, SHA256_LEN);

    AUTO_FREE char *filed = harness_file_away(drop, true, "Thank you.\n");
    ck_assert_str_eq(filed, "www.pem");
    ck_assert(!harness_is_there("www.pem"));
    harness_content("accepted/www.pem", "content");
    harness_content("accepted/www.pem.txt", "Thank you.\n");
    AUTO_FREE char *receipt = harness_inside("accepted/www.pem.txt");
    ck_assert_int_eq(stat(receipt, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0644);
    ck_assert_int_eq(harness_leftovers("accepted"), 0);

    ck_ok(drop_receipt(drop, true, "www.pem", "More news.\n", &err));
    harness_content("accepted/www.pem.txt", "More news.\n");
    ck_fails(drop_receipt(drop, true, "../www.pem", "x", &err), E_INPUT, "name of a filed");
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 0);
    drop_close(drop);
}
END_TEST

START_TEST(an_empty_file_is_handed_over)
{
    struct drop *drop = harness_open(0);

    harness_put("empty.crt", "");
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_uint_eq(harness_taken[0].len, 0);
    ck_assert_str_eq(harness_taken[0].problem, "");
    drop_close(drop);
}
END_TEST

static const char *const ignored[] = {
    "x.download",   "x.filepart",    "x.partial", "~x",        "x.swp",     "x~",         ".nfs1",
    ".smb1",        ".fuse_hidden1", ".~lock.x#", ".DS_Store", ".hidden",   "x.part",     "x.PART",
    "x.crdownload", "x.tmp",         "~$x.docx",  "Thumbs.db", "thumbs.db", "Desktop.ini"};

START_TEST(ignores)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *sub = harness_inside("folder.pem");

    harness_put(ignored[_i], "x");
    ck_assert_int_eq(mkdir(sub, 0755), 0);
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_msg(harness_taken_count == 0, "%s", ignored[_i]);
    drop_close(drop);
}
END_TEST

static void make_link(const char *path)
{
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
}

static void make_dangling(const char *path)
{
    ck_assert_int_eq(symlink("/no/such", path), 0);
}

static void make_hard_link(const char *path)
{
    AUTO_FREE char *other = testing_path("other");

    ck_ok(file_replace(other, span_text("secret"), FILE_PRIVATE, &err));
    ck_assert_int_eq(link(other, path), 0);
}

static void make_fifo(const char *path)
{
    ck_assert_int_eq(mkfifo(path, 0644), 0);
}

static void make_device(const char *path)
{
    ck_assert_int_eq(mknod(path, S_IFCHR | 0644, 5 << 8), 0);
}

static void make_socket(const char *path)
{
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
}

static void make_large(const char *path)
{
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    ck_assert_int_eq(ftruncate(fd, DELIVERY_FILE_MAX + 1), 0);
}

static const struct problem_row {
    const char *name;
    void (*make)(const char *path);
    const char *piece;
} problems[] = {
    {"link", make_link, "symbolic link"},        {"dangling", make_dangling, "symbolic link"},
    {"hard", make_hard_link, "hard link"},       {"fifo", make_fifo, "FIFO"},
    {"device", make_device, "device"},           {"socket", make_socket, "socket"},
    {"large", make_large, "larger than 10 MiB"},
};

START_TEST(what_cannot_be_a_delivery)
{
    const struct problem_row *row = &problems[_i];
    struct drop *drop = harness_open(0);
    AUTO_FREE char *path = harness_inside(row->name);
    uint8_t none[SHA256_LEN] = {0}, id[SHA256_LEN];

    row->make(path);
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_msg(harness_taken_count == 1, "%s", row->name);
    memcpy(id, harness_taken[0].sha256, SHA256_LEN);
    ck_assert_mem_ne(id, none, SHA256_LEN);
    ck_assert_int_eq(harness_scan(drop), 0);
    ck_assert_msg(harness_taken_count == 1, "%s", row->name);
    ck_assert_mem_eq(harness_taken[0].sha256, id, SHA256_LEN);
    ck_assert_msg(strstr(harness_taken[0].problem, row->piece), "%s: %s", row->name,
                  harness_taken[0].problem);
    ck_assert_uint_eq(harness_taken[0].len, 0);

    AUTO_FREE char *filed = harness_file_away(drop, false, "No.\n");
    AUTO_FREE char *moved = mem_printf("rejected/%s", row->name);
    AUTO_FREE char *receipt = mem_printf("rejected/%s.txt", row->name);
    ck_assert_str_eq(filed, row->name);
    ck_assert(!harness_is_there(row->name));
    ck_assert(harness_is_there(moved));
    harness_content(receipt, "No.\n");
    /* A crash before the receipt: the thing is found again. */
    AUTO_FREE char *written = harness_inside(receipt);
    AUTO_FREE char *found = NULL;
    ck_assert_int_eq(unlink(written), 0);
    ck_ok(drop_find_filed(drop, false, row->name, id, &found, &err));
    ck_assert_msg(found && strcmp(found, row->name) == 0, "%s", row->name);
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 0);
    row->make(path);
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_mem_ne(harness_taken[0].sha256, id, SHA256_LEN);
    drop_close(drop);
}
END_TEST

START_TEST(largest_and_unreadable)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *path = harness_inside("largest");

    {
        AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_eq(ftruncate(fd, DELIVERY_FILE_MAX), 0);
    }
    harness_scan(drop);
    ck_assert_uint_eq(harness_taken_count, 1);
    ck_assert_str_eq(harness_taken[0].problem, "");
    ck_assert_uint_eq(harness_taken[0].len, DELIVERY_FILE_MAX);
    if (geteuid() == 0) {
        AUTO_FREE char *accepted = harness_inside("accepted");
        AUTO_FREE char *rejected = harness_inside("rejected");
        ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
        ck_assert_int_eq(
            chmod(harness_folder, 0777) + chmod(accepted, 0777) + chmod(rejected, 0777), 0);
        ck_assert_int_eq(seteuid(65534), 0);
        harness_scan(drop);
        ck_assert_int_eq(seteuid(0), 0);
        ck_assert_uint_eq(harness_taken_count, 1);
        ck_assert_str_eq(harness_taken[0].problem, "it cannot be read: Permission denied");
    }
    drop_close(drop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/drop");
    TCase *tcase = tcase_create("drop");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, takes_and_files);
    tcase_add_test(tcase, an_empty_file_is_handed_over);
    tcase_add_loop_test(tcase, ignores, 0, COUNT_OF(ignored));
    tcase_add_loop_test(tcase, what_cannot_be_a_delivery, 0, COUNT_OF(problems));
    tcase_add_test(tcase, largest_and_unreadable);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

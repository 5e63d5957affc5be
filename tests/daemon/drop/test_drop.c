#include "daemon/drop/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "pki/delivery/delivery.h"
#include "tests/testing.h"

static struct error err;
static char *folder;

/* What a look handed over. */
struct taken {
    char name[300];
    char text[64];
    size_t len;
    char problem[200];
    uint8_t sha256[SHA256_LEN];
    struct drop_stamp stamp;
};
static struct taken taken[64];
static size_t taken_count;
static bool put_off; /* every file that is handed over */

static void take(struct drop *drop, const struct drop_file *file)
{
    struct taken *to = &taken[taken_count++];

    *to = (struct taken){.len = file->data.len, .stamp = file->stamp};
    snprintf(to->name, sizeof to->name, "%s", file->name);
    snprintf(to->problem, sizeof to->problem, "%s", file->problem ? file->problem : "");
    memcpy(to->sha256, file->sha256, SHA256_LEN);
    if (file->data.len > 0)
        memcpy(to->text, file->data.data, file->data.len < 63 ? file->data.len : 63);
    if (put_off)
        ck_assert(drop_put_off(drop, file));
}

static seconds_t scan(struct drop *drop)
{
    struct error none;

    taken_count = 0;
    ck_ok(drop_look(drop, &err));
    for (;;) {
        AUTO_DROP_FILE struct drop_file file = {0};

        if (drop_next(drop, &file, &none) < 0)
            return drop_again(drop);
        take(drop, &file);
    }
}

static struct drop *open_drop(seconds_t settle)
{
    struct drop *drop;

    if (!folder)
        folder = testing_path("drop");
    ck_ok(drop_open(folder, settle, &drop, &err));
    return drop;
}

static char *inside(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
    AUTO_FREE char *path = inside(name);

    ck_ok(file_replace(path, span_text(text), FILE_PUBLIC, &err));
}

static void ck_content(const char *name, const char *text)
{
    AUTO_FREE char *path = inside(name);
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_read(path, BUF_MAX_DELIVERY, &data, &err));
    ck_assert_msg(span_equal(blob_span(&data), span_text(text)), "%s holds %.*s", name,
                  (int)data.len, (const char *)data.data);
}

static bool is_there(const char *name)
{
    AUTO_FREE char *path = inside(name);
    struct stat st;

    return lstat(path, &st) == 0;
}

/* Files what a look took, as the only one. */
static int file_one(struct drop *drop, const struct taken *from, bool accepted, const char *receipt,
                    char **ret_name)
{
    struct drop_file file = {.name = (char *)(uintptr_t)from->name, .stamp = from->stamp};
    struct drop_filing filing = {.file = &file, .accepted = accepted, .receipt = receipt};
    int rc = drop_file_away(drop, &filing, 1, &err);

    if (rc == 0 && filing.result < 0)
        rc = error_set(&err, filing.result, "%s", filing.reason);
    if (rc == 0) {
        ck_assert(!filing.receipt_missing);
        *ret_name = filing.name;
        filing.name = NULL;
    }
    drop_filing_done(&filing);
    return rc;
}

static char *file_away(struct drop *drop, bool accepted, const char *receipt)
{
    char *filed = NULL;

    ck_assert_uint_eq(taken_count, 1);
    ck_ok(file_one(drop, &taken[0], accepted, receipt, &filed));
    return filed;
}

/* Names in a folder below the drop folder that begin with a dot: ours, left over. */
static int leftovers(const char *sub)
{
    AUTO_FREE char *path = inside(sub);
    DIR *list = opendir(path);
    const struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(list);
    while ((entry = readdir(list)))
        count += strncmp(entry->d_name, ".unlapsed", 9) == 0;
    closedir(list);
    return count;
}

START_TEST(takes_and_files)
{
    struct drop *drop = open_drop(0);
    struct stat st;
    uint8_t hash[SHA256_LEN];

    ck_assert_int_eq(scan(drop), 0);
    ck_assert_uint_eq(taken_count, 0);
    put("www.pem", "content");
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_str_eq(taken[0].name, "www.pem");
    ck_assert_str_eq(taken[0].text, "content");
    ck_assert_str_eq(taken[0].problem, "");
    sha256_of(span_text("content"), hash);
    ck_assert_mem_eq(taken[0].sha256, hash, SHA256_LEN);

    AUTO_FREE char *filed = file_away(drop, true, "Thank you.\n");
    ck_assert_str_eq(filed, "www.pem");
    ck_assert(!is_there("www.pem"));
    ck_content("accepted/www.pem", "content");
    ck_content("accepted/www.pem.txt", "Thank you.\n");
    AUTO_FREE char *receipt = inside("accepted/www.pem.txt");
    ck_assert_int_eq(stat(receipt, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0644);
    ck_assert_int_eq(leftovers("accepted"), 0);

    ck_ok(drop_receipt(drop, true, "www.pem", "More news.\n", &err));
    ck_content("accepted/www.pem.txt", "More news.\n");
    ck_fails(drop_receipt(drop, true, "../www.pem", "x", &err), E_INPUT, "name of a filed");
    scan(drop);
    ck_assert_uint_eq(taken_count, 0);
    drop_close(drop);
}
END_TEST

START_TEST(what_is_put_off_comes_back_later)
{
    struct drop *drop = open_drop(0);

    put("a", "1");
    put("b", "2");
    put_off = true;
    scan(drop);
    put_off = false;
    ck_assert_uint_eq(taken_count, 2);
    ck_assert_int_ge(scan(drop), 1);
    ck_assert_uint_eq(taken_count, 0);
    ck_assert(drop_has_put_off(drop));
    /* Another file under the name, or other bytes in it, come at once. */
    put("a", "other");
    scan(drop);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_str_eq(taken[0].text, "other");
    AUTO_FREE char *path = inside("b");
    ck_assert_int_eq(unlink(path), 0);
    scan(drop);
    ck_assert(!drop_has_put_off(drop));
    drop_close(drop);
}
END_TEST

START_TEST(an_unfinished_file_waits)
{
    struct drop *drop = open_drop(1000);

    put("www.pem", "first");
    seconds_t again = scan(drop);
    ck_assert_uint_eq(taken_count, 0);
    ck_assert_int_gt(again, 990);
    ck_assert_int_le(again, 1000);
    again = scan(drop);
    ck_assert_uint_eq(taken_count, 0);
    ck_assert_int_gt(again, 900);
    drop_close(drop);
}
END_TEST

START_TEST(settles_when_it_stands_still)
{
    struct drop *drop = open_drop(2);
    AUTO_FREE char *path = inside("www.pem");

    put("www.pem", "first");
    ck_assert_int_ge(scan(drop), 1);
    usleep(1200 * 1000);
    /* Same length, same inode: the times tell. */
    int64_t written = clock_monotonic_ms();
    AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_eq(write(fd, "other", 5), 5);
    scan(drop);
    ck_assert_uint_eq(taken_count, 0);
    usleep(1200 * 1000);
    scan(drop);
    /* Unless the machine was too slow to look in time. */
    if (clock_monotonic_ms() - written < 2000)
        ck_assert_msg(taken_count == 0, "it had changed and started over");
    usleep(2100 * 1000);
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_str_eq(taken[0].text, "other");
    drop_close(drop);
}
END_TEST

START_TEST(a_restart_does_not_wait)
{
    folder = testing_path("drop");
    drop_close(open_drop(2));
    put("old.pem", "old");
    usleep(3200 * 1000);
    struct drop *drop = open_drop(2);
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_str_eq(taken[0].name, "old.pem");
    drop_close(drop);
}
END_TEST

START_TEST(an_old_file_with_a_future_date_settles)
{
    struct drop *drop = open_drop(1);
    struct timespec times[2] = {{4102444800, 0}, {4102444800, 0}};
    AUTO_FREE char *path = inside("future.pem");

    put("future.pem", "x");
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    ck_assert_int_eq(scan(drop), 1);
    usleep(1100 * 1000);
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_uint_eq(taken_count, 1);
    drop_close(drop);
}
END_TEST

START_TEST(an_empty_file_is_handed_over)
{
    struct drop *drop = open_drop(0);

    put("empty.crt", "");
    scan(drop);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_uint_eq(taken[0].len, 0);
    ck_assert_str_eq(taken[0].problem, "");
    drop_close(drop);
}
END_TEST

static const char *const ignored[] = {
    "x.download",   "x.filepart",    "x.partial", "~x",        "x.swp",     "x~",         ".nfs1",
    ".smb1",        ".fuse_hidden1", ".~lock.x#", ".DS_Store", ".hidden",   "x.part",     "x.PART",
    "x.crdownload", "x.tmp",         "~$x.docx",  "Thumbs.db", "thumbs.db", "Desktop.ini"};

START_TEST(ignores)
{
    struct drop *drop = open_drop(0);
    AUTO_FREE char *sub = inside("folder.pem");

    put(ignored[_i], "x");
    ck_assert_int_eq(mkdir(sub, 0755), 0);
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_msg(taken_count == 0, "%s", ignored[_i]);
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
    struct drop *drop = open_drop(0);
    AUTO_FREE char *path = inside(row->name);
    uint8_t none[SHA256_LEN] = {0}, id[SHA256_LEN];

    row->make(path);
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_msg(taken_count == 1, "%s", row->name);
    memcpy(id, taken[0].sha256, SHA256_LEN);
    ck_assert_mem_ne(id, none, SHA256_LEN);
    ck_assert_int_eq(scan(drop), 0);
    ck_assert_msg(taken_count == 1, "%s", row->name);
    ck_assert_mem_eq(taken[0].sha256, id, SHA256_LEN);
    ck_assert_msg(strstr(taken[0].problem, row->piece), "%s: %s", row->name, taken[0].problem);
    ck_assert_uint_eq(taken[0].len, 0);

    AUTO_FREE char *filed = file_away(drop, false, "No.\n");
    AUTO_FREE char *moved = mem_printf("rejected/%s", row->name);
    AUTO_FREE char *receipt = mem_printf("rejected/%s.txt", row->name);
    ck_assert_str_eq(filed, row->name);
    ck_assert(!is_there(row->name));
    ck_assert(is_there(moved));
    ck_content(receipt, "No.\n");
    /* A crash before the receipt: the thing is found again. */
    AUTO_FREE char *written = inside(receipt);
    AUTO_FREE char *found = NULL;
    ck_assert_int_eq(unlink(written), 0);
    ck_ok(drop_find_filed(drop, false, row->name, id, &found, &err));
    ck_assert_msg(found && strcmp(found, row->name) == 0, "%s", row->name);
    scan(drop);
    ck_assert_uint_eq(taken_count, 0);
    row->make(path);
    scan(drop);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_mem_ne(taken[0].sha256, id, SHA256_LEN);
    drop_close(drop);
}
END_TEST

START_TEST(largest_and_unreadable)
{
    struct drop *drop = open_drop(0);
    AUTO_FREE char *path = inside("largest");

    {
        AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_int_eq(ftruncate(fd, DELIVERY_FILE_MAX), 0);
    }
    scan(drop);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_str_eq(taken[0].problem, "");
    ck_assert_uint_eq(taken[0].len, DELIVERY_FILE_MAX);
    if (geteuid() == 0) {
        AUTO_FREE char *accepted = inside("accepted");
        AUTO_FREE char *rejected = inside("rejected");
        ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
        ck_assert_int_eq(chmod(folder, 0777) + chmod(accepted, 0777) + chmod(rejected, 0777), 0);
        ck_assert_int_eq(seteuid(65534), 0);
        scan(drop);
        ck_assert_int_eq(seteuid(0), 0);
        ck_assert_uint_eq(taken_count, 1);
        ck_assert_str_eq(taken[0].problem, "it cannot be read: Permission denied");
    }
    drop_close(drop);
}
END_TEST

START_TEST(never_over_another_file)
{
    struct drop *drop = open_drop(0);
    static const char *const wanted[] = {"www.pem", "www-2.pem", "www-3.pem"};

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        AUTO_FREE char *text = mem_printf("content %zu", i);
        AUTO_FREE char *moved = mem_printf("accepted/%s", wanted[i]);
        AUTO_FREE char *beside = mem_printf("accepted/%s.txt", wanted[i]);

        put("www.pem", text);
        scan(drop);
        AUTO_FREE char *filed = file_away(drop, true, text);
        ck_assert_str_eq(filed, wanted[i]);
        ck_content(moved, text);
        ck_content(beside, text);
    }
    ck_content("accepted/www.pem", "content 0");
    drop_close(drop);
}
END_TEST

START_TEST(receipts_and_deliveries_do_not_meet)
{
    struct drop *drop = open_drop(0);

    /* A delivery that is called like the receipt of the next one, and the reverse. */
    put("a.pem.txt", "delivery");
    scan(drop);
    AUTO_FREE char *first = file_away(drop, true, "receipt 1");
    put("a.pem", "other delivery");
    scan(drop);
    AUTO_FREE char *second = file_away(drop, true, "receipt 2");
    put("a-2.pem.txt", "third delivery");
    scan(drop);
    AUTO_FREE char *third = file_away(drop, true, "receipt 3");
    ck_assert_str_eq(first, "a.pem.txt");
    ck_assert_str_eq(second, "a-2.pem");
    ck_assert_str_eq(third, "a-2.pem-2.txt");
    ck_content("accepted/a.pem.txt", "delivery");
    ck_content("accepted/a.pem.txt.txt", "receipt 1");
    ck_content("accepted/a-2.pem", "other delivery");
    ck_content("accepted/a-2.pem.txt", "receipt 2");
    ck_content("accepted/a-2.pem-2.txt", "third delivery");
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
    struct drop *drop = open_drop(0);
    AUTO_FREE char *found = NULL;
    uint8_t sha256[SHA256_LEN];

    put("www.pem", "one");
    scan(drop);
    AUTO_FREE char *first = file_away(drop, true, "receipt of one");
    ck_assert_str_eq(first, "www.pem");
    sha256_of(span_text("two"), sha256);
    ck_fails(drop_find_filed(drop, true, "www.pem", sha256, &found, &err), E_NOT_FOUND, "www.pem");
    put("accepted/www-2.pem", "two");
    ck_found(drop, "one", "www.pem");
    ck_found(drop, "two", "www-2.pem");
    ck_ok(drop_receipt(drop, true, "www-2.pem", "receipt of two", &err));
    ck_found(drop, "two", "www-2.pem");
    ck_content("accepted/www.pem.txt", "receipt of one");
    ck_content("accepted/www-2.pem.txt", "receipt of two");
    /* The same once more: the one that still lacks a receipt. */
    put("accepted/www-3.pem", "one");
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
    struct drop *drop = open_drop(0);

    for (size_t e = 0; e < COUNT_OF(endings); e++) {
        for (size_t len = NAME_MAX - 6; len <= NAME_MAX; len++) {
            char name[NAME_MAX + 1];

            fill(name, len, endings[e]);
            for (int round = 0; round < 3; round++) {
                put(name, "x");
                scan(drop);
                AUTO_FREE char *filed = file_away(drop, true, "receipt");
                AUTO_FREE char *moved = mem_printf("accepted/%s", filed);
                AUTO_FREE char *beside = mem_printf("accepted/%s.txt", filed);
                ck_content(moved, "x");
                ck_content(beside, "receipt");
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
    struct drop *drop = open_drop(0);

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i][0] == '.')
            continue;
        put(names[i], "x");
        scan(drop);
        AUTO_FREE char *filed = file_away(drop, false, "receipt");
        ck_assert_str_eq(filed, names[i]);
    }
    drop_close(drop);
}
END_TEST

START_TEST(cut_between_characters)
{
    struct drop *drop = open_drop(0);
    char name[NAME_MAX + 1];

    /* 127 characters of two bytes and one more byte: the cut at 251 falls into a character. */
    for (size_t i = 0; i < 254; i += 2)
        memcpy(name + i, "\xc3\xa9", 2);
    memcpy(name + 254, "", 1);
    put(name, "x");
    scan(drop);
    AUTO_FREE char *filed = file_away(drop, true, "receipt");
    ck_assert_uint_eq(strlen(filed), 250);
    drop_close(drop);
}
END_TEST

START_TEST(what_is_filed_is_what_was_read)
{
    struct drop *drop = open_drop(0);
    char *filed = NULL;
    AUTO_FREE char *path = inside("www.pem");

    put("www.pem", "read");
    scan(drop);
    AUTO_FREE char *kept = inside("kept");
    ck_assert_int_eq(rename(path, kept), 0);
    ck_fails(file_one(drop, &taken[0], true, "receipt", &filed), E_NOT_FOUND, "www.pem");
    put("www.pem", "another");
    ck_fails(file_one(drop, &taken[0], true, "receipt", &filed), E_NOT_FOUND, "www.pem");
    ck_assert_ptr_null(filed);
    ck_content("www.pem", "another");
    ck_assert(!is_there("accepted/www.pem"));
    ck_assert(!is_there("accepted/www.pem.txt"));
    ck_assert_int_eq(leftovers("accepted"), 0);
    drop_close(drop);
}
END_TEST

START_TEST(a_linked_subfolder_is_refused)
{
    struct drop *drop = open_drop(0);
    AUTO_FREE char *outside = testing_path("outside");
    AUTO_FREE char *sub = inside("accepted");
    char *filed = NULL;

    put("www.pem", "x");
    scan(drop);
    ck_assert_int_eq(mkdir(outside, 0755), 0);
    ck_assert_int_eq(rmdir(sub), 0);
    ck_assert_int_eq(symlink(outside, sub), 0);
    ck_fails(file_one(drop, &taken[0], true, "receipt", &filed), E_REFUSED, "accepted");
    ck_fails(drop_receipt(drop, true, "www.pem", "receipt", &err), E_REFUSED, "accepted");
    ck_assert(is_there("www.pem"));
    ck_assert_int_eq(unlink(sub), 0);
    /* Missing: made again. */
    ck_ok(file_one(drop, &taken[0], true, "receipt", &filed));
    ck_content("accepted/www.pem", "x");
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
    struct drop *drop = open_drop(0);
    char *filed = NULL;

    put("www.pem", "x");
    scan(drop);
    file_fault_set(no_space, NULL);
    ck_fails(file_one(drop, &taken[0], true, "receipt", &filed), E_FULL, "receipt");
    file_fault_set(NULL, NULL);
    ck_content("www.pem", "x");
    ck_assert(!is_there("accepted/www.pem"));
    AUTO_FREE char *again = file_away(drop, true, "receipt");
    ck_assert_ptr_nonnull(again);
    ck_content("accepted/www.pem.txt", "receipt");
    drop_close(drop);
}
END_TEST

static bool is_readable(int fd)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};

    return poll(&poll_fd, 1, 0) == 1;
}

START_TEST(the_watch)
{
    struct drop *drop = open_drop(0);
    int fd = drop_watch_fd(drop);
    AUTO_FREE char *path = inside("linked.pem");
    AUTO_FREE char *other = testing_path("other");

    ck_assert_int_ge(fd, 0);
    scan(drop);
    ck_assert_msg(!is_readable(fd), "making the subfolders is no event");
    put("www.pem", "x");
    ck_assert(is_readable(fd));
    drop_watch_drain(drop);
    ck_assert(!is_readable(fd));
    ck_ok(file_replace(other, span_text("x"), FILE_PUBLIC, &err));
    ck_assert_int_eq(link(other, path), 0);
    ck_assert_msg(is_readable(fd), "a hard link tells of its creation alone");
    drop_watch_drain(drop);
    scan(drop);
    ck_assert_uint_eq(taken_count, 2);
    ck_assert(!is_readable(fd));
    drop_close(drop);
}
END_TEST

START_TEST(the_folder_goes_and_comes_back)
{
    struct drop *drop = open_drop(0);
    int fd = drop_watch_fd(drop);
    AUTO_FREE char *away = testing_path("away");

    scan(drop);
    ck_assert_int_eq(rename(folder, away), 0);
    ck_assert(is_readable(fd));
    drop_watch_drain(drop);
    for (int i = 0; i < 2; i++)
        ck_fails(drop_look(drop, &err), E_NOT_FOUND, "drop");
    ck_fails(drop_receipt(drop, true, "x", "receipt", &err), E_NOT_FOUND, "gone");
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    scan(drop);
    ck_assert(is_there("accepted"));
    ck_assert_int_eq(drop_watch_fd(drop), fd);
    drop_watch_drain(drop);
    put("www.pem", "x");
    ck_assert_msg(is_readable(fd), "the watch is on the new folder");
    scan(drop);
    ck_assert_uint_eq(taken_count, 1);
    /* Replaced between two looks, without ever being missed. */
    AUTO_FREE char *second = testing_path("second");
    ck_assert_int_eq(rename(folder, second), 0);
    ck_assert_int_eq(rename(away, folder), 0);
    put("other.pem", "y");
    scan(drop);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_str_eq(taken[0].name, "other.pem");
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
    Suite *suite = suite_create("daemon/drop");
    TCase *take_case = tcase_create("take");
    TCase *file_case = tcase_create("file");

    tcase_set_timeout(take_case, TESTING_SLOW_SECONDS);
    tcase_add_test(take_case, takes_and_files);
    tcase_add_test(take_case, what_is_put_off_comes_back_later);
    tcase_add_test(take_case, an_unfinished_file_waits);
    tcase_add_test(take_case, settles_when_it_stands_still);
    tcase_add_test(take_case, a_restart_does_not_wait);
    tcase_add_test(take_case, an_old_file_with_a_future_date_settles);
    tcase_add_test(take_case, an_empty_file_is_handed_over);
    tcase_add_loop_test(take_case, ignores, 0, COUNT_OF(ignored));
    tcase_add_loop_test(take_case, what_cannot_be_a_delivery, 0, COUNT_OF(problems));
    tcase_add_test(take_case, largest_and_unreadable);
    tcase_add_test(take_case, the_watch);
    tcase_add_test(take_case, the_folder_goes_and_comes_back);
    tcase_add_test(take_case, where_it_cannot_be);
    suite_add_tcase(suite, take_case);
    tcase_set_timeout(file_case, TESTING_SLOW_SECONDS);
    tcase_add_test(file_case, never_over_another_file);
    tcase_add_test(file_case, receipts_and_deliveries_do_not_meet);
    tcase_add_test(file_case, moved_just_before_a_crash);
    tcase_add_test(file_case, long_names);
    tcase_add_test(file_case, names_are_bytes);
    tcase_add_test(file_case, cut_between_characters);
    tcase_add_test(file_case, what_is_filed_is_what_was_read);
    tcase_add_test(file_case, a_linked_subfolder_is_refused);
    tcase_add_test(file_case, a_full_disk_moves_nothing);
    suite_add_tcase(suite, file_case);
    return testing_run(suite);
}

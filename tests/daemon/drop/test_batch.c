/* Many files at once: the order, what a look keeps, filing several together, and what ails the
 * folder. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/drop/folder.h"
#include "tests/daemon/drop/harness.h"

static struct error err;

/* As harness_put, without a sync: thousands of times. */
static void put(const char *name, const char *text)
{
    AUTO_FREE char *path = harness_inside(name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void set_time(const char *name, time_t at)
{
    AUTO_FREE char *path = harness_inside(name);
    struct timespec times[2] = {{at, 0}, {at, 0}};

    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Names in a folder, but for "." and "..". */
static size_t count_in(const char *name, const char *prefix)
{
    AUTO_FREE char *path = harness_inside(name);
    DIR *list = opendir(path);
    const struct dirent *entry;
    size_t count = 0;

    ck_assert_ptr_nonnull(list);
    while ((entry = readdir(list)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                 strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(list);
    return count;
}

START_TEST(the_oldest_come_first)
{
    static const char *const wanted[] = {"m", "b", "k", "z", "a"};
    struct drop *drop = harness_open(0);

    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        put(wanted[i], "x");
        /* "b" and "k" are as old as each other. */
        set_time(wanted[i], 1000000 + 10 * (time_t)(i == 2 ? 1 : i));
    }
    ck_ok(drop_look(drop, &err));
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        AUTO_DROP_FILE struct drop_file file = {0};

        ck_ok(drop_next(drop, &file, &err));
        ck_assert_str_eq(file.name, wanted[i]);
    }
    drop_close(drop);
}
END_TEST

START_TEST(a_look_keeps_the_oldest_few_thousand)
{
    enum { MORE = 50 };
    struct drop *drop = harness_open(0);
    char name[32];

    /* The newest are made first, so that they must give way. */
    for (int i = QUEUE_MAX + MORE - 1; i >= 0; i--) {
        snprintf(name, sizeof name, "%06d", i);
        put(name, "x");
        set_time(name, 1000000 + i);
    }
    ck_ok(drop_look(drop, &err));
    ck_assert(drop_has_more(drop));
    for (int i = 0; i < QUEUE_MAX; i++) {
        AUTO_DROP_FILE struct drop_file file = {0};
        AUTO_FREE char *path = NULL;

        ck_ok(drop_next(drop, &file, &err));
        snprintf(name, sizeof name, "%06d", i);
        ck_assert_str_eq(file.name, name);
        path = harness_inside(name);
        ck_assert_int_eq(unlink(path), 0);
    }
    struct drop_file none;
    ck_fails(drop_next(drop, &none, &err), E_NOT_FOUND, "nothing more");
    ck_assert_int_gt(drop_again(drop), 0);
    ck_ok(drop_look(drop, &err));
    ck_assert(!drop_has_more(drop));
    for (int i = 0; i < MORE; i++) {
        AUTO_DROP_FILE struct drop_file file = {0};

        ck_ok(drop_next(drop, &file, &err));
    }
    ck_fails(drop_next(drop, &none, &err), E_NOT_FOUND, "nothing more");
    ck_assert_int_eq(drop_again(drop), 0);
    drop_close(drop);
}
END_TEST

static bool takes(struct drop *drop)
{
    AUTO_DROP_FILE struct drop_file file = {0};

    ck_ok(drop_look(drop, &err));
    return drop_next(drop, &file, &err) == 0;
}

START_TEST(zeros_that_are_filled_later)
{
    struct drop *drop = harness_open(1);
    AUTO_FREE char *path = harness_inside("www.pem");
    AUTO_FD int fd = -1;

    ck_assert(!takes(drop));
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_eq(write(fd, "begun", 5), 5);
    ck_assert_int_eq(ftruncate(fd, 3000), 0);
    ck_assert(!takes(drop));
    usleep(1100 * 1000);
    ck_assert_msg(!takes(drop), "it ends in zeros and is fresh");
    ck_assert_int_gt(drop_again(drop), 5);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(pwrite(fd, "x", 1, i), 1);
    ck_assert(!takes(drop));
    usleep(1100 * 1000);
    ck_assert_msg(takes(drop), "it is whole");
    drop_close(drop);
}
END_TEST

START_TEST(zeros_for_ever_are_taken)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *path = harness_inside("zeros");
    AUTO_FD int fd = -1;

    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ck_assert_int_eq(ftruncate(fd, 3000), 0);
    ck_assert(takes(drop));
    drop_close(drop);
}
END_TEST

START_TEST(a_share_that_is_not_mounted)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *accepted = harness_inside("accepted");

    drop_expect_mount(drop);
    put("www.pem", "x");
    ck_fails(drop_look(drop, &err), E_NOT_FOUND, "not mounted now");
    ck_assert_msg(!harness_is_there("accepted") && !harness_is_there("rejected"),
                  "nothing is made in it");
    ck_assert_int_eq(mkdir(accepted, 0755), 0);
    ck_assert_msg(takes(drop), "somebody said that it is meant");
    ck_assert(!drop_is_mount(drop));
    drop_close(drop);
}
END_TEST

static int look_without_rights(struct drop *drop)
{
    bool is_root = geteuid() == 0;

    if (is_root)
        ck_assert_int_eq(seteuid(65534), 0);
    int rc = drop_look(drop, &err);
    if (is_root)
        ck_assert_int_eq(seteuid(0), 0);
    return rc;
}

START_TEST(what_cannot_be_filed_is_not_judged)
{
    struct drop *drop = harness_open(0);
    static const char *const paths[] = {"", "accepted", "rejected"};

    put("www.pem", "x");
    ck_assert(takes(drop));
    if (geteuid() == 0) {
        ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
        ck_assert_int_eq(chown(harness_folder, 65534, 65534), 0);
    }
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FREE char *path = harness_inside(paths[i]);

        if (geteuid() == 0)
            ck_assert_int_eq(chown(path, 65534, 65534), 0);
        ck_assert_int_eq(chmod(path, 0555), 0);
        ck_fails(look_without_rights(drop), E_DENIED, "cannot be read and written by uid");
        ck_assert_int_eq(chmod(path, 0755), 0);
        ck_assert(takes(drop));
    }
    drop_close(drop);
}
END_TEST

START_TEST(folders_are_told)
{
    struct drop *drop = harness_open(0);
    static const char *const names[] = {"lost+found", ".hidden", "@eaDir", "zip", "certs"};
    const char *one;

    ck_ok(drop_look(drop, &err));
    ck_assert_uint_eq(drop_folders(drop, &one), 0);
    ck_assert_ptr_null(one);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *path = harness_inside(names[i]);
        ck_assert_int_eq(mkdir(path, 0755), 0);
    }
    ck_ok(drop_look(drop, &err));
    ck_assert_uint_eq(drop_folders(drop, &one), 2);
    ck_assert_str_eq(one, "certs");
    drop_close(drop);
}
END_TEST

/* Ten files, every other one accepted. */
enum { FILES = 10 };
struct many {
    struct drop *drop;
    struct drop_file files[FILES];
    struct drop_filing filings[FILES];
};

static void many_take(struct many *many)
{
    ck_ok(drop_look(many->drop, &err));
    for (size_t i = 0; i < FILES; i++) {
        ck_ok(drop_next(many->drop, &many->files[i], &err));
        many->filings[i] = (struct drop_filing){
            .file = &many->files[i], .accepted = i % 2 == 0, .receipt = many->files[i].name};
    }
}

static void many_begin(struct many *many)
{
    *many = (struct many){.drop = harness_open(0)};
    for (int i = 0; i < FILES; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d.pem", i);
        put(name, name);
        set_time(name, 1000000 + i);
    }
    many_take(many);
}

static void many_done(struct many *many)
{
    for (size_t i = 0; i < FILES; i++) {
        drop_file_done(&many->files[i]);
        drop_filing_done(&many->filings[i]);
    }
}

static void ck_receipt(bool accepted, const char *filed, const char *wanted)
{
    AUTO_FREE char *path =
        mem_printf("%s/%s/%s.txt", harness_folder, accepted ? "accepted" : "rejected", filed);
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_read(path, 1000, &data, &err));
    ck_assert_msg(span_equal(blob_span(&data), span_text(wanted)), "%s", filed);
}

START_TEST(many_at_once)
{
    struct many many;
    AUTO_FREE char *gone = NULL;

    many_begin(&many);
    gone = harness_inside("3.pem");
    ck_assert_int_eq(unlink(gone), 0);
    put("4.pem", "4.PEM"); /* as long as before */
    ck_ok(drop_file_away(many.drop, many.filings, FILES, &err));
    for (size_t i = 0; i < FILES; i++) {
        const struct drop_filing *filing = &many.filings[i];

        if (i == 3 || i == 4) {
            ck_assert_int_eq(filing->result, E_NOT_FOUND);
            ck_assert_ptr_nonnull(strstr(filing->reason, "no longer the file that was read"));
            ck_assert_ptr_null(filing->name);
            continue;
        }
        ck_assert_msg(filing->result == 0, "%zu: %s", i, filing->reason);
        ck_assert(!filing->receipt_missing);
        ck_receipt(filing->accepted, filing->name, many.files[i].name);
    }
    ck_assert(harness_is_there("4.pem"));
    ck_assert_uint_eq(count_in("accepted", ""), 8);
    ck_assert_uint_eq(count_in("rejected", ""), 8);
    many_done(&many);
    drop_close(many.drop);
}
END_TEST

static int calls_left, strikes;

static int strike_one(void *self, const char *call)
{
    (void)self;
    (void)call;
    if (calls_left-- != 0)
        return 0;
    strikes++;
    return 28; /* ENOSPC */
}

/* The n-th call fails: nothing has moved and nothing is left behind, or everything is where it
 * belongs (when only the last sync failed, the receipts are asked for again). */
START_TEST(a_failure_moves_all_or_nothing)
{
    struct many many;
    int moved = 0;

    many_begin(&many);
    for (int n = 0; moved == 0 || strikes > n - 1; n++) {
        strikes = 0;
        calls_left = n;
        file_fault_set(strike_one, NULL);
        int rc = drop_file_away(many.drop, many.filings, FILES, &err);
        file_fault_set(NULL, NULL);
        ck_assert_uint_eq(count_in("accepted", ".unlapsed"), 0);
        ck_assert_uint_eq(count_in("rejected", ".unlapsed"), 0);
        if (rc < 0) {
            ck_assert_int_eq(rc, E_FULL);
            ck_assert_uint_eq(count_in("", ""), FILES + 2);
            ck_assert_uint_eq(count_in("accepted", "") + count_in("rejected", ""), 0);
            ck_assert_int_eq(moved, 0);
            continue;
        }
        moved++;
        ck_assert_uint_eq(count_in("", ""), 2);
        ck_assert_uint_eq(count_in("accepted", "") + count_in("rejected", ""), 2 * FILES);
        ck_assert_msg(many.filings[0].receipt_missing == (strikes == 1), "call %d", n);
        break;
    }
    ck_assert_int_eq(moved, 1);
    many_done(&many);
    drop_close(many.drop);
}
END_TEST

START_TEST(what_a_crash_left_is_swept)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *accepted = harness_inside("accepted");
    AUTO_FREE char *stranger = harness_inside("accepted/" RECEIPT_TEMPORARY "-stranger.tmp");

    ck_assert_int_eq(mkdir(accepted, 0755), 0);
    ck_assert_int_eq(mkdir(stranger, 0755), 0);
    put("accepted/" RECEIPT_TEMPORARY "-1.tmp", "half a rec");
    put("accepted/www.pem", "x");
    ck_ok(drop_look(drop, &err));
    ck_assert_uint_eq(count_in("accepted", ""), 2);
    ck_assert_msg(harness_is_there("accepted/www.pem"), "only what is ours goes");
    /* A name that a stranger took is no hindrance either. */
    ck_ok(drop_receipt(drop, true, "www.pem", "receipt", &err));
    ck_receipt(true, "www.pem", "receipt");
    drop_close(drop);
}
END_TEST

/* Whoever can write into the folder prepares the receipt's name: it is not followed and not kept.
 */
START_TEST(a_prepared_receipt_is_not_followed)
{
    struct drop *drop = harness_open(0);
    AUTO_FREE char *outside = testing_path("outside");
    AUTO_FREE char *beside = harness_inside("accepted/www.pem.txt");
    AUTO_DROP_FILE struct drop_file file = {0};
    struct drop_filing filing = {.file = &file, .accepted = true, .receipt = "receipt"};
    AUTO_BLOB struct blob data = {0};

    ck_ok(file_replace(outside, span_text("precious"), FILE_PUBLIC, &err));
    put("www.pem", "x");
    ck_ok(drop_look(drop, &err));
    ck_ok(drop_next(drop, &file, &err));
    ck_assert_int_eq(symlink(outside, beside), 0);
    ck_ok(drop_file_away(drop, &filing, 1, &err));
    ck_assert_str_eq(filing.name, "www-2.pem");
    ck_receipt(true, "www-2.pem", "receipt");
    ck_ok(drop_receipt(drop, true, "www.pem", "again", &err));
    ck_ok(file_read(outside, 100, &data, &err));
    ck_assert(span_equal(blob_span(&data), span_text("precious")));
    drop_filing_done(&filing);
    drop_close(drop);
}
END_TEST

/* What somebody does in the instant before the move, after the last look at the file. */
static void (*before_rename)(void);

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    void (*now)(void) = before_rename;

    before_rename = NULL;
    if (now)
        now();
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static void swap_it(void)
{
    AUTO_FREE char *path = harness_inside("www.pem");
    AUTO_FREE char *other = harness_inside(".other");

    put(".other", "evil");
    ck_assert_int_eq(rename(other, path), 0);
}

static void write_to_it(void)
{
    put("www.pem", "evil and longer");
}

static void (*const attacks[])(void) = {swap_it, write_to_it};

START_TEST(swapped_in_the_last_instant)
{
    struct drop *drop = harness_open(0);
    AUTO_DROP_FILE struct drop_file file = {0};
    struct drop_filing filing = {.file = &file, .accepted = true, .receipt = "receipt"};

    put("www.pem", "good");
    ck_ok(drop_look(drop, &err));
    ck_ok(drop_next(drop, &file, &err));
    before_rename = attacks[_i];
    ck_ok(drop_file_away(drop, &filing, 1, &err));
    ck_assert(!before_rename);
    ck_assert_int_eq(filing.result, E_NOT_FOUND);
    ck_assert_msg(harness_is_there("www.pem"), "it goes back to be looked at");
    ck_assert_uint_eq(count_in("accepted", ""), 0);
    drop_filing_done(&filing);
    drop_close(drop);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/drop/batch");
    TCase *tcase = tcase_create("batch");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, the_oldest_come_first);
    tcase_add_test(tcase, a_look_keeps_the_oldest_few_thousand);
    tcase_add_test(tcase, zeros_that_are_filled_later);
    tcase_add_test(tcase, zeros_for_ever_are_taken);
    tcase_add_test(tcase, a_share_that_is_not_mounted);
    tcase_add_test(tcase, what_cannot_be_filed_is_not_judged);
    tcase_add_test(tcase, folders_are_told);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, a_failure_moves_all_or_nothing);
    tcase_add_test(tcase, what_a_crash_left_is_swept);
    tcase_add_test(tcase, a_prepared_receipt_is_not_followed);
    tcase_add_loop_test(tcase, swapped_in_the_last_instant, 0, COUNT_OF(attacks));
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

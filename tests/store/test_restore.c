/* A restore is the old inventory with its log, or the new one, whole, whatever fails or is killed;
 * the replaced one is kept; what is not a good backup changes nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "store/backup.h"
#include "store/certificates.h"
#include "store/events.h"
#include "store/lock.h"
#include "store/mark.h"
#include "store/restore.h"
#include "tests/store/faulty_vfs.h"
#include "tests/store/sample.h"

enum { CALLS_MAX = 300 };

static struct error err;
static char *path, *file;

static int64_t count_certificates(const char *of)
{
    struct inventory *inventory = NULL;
    int64_t count = 0;

    ck_ok(inventory_open(of, &inventory, &err));
    ck_ok(inventory_check(inventory, &err));
    ck_ok(certificates_count(inventory, &count, &err));
    inventory_close(inventory);
    return count;
}

/* One certificate in the backup; "later" only in the log of an inventory that was not closed. */
static void make_backup(void)
{
    AUTO_FREE char *folder = testing_path("backups");
    struct backup_job job = {.folder = folder, .now = SAMPLE_NOW};
    struct backup_counts counts;
    struct backup backup;
    struct inventory *inventory = sample_open();

    sample_certificate(inventory, "www");
    ck_ok(inventory_value_set(inventory, "sealing-key-id", span_text("12345678"), &err));
    ck_ok(events_add(inventory, SAMPLE_NOW - 60, 0, 0, "daemon", "added", "", &err));
    ck_ok(backup_make(inventory, &job, &backup, &counts, &err));
    file = mem_printf("%s/%s", folder, backup.name);
    inventory_close(inventory);
}

/* Two certificates, of which one stands in the log alone: by a process that is killed. */
static void write_later(void)
{
    struct inventory *inventory = NULL;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (inventory_open(path, &inventory, &err) == 0)
            sample_certificate(inventory, "later");
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void remove_beside(void)
{
    DIR *stream = opendir(testing_dir());

    for (const struct dirent *entry; (entry = readdir(stream));)
        if (strstr(entry->d_name, "inventory.db"))
            unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
}

/* "inventory.db.replaced-...", or NULL; owned. */
static char *find_replaced(const char *suffix)
{
    DIR *stream = opendir(testing_dir());
    char *found = NULL;

    for (const struct dirent *entry; (entry = readdir(stream));) {
        size_t len = strlen(entry->d_name), tail = strlen(suffix);

        if (!strstr(entry->d_name, ".replaced-") || len < tail ||
            strcmp(entry->d_name + len - tail, suffix) != 0)
            continue;
        ck_assert_ptr_null(found);
        found = testing_path(entry->d_name);
    }
    closedir(stream);
    return found;
}

static void setup(void)
{
    path = testing_path("inventory.db");
    make_backup();
    write_later();
}

static void teardown(void)
{
    free(path);
    free(file);
}

static struct restore_job job_of(const char *from)
{
    return (struct restore_job){.path = path, .file = from, .actor = "uid 0", .now = SAMPLE_NOW};
}

static int prepare(const char *from, struct restore_look *ret)
{
    struct restore_job job = job_of(from);

    return restore_prepare(&job, ret, &err);
}

/* All of it; a failure on the way leaves what it leaves. */
static int restore(char **ret_kept)
{
    struct restore_look look = {0};
    int rc = prepare(file, &look);

    restore_look_done(&look);
    return rc == 0 ? restore_commit(path, ret_kept, &err) : rc;
}

START_TEST(the_backup_takes_the_place)
{
    struct restore_look look = {0};
    AUTO_FREE char *kept = NULL;
    struct stat st;

    ck_ok(prepare(file, &look));
    ck_assert(span_equal(blob_span(&look.sealing_key), span_text("12345678")));
    ck_assert_int_eq(look.last_event, SAMPLE_NOW - 60);
    /* the certificate, its names, its value, its event, that of the restore, the head of the trail
     */
    ck_assert_int_eq(look.counts.rows, 8);
    restore_look_done(&look);
    ck_ok(restore_commit(path, &kept, &err));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(count_certificates(path), 1);
    ck_assert_int_eq(sample_sql_int(path, "SELECT count(*) FROM events WHERE kind = 'restored'"
                                          " AND actor = 'uid 0'"),
                     1);
    /* the replaced one has what stood in its log */
    AUTO_FREE char *found = find_replaced("Z");
    ck_assert_ptr_nonnull(found);
    ck_assert_str_eq(found, kept);
    AUTO_FREE char *log = find_replaced("Z-wal");
    ck_assert_ptr_nonnull(log);
    ck_assert_int_eq(count_certificates(kept), 2);
}
END_TEST

START_TEST(it_restores_where_nothing_is)
{
    AUTO_FREE char *kept = NULL;

    remove_beside();
    ck_ok(restore(&kept));
    ck_assert_ptr_null(kept);
    ck_assert_int_eq(count_certificates(path), 1);
}
END_TEST

START_TEST(twice_keeps_both)
{
    AUTO_FREE char *first = NULL;
    AUTO_FREE char *second = NULL;

    ck_ok(restore(&first));
    ck_ok(restore(&second));
    ck_assert_str_ne(first, second);
    ck_assert_int_eq(count_certificates(first), 2);
    ck_assert_int_eq(count_certificates(second), 1);
}
END_TEST

START_TEST(what_is_no_good_backup_changes_nothing)
{
    AUTO_FREE char *bad = testing_path("bad.db");
    AUTO_BLOB struct blob good = {0};
    struct restore_look look = {0};
    int wanted = E_CORRUPT;

    ck_ok(file_read(file, 64 << 20, &good, &err));
    switch (_i) {
    case 0: /* cut off */
        good.len /= 2;
        break;
    case 1: /* a page in the middle, whose check comes from reading it all */
        memset(good.data + 5L * 4096, 0xa5, 512);
        break;
    case 2:
        memset(good.data, 0, 100);
        break;
    case 3:
        good.len = 0;
        break;
    case 4: /* of a newer program: user_version */
        good.data[62] = 1;
        wanted = E_REFUSED;
        break;
    default: /* application_id */
        good.data[68] = 1;
        break;
    }
    if (_i < 6) {
        ck_ok(file_replace(bad, blob_span(&good), FILE_PRIVATE, &err));
    } else {
        wanted = E_NOT_FOUND;
    }
    ck_fails(prepare(bad, &look), wanted, bad);
    ck_assert_int_eq(count_certificates(path), 2);
    AUTO_FREE char *found = find_replaced("");
    ck_assert_ptr_null(found);
    AUTO_FREE char *copy = testing_path(".inventory.db.unlapsed-restore");
    ck_assert_int_lt(access(copy, F_OK), 0);
}
END_TEST

/* The file of a killed program is not whole without the log beside it. */
START_TEST(a_file_with_a_log_beside_it_is_refused)
{
    AUTO_FREE char *other = testing_path("copy.db");
    AUTO_FREE char *log = mem_printf("%s-wal", path);
    AUTO_FREE char *other_log = mem_printf("%s-wal", other);
    AUTO_BLOB struct blob one = {0}, two = {0};
    struct restore_look look = {0};

    ck_ok(file_read(path, 64 << 20, &one, &err));
    ck_ok(file_read(log, 64 << 20, &two, &err));
    ck_ok(file_replace(other, blob_span(&one), FILE_PRIVATE, &err));
    ck_ok(file_replace(other_log, blob_span(&two), FILE_PRIVATE, &err));
    ck_fails(prepare(other, &look), E_REFUSED, other_log);
}
END_TEST

/* Closed in good order, an inventory is a backup as well. */
START_TEST(a_closed_inventory_can_be_restored)
{
    AUTO_FREE char *other = testing_path("copy.db");
    AUTO_BLOB struct blob one = {0};
    struct restore_look look = {0};

    ck_assert_int_eq(count_certificates(path), 2);
    ck_ok(file_read(path, 64 << 20, &one, &err));
    ck_ok(file_replace(other, blob_span(&one), FILE_PRIVATE, &err));
    ck_ok(prepare(other, &look));
    restore_look_done(&look);
}
END_TEST

START_TEST(the_mark_of_damage_goes)
{
    struct mark mark = {.text = "page 3 is broken", .since = SAMPLE_NOW, .told = true};
    AUTO_FREE char *kept = NULL;

    ck_fails(mark_read(path, &mark, &err), E_NOT_FOUND, "");
    ck_ok(mark_write(path, &mark, &err));
    mark = (struct mark){0};
    ck_ok(mark_read(path, &mark, &err));
    ck_assert_str_eq(mark.text, "page 3 is broken");
    ck_assert_int_eq(mark.since, SAMPLE_NOW);
    ck_assert(mark.told);
    ck_ok(restore(&kept));
    ck_fails(mark_read(path, &mark, &err), E_NOT_FOUND, "");
}
END_TEST

/* Nothing half: 2 is the old one, with its log; 1 the new one. */
static void ck_whole(int pass, int rc)
{
    int64_t count = count_certificates(path);

    ck_assert_msg(count == 1 || (count == 2 && rc != 0), "call %d: %s: %d certificates", pass,
                  code_name(rc), (int)count);
    AUTO_FREE char *found = find_replaced("Z");
    ck_assert_msg((count == 1) == (found != NULL), "call %d: replaced", pass);
    if (found)
        ck_assert_int_eq(count_certificates(found), 2);
}

static void begin_again(void)
{
    struct inventory *inventory;

    remove_beside();
    inventory = sample_open();
    sample_certificate(inventory, "www");
    inventory_close(inventory);
    write_later();
}

static const struct {
    enum fault_kind kind;
    bool lasting;
} runs[] = {{FAULT_IO, false}, {FAULT_IO, true}, {FAULT_FULL, false}, {FAULT_FULL, true}};

START_TEST(faults_of_sqlite)
{
    int struck = 0;

    for (int pass = 0;; pass++) {
        AUTO_FREE char *kept = NULL;

        ck_assert_int_lt(pass, CALLS_MAX);
        begin_again();
        faulty_vfs_arm(pass, runs[_i].kind, runs[_i].lasting);
        int rc = restore(&kept);
        int hits = faulty_vfs_disarm();
        struck += hits;
        ck_whole(pass, rc);
        if (hits == 0)
            break;
    }
    ck_assert_int_gt(struck, 5);
}
END_TEST

struct seam {
    int pass;
    int errnum; /* 0: killed */
    int struck;
    const char *call;
};

static int strike(void *self, const char *call)
{
    struct seam *seam = self;

    if (seam->pass-- != 0)
        return 0;
    seam->struck++;
    seam->call = call;
    if (seam->errnum == 0)
        raise(SIGKILL);
    return seam->errnum;
}

START_TEST(faults_of_files)
{
    int failed = 0;

    for (int pass = 0;; pass++) {
        struct seam seam = {.pass = pass, .errnum = _i ? ENOSPC : EIO};
        AUTO_FREE char *kept = NULL;

        ck_assert_int_lt(pass, CALLS_MAX);
        begin_again();
        file_fault_set(strike, &seam);
        int rc = restore(&kept);
        file_fault_set(NULL, NULL);
        ck_whole(pass, rc);
        if (seam.struck == 0)
            break;
        failed += rc < 0;
    }
    ck_assert_int_gt(failed, 10);
}
END_TEST

START_TEST(killed_at_every_step)
{
    int killed = 0;

    for (int pass = 0;; pass++) {
        struct seam seam = {.pass = pass};
        int status = 0;

        ck_assert_int_lt(pass, CALLS_MAX);
        begin_again();
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            char *kept = NULL;

            file_fault_set(strike, &seam);
            _exit(restore(&kept) == 0 ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_whole(pass, status);
        if (!WIFSIGNALED(status)) {
            ck_assert_int_eq(WEXITSTATUS(status), 0);
            break;
        }
        killed++;
    }
    ck_assert_int_gt(killed, 15);
}
END_TEST

START_TEST(the_lock_names_its_holder)
{
    AUTO_FREE char *link = testing_path("link.db");
    AUTO_FREE char *self = mem_printf("process %d", (int)getpid());
    AUTO_FD int fd = -1;
    AUTO_FD int second = -1;

    ck_assert_int_eq(symlink(path, link), 0);
    ck_ok(inventory_lock(path, &fd, &err));
    ck_fails(inventory_lock(path, &second, &err), E_BUSY, self);
    ck_fails(inventory_lock(path, &second, &err), E_BUSY, "test_store_rest");
    ck_fails(inventory_lock(link, &second, &err), E_BUSY, self);
    file_close(&fd);
    ck_ok(inventory_lock(link, &second, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store/restore");
    TCase *restore_case = tcase_create("restore");

    faulty_vfs_install();
    tcase_set_timeout(restore_case, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(restore_case, setup, teardown);
    tcase_add_test(restore_case, the_backup_takes_the_place);
    tcase_add_test(restore_case, it_restores_where_nothing_is);
    tcase_add_test(restore_case, twice_keeps_both);
    tcase_add_loop_test(restore_case, what_is_no_good_backup_changes_nothing, 0, 7);
    tcase_add_test(restore_case, a_file_with_a_log_beside_it_is_refused);
    tcase_add_test(restore_case, a_closed_inventory_can_be_restored);
    tcase_add_test(restore_case, the_mark_of_damage_goes);
    tcase_add_loop_test(restore_case, faults_of_sqlite, 0, COUNT_OF(runs));
    tcase_add_loop_test(restore_case, faults_of_files, 0, 2);
    tcase_add_test(restore_case, killed_at_every_step);
    tcase_add_test(restore_case, the_lock_names_its_holder);
    suite_add_tcase(suite, restore_case);
    return testing_run(suite);
}

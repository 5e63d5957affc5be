#include "tests/daemon/drop/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"

struct harness_taken harness_taken[64];
size_t harness_taken_count;
bool harness_put_off;
char *harness_folder;

struct drop *harness_open(seconds_t settle)
{
    struct drop *drop = NULL;
    struct error err = {0};

    if (!harness_folder)
        harness_folder = testing_path("drop");
    ck_ok(drop_open(harness_folder, settle, &drop, &err));
    return drop;
}

char *harness_inside(const char *name)
{
    return mem_printf("%s/%s", harness_folder, name);
}

void harness_put(const char *name, const char *text)
{
    AUTO_FREE char *path = harness_inside(name);
    struct error err = {0};

    ck_ok(file_replace(path, span_text(text), FILE_PUBLIC, &err));
}

bool harness_is_there(const char *name)
{
    AUTO_FREE char *path = harness_inside(name);
    struct stat st;

    return lstat(path, &st) == 0;
}

void harness_content(const char *name, const char *text)
{
    AUTO_FREE char *path = harness_inside(name);
    AUTO_BLOB struct blob data = {0};
    struct error err = {0};

    ck_ok(file_read(path, BUF_MAX_DELIVERY, &data, &err));
    ck_assert_msg(span_equal(blob_span(&data), span_text(text)), "%s holds %.*s", name,
                  (int)data.len, (const char *)data.data);
}

int harness_leftovers(const char *sub)
{
    AUTO_FREE char *path = harness_inside(sub);
    DIR *list = opendir(path);
    const struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(list);
    while ((entry = readdir(list)))
        count += strncmp(entry->d_name, ".unlapsed", 9) == 0;
    closedir(list);
    return count;
}

static void take(struct drop *drop, const struct drop_file *file)
{
    struct harness_taken *to = &harness_taken[harness_taken_count++];

    *to = (struct harness_taken){.len = file->data.len, .stamp = file->stamp};
    snprintf(to->name, sizeof to->name, "%s", file->name);
    snprintf(to->problem, sizeof to->problem, "%s", file->problem ? file->problem : "");
    memcpy(to->sha256, file->sha256, SHA256_LEN);
    if (file->data.len > 0)
        memcpy(to->text, file->data.data, file->data.len < 63 ? file->data.len : 63);
    if (harness_put_off)
        ck_assert(drop_put_off(drop, file));
}

seconds_t harness_scan(struct drop *drop)
{
    struct error err = {0};

    harness_taken_count = 0;
    ck_ok(drop_look(drop, &err));
    for (;;) {
        AUTO_DROP_FILE struct drop_file file = {0};

        if (drop_next(drop, &file, &err) < 0)
            return drop_again(drop);
        take(drop, &file);
    }
}

int harness_file_one(struct drop *drop, const struct harness_taken *from, bool accepted,
                     const char *receipt, char **ret_name, struct error *err)
{
    struct drop_file file = {.name = (char *)(uintptr_t)from->name, .stamp = from->stamp};
    struct drop_filing filing = {.file = &file, .accepted = accepted, .receipt = receipt};
    int rc = drop_file_away(drop, &filing, 1, err);

    if (rc == 0 && filing.result < 0)
        rc = error_set(err, filing.result, "%s", filing.reason);
    if (rc == 0) {
        ck_assert(!filing.receipt_missing);
        *ret_name = filing.name;
        filing.name = NULL;
    }
    drop_filing_done(&filing);
    return rc;
}

char *harness_file_away(struct drop *drop, bool accepted, const char *receipt)
{
    struct error err = {0};
    char *filed = NULL;

    ck_assert_uint_eq(harness_taken_count, 1);
    ck_ok(harness_file_one(drop, &harness_taken[0], accepted, receipt, &filed, &err));
    return filed;
}

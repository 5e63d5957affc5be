#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

#include "base/buf.h"
#include "base/text.h"
#include "tests/pki/delivery/making.h"
#include "tests/testing.h"

static struct error err;
static struct blob leaf, ca, leaf_der;

static void setup(void)
{
    making_certificates();
    leaf = made("c.pem");
    ca = made("ca.pem");
    leaf_der = made("c.der");
}

static void teardown(void)
{
    blob_done(&leaf);
    blob_done(&ca);
    blob_done(&leaf_der);
}

#define LEAF "certificate CN=www.example.com"
#define CA "certificate CN=CA"

static void ck_told(struct span file, const char *wanted, const char *row)
{
    AUTO_OBJECTS struct delivery_objects objects = making_read(file, NULL);
    AUTO_FREE char *told = making_told(&objects);

    ck_assert_msg(strcmp(told, wanted) == 0, "%s:\nwanted %s\ngot    %s", row, wanted, told);
}

static struct blob zip_of(const char *name, struct span data)
{
    return making_zip(&(struct making_entry){.name = name, .data = data}, 1);
}

/* Names as the systems write them, and what desktops put beside them. */
START_TEST(test_names)
{
    static const char *const names[] = {
        "../../etc/passwd", "/etc/passwd", "C:\\certs\\www.crt",        "aXbYZ[2J.crt",
        "\xc3\xbc.crt",     "CON",         "a/b/c/d/e/f/g/h/../../x.y", "\xe2\x80\xae.crt",
    };
    static const char *const origins[] = {
        "entry ../../etc/passwd",
        "entry /etc/passwd",
        "entry C:/certs/www.crt",
        NULL,
        "entry \xc3\xbc.crt",
        "entry CON",
        NULL,
        NULL,
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_BLOB struct blob file = zip_of(names[i], blob_span(&leaf));

        /* libzip does not write such a name. */
        for (size_t at = 0; at + 8 < file.len; at++)
            if (memcmp(file.data + at, "aXbYZ[2J", 8) == 0)
                memcpy(file.data + at, "a\nb\r\x1b[2J", 8);
        AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), NULL);

        ck_assert_uint_eq(objects.count, 1);
        ck_assert_int_eq(objects.items[0].kind, OBJECT_CERTIFICATE);
        if (origins[i])
            ck_assert_str_eq(objects.items[0].origin, origins[i]);
        else
            ck_assert(text_starts(objects.items[0].origin, "entry "));
    }
    const struct making_entry entries[] = {
        {.name = "folder/"},
        {.name = "folder/www.crt", .data = blob_span(&leaf)},
        {.name = "__MACOSX/folder/._www.crt", .data = {(const uint8_t *)"x", 1}},
        {.name = "folder/.DS_Store", .data = {(const uint8_t *)"x", 1}},
        {.name = "Thumbs.db", .data = {(const uint8_t *)"x", 1}},
        {.name = "folder/ca.crt", .data = blob_span(&ca)},
        {.name = "again.pem", .data = blob_span(&leaf)},
        {.name = "again.der", .data = blob_span(&leaf_der)},
        {.name = "read me.txt", .data = {(const uint8_t *)"Hello", 5}},
    };
    AUTO_BLOB struct blob file = making_zip(entries, COUNT_OF(entries));
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), NULL);
    ck_assert_str_eq(objects.summary, "ZIP with 2 certificates, 1 other thing");
    ck_assert_uint_eq(objects.count, 3);
    ck_assert_str_eq(objects.items[0].origin, "entry folder/www.crt");
    ck_assert_str_eq(objects.items[2].origin, "entry read me.txt");
    ck_assert_ptr_nonnull(strstr(objects.items[2].note, "plain text"));
}
END_TEST

/* Other programs' ways of writing one. */
START_TEST(test_writers)
{
    static const char *const scripts[] = {
        "zip -q x.zip c.pem",
        "zip -q -0 x.zip c.pem",
        "zip -q - c.pem >x.zip",
        "zip -q - c.pem | cat >x.zip",
        "cat c.pem | zip -q - - | cat >x.zip",
        "cat c.pem | zip -q - - >x.zip",
        "zip -q x.zip c.pem && echo 'a comment' | zip -q -z x.zip",
        "zip -q y.zip c.pem && { printf MZ%4000s; cat y.zip; } >x.zip; zip -qA x.zip",
        "zip -q x.zip c.pem && head -c 5000 /dev/zero >>x.zip",
        "zip -q x.zip c.pem && printf '\\r\\n' >>x.zip",
    };

    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        making("rm -f x.zip y.zip");
        making(scripts[i]);
        AUTO_BLOB struct blob file = made("x.zip");

        ck_told(blob_span(&file), LEAF, scripts[i]);
    }
}
END_TEST

#define WHAT_TO_DO "please unpack it and drop the certificates"

START_TEST(test_not_opened)
{
    AUTO_BLOB struct blob inner = zip_of("www.crt", blob_span(&leaf));
    const struct making_entry entries[] = {
        {.name = "secret.crt", .data = blob_span(&leaf), .password = "x"},
        {.name = "link.crt", .data = blob_span(&leaf), .mode = S_IFLNK | 0777},
        {.name = "inner.zip", .data = blob_span(&inner)},
        {.name = "bz2.crt", .data = blob_span(&leaf), .method = ZIP_CM_BZIP2},
        {.name = "ca.crt", .data = blob_span(&ca), .mode = S_IFREG | 0644},
    };
    AUTO_BLOB struct blob file = making_zip(entries, COUNT_OF(entries));

    ck_told(
        blob_span(&file),
        "broken needs a password: " WHAT_TO_DO "; other a symbolic link, which is not "
        "followed; broken a ZIP archive inside of something else, which is not opened: " WHAT_TO_DO
        "; broken packed in a way that is not read (method 12): " WHAT_TO_DO "; " CA,
        "kinds");
}
END_TEST

static struct making_entry *same_entries(size_t count, struct span data, char (*names)[16])
{
    struct making_entry *entries = mem_alloc(count, sizeof *entries);

    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%zu.crt", i);
        entries[i] = (struct making_entry){.name = names[i], .data = data};
    }
    return entries;
}

static void ck_entries(size_t count, struct span data, bool stored, const char *wanted)
{
    AUTO_FREE char(*names)[16] = mem_alloc(count, sizeof *names);
    AUTO_FREE struct making_entry *entries = same_entries(count, data, names);

    for (size_t i = 0; i < count; i++)
        entries[i].stored = stored;
    AUTO_BLOB struct blob file = making_zip(entries, count);
    ck_told(blob_span(&file), wanted, wanted);
}

#define TOO_MUCH "broken a ZIP archive with too much in it: wanted at most "

START_TEST(test_limits)
{
    AUTO_FREE uint8_t *large = mem_alloc(1, (1 << 20) + 1);
    AUTO_FREE uint8_t *noise = mem_alloc(1, 1 << 18);

    for (size_t i = 0; i < 1 << 18; i++)
        noise[i] = (uint8_t)(i * i >> 7);
    ck_entries(64, blob_span(&leaf), false, LEAF);
    ck_entries(65, blob_span(&leaf), false, TOO_MUCH "64 files, got more");
    ck_entries(10000, blob_span(&leaf), false, TOO_MUCH "1024 entries, got 10000");
    ck_entries(33, span_of(noise, 1 << 18), true, TOO_MUCH "8388608 bytes, got 8650752");
    ck_entries(1, span_of(large, (1 << 20) + 1), true,
               "other larger than any certificate: wanted at most 1048576 bytes, got 1048577");
    ck_entries(1, span_of(large, 1 << 20), false,
               "broken it would unpack to more than 100 times its size, as no certificate does");
    ck_told(span_of("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22),
            "broken an empty ZIP archive", "empty");
}
END_TEST

/* A few KiB that would become 60 MiB; and one that hides a certificate behind a large entry. */
START_TEST(test_bomb)
{
    enum { PARTS = 60 };
    AUTO_FREE uint8_t *zeros = mem_alloc(1, 1 << 20);
    AUTO_FREE uint8_t *many = mem_alloc(40, 1 << 20);
    char names[PARTS][16];
    AUTO_FREE struct making_entry *entries = same_entries(PARTS, span_of(zeros, 1 << 20), names);
    AUTO_BLOB struct blob bomb = making_zip(entries, PARTS);
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&bomb), NULL);
    const struct making_entry two[] = {{.name = "manual.pdf", .data = {many, 40 << 20}},
                                       {.name = "www.crt", .data = blob_span(&leaf)}};
    AUTO_BLOB struct blob hidden = making_zip(two, 2);

    ck_assert_uint_eq(objects.count, PARTS);
    for (size_t i = 0; i < PARTS; i++)
        ck_assert_int_eq(objects.items[i].kind, OBJECT_BROKEN);
    ck_told(blob_span(&hidden),
            "other larger than any certificate: wanted at most 1048576 bytes, got 41943040; " LEAF,
            "large");
}
END_TEST

/* The first place of a signature at or behind from. */
static size_t find(const struct blob *file, size_t from, const char *signature)
{
    for (size_t at = from; at + 4 <= file->len; at++)
        if (memcmp(file->data + at, signature, 4) == 0)
            return at;
    ck_abort_msg("no signature");
    return 0;
}

#define LOCAL "PK\3\4"
#define CENTRAL "PK\1\2"
#define END "PK\5\6"

/* One wrong checksum takes its entry alone. */
START_TEST(test_damaged_entry)
{
    const struct making_entry entries[] = {
        {.name = "www.crt", .data = blob_span(&leaf), .stored = true},
        {.name = "ca.crt", .data = blob_span(&ca)},
    };
    AUTO_BLOB struct blob file = making_zip(entries, 2);
    size_t body = find(&file, 0, LOCAL) + 30 + strlen("www.crt");
    size_t second = find(&file, body, LOCAL) + 30 + strlen("ca.crt");

    ck_told(blob_span(&file), LEAF "; " CA, "whole");
    file.data[body + 100] ^= 1;
    ck_told(blob_span(&file), "broken damaged: its checksum (CRC) is wrong; " CA, "CRC");
    file.data[body + 100] ^= 1;
    memset(file.data + second, 0xFF, 8);
    ck_told(blob_span(&file), LEAF "; broken damaged: it cannot be unpacked", "deflate");
}
END_TEST

static void put32(struct blob *file, size_t at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        file->data[at + i] = (uint8_t)(value >> 8 * i);
}

static void ck_lie(struct blob *file, const char *row)
{
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(file), NULL);

    ck_assert_msg(objects.count == 1, "%s: %s", row, objects.summary);
    ck_assert_int_eq(objects.items[0].kind, OBJECT_BROKEN);
    ck_assert_msg(text_starts(objects.items[0].note, "damaged ZIP: "), "%s: %s", row,
                  objects.items[0].note);
}

/* Where the structure lies, nothing of it counts: not the entries in front of the lie either. */
START_TEST(test_lies)
{
    const struct making_entry entries[] = {
        {.name = "ca.crt", .data = blob_span(&ca)},
        {.name = "www.crt", .data = blob_span(&leaf)},
    };
    static const uint32_t sizes[] = {0, 10, 5000, 0x7FFFFFFF};
    AUTO_BLOB struct blob file = making_zip(entries, 2);
    size_t local = find(&file, find(&file, 0, LOCAL) + 4, LOCAL);
    size_t first = find(&file, 0, CENTRAL), central = find(&file, first + 4, CENTRAL);
    uint32_t size = (uint32_t)leaf.len;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        put32(&file, central + 24, sizes[i]);
        if (sizes[i] < BUF_MAX_DELIVERY)
            ck_lie(&file, "size in the directory");
        put32(&file, local + 22, sizes[i]);
        if (sizes[i] > 0 && sizes[i] < BUF_MAX_DELIVERY)
            ck_lie(&file, "size in both");
        put32(&file, central + 24, size);
        ck_lie(&file, "size in front of the entry");
        put32(&file, local + 22, size);
    }
    put32(&file, central + 42, 0);
    ck_lie(&file, "both are the first");
    put32(&file, central + 42, 0x7FFFFFFF);
    ck_lie(&file, "beyond the end");
    put32(&file, central + 42, (uint32_t)local);
    ck_told(blob_span(&file), CA "; " LEAF, "whole again");
    file.data[find(&file, 0, END) + 10] = 3;
    ck_lie(&file, "count");
}
END_TEST

START_TEST(test_cut)
{
    AUTO_BLOB struct blob file = zip_of("www.crt", blob_span(&leaf));
    AUTO_BLOB struct blob longer = {mem_alloc(1, file.len + 1), file.len + 1};

    for (size_t len = 4; len < file.len; len++) {
        AUTO_BLOB struct blob cut = blob_copy(span_of(file.data, len));

        ck_lie(&cut, "cut");
    }
    memcpy(longer.data, file.data, file.len);
    longer.data[file.len] = 'x';
    ck_lie(&longer, "longer");
}
END_TEST

/* libzip would look at all entries once for each end. */
START_TEST(test_many_ends)
{
    enum { ENDS = 2900, END_LEN = 22 };
    AUTO_BLOB struct blob file = zip_of("www.crt", blob_span(&leaf));
    AUTO_BLOB struct blob ends = {mem_alloc(file.len + ENDS * END_LEN, 1),
                                  file.len + ENDS * END_LEN};

    memcpy(ends.data, file.data, file.len);
    for (size_t i = 0; i <= ENDS; i++) {
        uint8_t *end = ends.data + file.len - END_LEN + i * END_LEN;
        size_t left = (ENDS - i) * END_LEN;

        memcpy(end, file.data + file.len - END_LEN, END_LEN);
        end[20] = (uint8_t)left;
        end[21] = (uint8_t)(left >> 8);
    }
    ck_lie(&ends, "ends");
}
END_TEST

/* Two entries of one name are both read: names mean nothing. */
START_TEST(test_same_name)
{
    const struct making_entry entries[] = {
        {.name = "aaa.crt", .data = blob_span(&leaf)},
        {.name = "bbb.crt", .data = blob_span(&ca)},
    };
    AUTO_BLOB struct blob file = making_zip(entries, 2);

    for (size_t at = 0; at + 3 < file.len; at++)
        if (memcmp(file.data + at, "bbb", 3) == 0)
            memcpy(file.data + at, "aaa", 3);
    ck_told(blob_span(&file), LEAF "; " CA, "same name");
}
END_TEST

/* Larger than any other file may be. */
START_TEST(test_large)
{
    AUTO_FREE uint8_t *noise = mem_alloc(1, 1 << 20);
    char names[9][16];

    for (size_t i = 0; i < 1 << 20; i++)
        noise[i] = (uint8_t)(i * i >> 9);
    AUTO_FREE struct making_entry *entries = same_entries(9, span_of(noise, 900000), names);
    for (size_t i = 0; i < 9; i++)
        entries[i].stored = true;
    entries[8].data = blob_span(&leaf);
    AUTO_BLOB struct blob file = making_zip(entries, 9);
    ck_assert_uint_gt(file.len, 7 * BUF_MAX_DELIVERY - (1 << 19));
    AUTO_OBJECTS struct delivery_objects objects = making_read(blob_span(&file), NULL);
    ck_assert_uint_eq(objects.count, 9);
    ck_assert_int_eq(objects.items[8].kind, OBJECT_CERTIFICATE);
    AUTO_BLOB struct blob large = {mem_alloc(1, DELIVERY_FILE_MAX + 1), DELIVERY_FILE_MAX + 1};
    struct delivery_objects none = {0};
    memcpy(large.data, file.data, file.len);
    ck_fails(delivery_read(blob_span(&large), NULL, &none, &err), E_TOO_LARGE, "10485760");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pki/delivery/zip");
    TCase *tcase = tcase_create("zip");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_writers);
    tcase_add_test(tcase, test_not_opened);
    tcase_add_test(tcase, test_limits);
    tcase_add_test(tcase, test_bomb);
    tcase_add_test(tcase, test_damaged_entry);
    tcase_add_test(tcase, test_lies);
    tcase_add_test(tcase, test_cut);
    tcase_add_test(tcase, test_many_ends);
    tcase_add_test(tcase, test_same_name);
    tcase_add_test(tcase, test_large);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

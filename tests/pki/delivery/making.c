#include "tests/pki/delivery/making.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <zip.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/text.h"
#include "tests/testing.h"

enum { DEADLINE = 30, FILE_MAX = 64 << 20 };

static struct error err;

void making(const char *script)
{
    static const char legacy[] = "-provider legacy -provider default";
    AUTO_FREE char *line =
        mem_printf("cd %s && LEGACY='%s' && { %s; } 2>&1", testing_dir(), legacy, script);

    ck_ok(proc_run_checked((const char *[]){"/bin/sh", "-c", line, NULL}, DEADLINE, &err));
}

struct blob made(const char *name)
{
    AUTO_FREE char *path = testing_path(name);
    struct blob data = {0};

    ck_ok(file_read(path, FILE_MAX, &data, &err));
    return data;
}

void making_certificates(void)
{
    making("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem "
           "-out c.pem -subj /CN=www.example.com -addext basicConstraints=CA:FALSE && "
           "openssl req -x509 -newkey rsa:2048 -nodes -keyout rk.pem -out ca.pem -subj /CN=CA && "
           "openssl x509 -in c.pem -outform DER -out c.der && "
           "openssl x509 -in ca.pem -outform DER -out ca.der");
}

static void add(zip_t *zip, const struct making_entry *entry)
{
    zip_source_t *source = zip_source_buffer(zip, entry->data.data, entry->data.len, 0);
    zip_int64_t at = zip_file_add(zip, entry->name, source, ZIP_FL_ENC_UTF_8);
    int method = entry->method ? entry->method : entry->stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE;

    ck_assert_msg(at >= 0, "%s: %s", entry->name, zip_strerror(zip));
    ck_assert_int_eq(zip_set_file_compression(zip, (zip_uint64_t)at, method, 0), 0);
    if (entry->mode)
        ck_assert_int_eq(zip_file_set_external_attributes(zip, (zip_uint64_t)at, 0, ZIP_OPSYS_UNIX,
                                                          entry->mode << 16),
                         0);
    if (entry->password)
        ck_assert_int_eq(
            zip_file_set_encryption(zip, (zip_uint64_t)at, ZIP_EM_TRAD_PKWARE, entry->password), 0);
}

struct blob making_zip(const struct making_entry *entries, size_t count)
{
    AUTO_FREE char *path = testing_path("made.zip");
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);

    ck_assert_int_eq(code, 0);
    for (size_t i = 0; i < count; i++)
        add(zip, &entries[i]);
    ck_assert_msg(zip_close(zip) == 0, "%s", zip_strerror(zip));
    return made("made.zip");
}

static void check_shown(const char *text)
{
    ck_assert_msg(text_is_header_safe(text, strlen(text)) && text_is_utf8(text, strlen(text)), "%s",
                  text);
}

struct delivery_objects making_read(struct span file, const struct delivery_options *options)
{
    struct delivery_objects objects = {0};

    ck_ok(delivery_read(file, options, &objects, &err));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    check_shown(objects.summary);
    for (size_t i = 0; i < objects.count; i++) {
        const struct object *item = &objects.items[i];

        check_shown(item->note);
        check_shown(item->origin);
        ck_assert(item->key.len == 0 || (item->kind == OBJECT_PRIVATE_KEY && options->keep_keys));
        for (size_t k = 0; options && k < options->password_count; k++)
            ck_assert_ptr_null(strstr(item->note, options->passwords[k]));
    }
    return objects;
}

char *making_told(const struct delivery_objects *objects)
{
    static const char *const kinds[] = {"certificate", "csr", "crl", "key", "other", "broken"};
    AUTO_BUF struct buf out;

    buf_init(&out, 64 << 10);
    for (size_t i = 0; i < objects->count; i++) {
        const struct object *item = &objects->items[i];

        buf_printf(&out, "%s%s %s", i > 0 ? "; " : "", kinds[item->kind],
                   item->kind == OBJECT_CERTIFICATE ? item->cert.subject : item->note);
    }
    return mem_strdup(buf_text(&out));
}

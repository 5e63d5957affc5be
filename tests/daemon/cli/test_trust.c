/* `unlapse trust` against a real API. */
#include "tests/daemon/cli/run.h"

#include <string.h>

#include "base/file.h"
#include "store/authorities.h"

static struct server server;
static char *root_file, *both_file, *leaf_file;

static void fill(struct harness *harness)
{
    struct cert cert = {
        .subject = "CN=\033[2JPool", .sha256 = {1}, .subject_sha256 = {1}, .issuer_sha256 = {1}};
    struct error err = {0};
    bool is_new;

    cert.not_after = UTC_NEVER;
    ck_ok(authorities_add(harness->inventory, span_text("x"), &cert, HARNESS_NOW, &is_new, &err));
}

static char *write(const char *name, const char *text)
{
    struct error err = {0};
    char *path = testing_path(name);

    ck_ok(file_replace(path, span_text(text), FILE_PUBLIC, &err));
    return path;
}

static void setup(void)
{
    AUTO_FREE char *root = harness_root("Root"), *other = harness_root("Other");
    AUTO_FREE char *leaf = harness_leaf("www");
    AUTO_FREE char *both = mem_printf("%s%s", root, other);

    server_start(&server, fill);
    root_file = write("root.pem", root);
    both_file = write("both.pem", both);
    leaf_file = write("leaf.pem", leaf);
}

static void teardown(void)
{
    server_stop(&server);
    free(root_file);
    free(both_file);
    free(leaf_file);
}

START_TEST(add_list_remove)
{
    AUTO_RAN struct ran added =
        run(&server, "trust", "add", root_file, "--comment", "of \033 the house");
    ck_ran(added, 0);
    ck_says(added.out, "CN=Root is trusted from now on\n  SHA-256  ");
    ck_says(added.out, "\n  ends     2040-01-01 00:00:00 UTC (in ");
    AUTO_RAN struct ran again = run(&server, "trust", "add", root_file);
    ck_ran(again, 3);
    ck_says(again.out, "CN=Root was trusted already");
    AUTO_RAN struct ran json = run(&server, "trust", "add", root_file, "--json");
    ck_ran(json, 3);
    AUTO_RAN struct ran list = run(&server, "trust", "list");
    ck_ran(list, 0);
    ck_says(list.out, "SUBJECT  ENDS IN");
    ck_says(list.out, "of \\x1b the house");
    ck_assert_ptr_null(strchr(list.out, '\033'));
    AUTO_RAN struct ran document = run(&server, "trust", "list", "--json");
    json_t *anchors = json_loads(document.out, 0, NULL);
    char print[24];
    snprintf(print, sizeof print, "%.20s", json_string_value(at(anchors, "anchors.0.sha256")));
    json_decref(anchors);
    AUTO_RAN struct ran removed = run(&server, "trust", "remove", print);
    ck_ran(removed, 0);
    ck_says(removed.out, "CN=Root is no longer trusted; what is installed stays");
    AUTO_RAN struct ran gone = run(&server, "trust", "remove", print);
    ck_ran(gone, 5);
    AUTO_RAN struct ran history = run(&server, "history");
    ck_says(history.out, "trust-added");
    ck_says(history.out, "trust-removed");
}
END_TEST

START_TEST(several_need_all)
{
    AUTO_RAN struct ran one = run(&server, "trust", "add", both_file);
    ck_ran(one, 6);
    ck_says(one.err, "got 2: give them one by one");
    ck_says(one.err, "\"CN=Root\", \"CN=Other\"");
    AUTO_RAN struct ran all = run(&server, "trust", "add", "--all", both_file);
    ck_ran(all, 0);
    ck_says(all.out, "CN=Other is trusted from now on");
    AUTO_RAN struct ran leaf = run(&server, "trust", "add", leaf_file);
    ck_ran(leaf, 6);
    ck_says(leaf.err, "wanted the certificate of an authority");
}
END_TEST

START_TEST(der_is_taken_too)
{
    struct error err = {0};
    AUTO_BLOB struct blob pem = {0};
    AUTO_OBJECTS struct delivery_objects objects = {0};
    AUTO_FREE char *path = testing_path("root.der");

    ck_ok(file_read(root_file, 1 << 20, &pem, &err));
    ck_ok(delivery_read(blob_span(&pem), NULL, &objects, &err));
    ck_ok(file_replace(path, blob_span(&objects.items[0].der), FILE_PUBLIC, &err));
    AUTO_RAN struct ran ran = run(&server, "trust", "add", path);
    ck_ran(ran, 0);
    ck_says(ran.out, "CN=Root is trusted from now on");
    ck_ok(file_replace(path, span_of("\xff\0a", 3), FILE_PUBLIC, &err));
    AUTO_RAN struct ran bad = run(&server, "trust", "add", path);
    ck_ran(bad, 1);
    ck_says(bad.err, "wanted a certificate in PEM or DER");
}
END_TEST

START_TEST(pool)
{
    AUTO_RAN struct ran ran = run(&server, "trust", "list", "--pool");
    ck_ran(ran, 0);
    ck_says(ran.out, "CN=\\x1b[2JPool  -        nowhere");
    AUTO_RAN struct ran json = run(&server, "trust", "list", "--pool", "--json");
    json_t *document = json_loads(json.out, 0, NULL);
    ck_assert(json_is_false(at(document, "authorities.0.anchored")));
    ck_json_null(document, "more_after");
    json_decref(document);
}
END_TEST

START_TEST(usage)
{
    static const char *const wrong[][6] = {
        {"trust"},
        {"trust", "trust"},
        {"trust", "add"},
        {"trust", "remove"},
        {"trust", "list", "x"},
        {"trust", "add", "a", "b"},
        {"trust", "list", "--all"},
        {"trust", "remove", "0123456789", "--comment", "x"},
        {"trust", "add", "a", "--pool"},
        {"trust", "remove", "zz"},
    };

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO_RAN struct ran ran = run_argv(&server, -1, wrong[i]);

        ck_assert_msg(ran.status == 2, "row %zu: %d %s", i, ran.status, ran.err);
    }
    AUTO_RAN struct ran none = run(&server, "trust", "add", "/nowhere/x.pem");
    ck_ran(none, 5);
    ck_says(none.err, "/nowhere/x.pem");
}
END_TEST

/* Replies that are not what they should be. */
START_TEST(garbage)
{
    static const struct {
        const char *words[4], *body, *says;
    } rows[] = {
        {{"trust", "list"}, "{\"schema_version\":1}", "anchors: wanted an array"},
        {{"trust", "list"}, "{\"schema_version\":1,\"anchors\":[7]}", "wanted"},
        {{"trust", "list", "--pool"},
         "{\"schema_version\":1,\"authorities\":[],\"more_after\":-7}",
         "it does not move on"},
        {{"trust", "list", "--pool"}, "{\"schema_version\":1,\"authorities\":7}", "wanted"},
        {{"trust", "remove", "0123456789"}, "{\"schema_version\":1}", "wanted"},
        {{"trust", "add", "-"}, "{\"schema_version\":1,\"existing\":1}", "wanted"},
    };
    struct server canned;
    AUTO_FREE char *reply = http_reply(200, rows[_i].body);
    const char *const replies[] = {reply};

    server_start_canned(&canned, replies, 1);
    AUTO_RAN struct ran ran = run_argv(&canned, -1, rows[_i].words);
    server_stop(&canned);
    ck_assert_msg(ran.status == 1, "row %d: %d %s", _i, ran.status, ran.err);
    ck_assert_str_eq("", ran.out);
    ck_says(ran.err, rows[_i].says);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli-trust");
    TCase *tcase = tcase_create("trust");
    TCase *replies = tcase_create("replies");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, add_list_remove);
    tcase_add_test(tcase, several_need_all);
    tcase_add_test(tcase, der_is_taken_too);
    tcase_add_test(tcase, pool);
    tcase_add_test(tcase, usage);
    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(replies, garbage, 0, 6);
    suite_add_tcase(suite, replies);
    return testing_run(suite);
}

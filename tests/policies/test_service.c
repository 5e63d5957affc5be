#include "policies/service.h"

#include <signal.h>
#include <string.h>

#include "tests/testing.h"

static struct services *services;
static struct buf complaints;
static struct error err;

static void open_set(void)
{
    buf_init(&complaints, BUF_MAX_CONFIG);
    services = services_open();
}

static void close_set(void)
{
    services_free(services);
    buf_done(&complaints);
}

static int load(const char *file, const char *text)
{
    AUTO_FREE char *copy = mem_strdup(text);

    return services_load(services, file, copy, strlen(copy), &complaints, &err);
}

static const struct service *load_fine(const char *text, const char *name)
{
    ck_ok(load("own.yaml", text));
    ck_ok(services_finish(services, &complaints, &err));
    ck_assert_str_eq(buf_text(&complaints), "");
    ck_assert_ptr_nonnull(services_get(services, name));
    return services_get(services, name);
}

static void load_wrong(const char *text, const char *lines)
{
    open_set();
    int rc = load("own.yaml", text);
    int end = services_finish(services, &complaints, &err);

    ck_assert_str_eq(buf_text(&complaints), lines);
    ck_assert_msg(rc == E_CONFIG || end == E_CONFIG, "%d %d", rc, end);
    close_set();
}

START_TEST(nginx_is_shipped)
{
    static const char *const test[] = {"/usr/sbin/nginx", "-t", "-q", "-c",
                                       "/etc/nginx/nginx.conf"};

    open_set();
    const struct service *nginx = services_get(services, "nginx");
    ck_assert_ptr_nonnull(nginx);
    ck_assert_str_eq(nginx->source, "built in");
    for (size_t i = 0; i < COUNT_OF(test); i++)
        ck_assert_str_eq(nginx->test[i], test[i]);
    ck_assert_ptr_null(nginx->test[COUNT_OF(test)]);
    ck_assert_ptr_null(nginx->reload[0]);
    ck_assert_int_eq(nginx->reload_signal, SIGHUP);
    ck_assert_str_eq(nginx->pid_file, "/run/nginx.pid");
    ck_assert_int_eq(nginx->command_deadline, 30);
    for (int part = 0; part < BUNDLE_PARTS; part++) {
        ck_assert(nginx->parts[part].allowed);
        ck_assert(nginx->parts[part].has_mode);
        ck_assert_uint_eq(nginx->parts[part].mode,
                          bundle_part_is_secret((enum bundle_part)part) ? 0600 : 0644);
    }
    close_set();
}
END_TEST

START_TEST(files_is_shipped)
{
    open_set();
    const struct service *files = services_get(services, "files");
    ck_assert_ptr_nonnull(files);
    ck_assert_ptr_null(files->test[0]);
    ck_assert_ptr_null(files->reload[0]);
    ck_assert_int_eq(files->reload_signal, 0);
    for (int part = 0; part < BUNDLE_PARTS; part++)
        ck_assert(files->parts[part].allowed && !files->parts[part].has_mode);
    ck_assert_uint_eq(services_count(services), 2);
    ck_assert_ptr_eq(services_at(services, 0), files);
    ck_assert_ptr_null(services_at(services, 2));
    ck_assert_ptr_null(services_get(services, "other"));
    close_set();
}
END_TEST

START_TEST(parameters_and_parts_are_replaced_by_heirs)
{
    open_set();
    const struct service *shop = load_fine(
        "services:\n"
        "  shop:\n"
        "    extends: nginx\n"
        "    parameters: {config: /srv/a b.conf, pid-file: /srv/pid}\n"
        "    files: {key: {owner: root, group: ssl-cert, mode: 0640}, leaf: {owner: www}}\n"
        "    deadline: 5m\n"
        "  quiet: {extends: shop, test: [], reload: []}\n"
        "  other: {extends: shop, reload: [/bin/systemctl, reload, shop]}\n"
        "  third: {extends: nginx, parameters: {pid-file: /srv/pid}, reload: [/bin/true]}\n",
        "shop");
    ck_assert_str_eq(shop->test[0], "/usr/sbin/nginx");
    ck_assert_str_eq(shop->test[4], "/srv/a b.conf");
    ck_assert_str_eq(shop->pid_file, "/srv/pid");
    ck_assert_str_eq(shop->parts[BUNDLE_KEY].group, "ssl-cert");
    ck_assert_uint_eq(shop->parts[BUNDLE_KEY].mode, 0640);
    ck_assert_str_eq(shop->parts[BUNDLE_LEAF].owner, "www");
    ck_assert_uint_eq(shop->parts[BUNDLE_LEAF].mode, 0644);
    ck_assert_ptr_null(shop->parts[BUNDLE_LEAF].group);
    ck_assert_int_eq(shop->command_deadline, 300);
    const struct service *quiet = services_get(services, "quiet");
    ck_assert_ptr_null(quiet->test[0]);
    ck_assert_int_eq(quiet->reload_signal, 0);
    ck_assert_ptr_null(quiet->pid_file);
    const struct service *other = services_get(services, "other");
    ck_assert_str_eq(other->reload[2], "shop");
    ck_assert_ptr_null(other->reload[3]);
    ck_assert_int_eq(other->reload_signal, 0);
    ck_assert_str_eq(other->test[4], "/srv/a b.conf");
    /* The shipped one stays as it is. */
    ck_assert_str_eq(services_get(services, "nginx")->pid_file, "/run/nginx.pid");
    close_set();
}
END_TEST

START_TEST(own_nginx_extends_the_shipped_one)
{
    open_set();
    const struct service *nginx = load_fine(
        "services: {nginx: {extends: nginx, parameters: {program: /opt/nginx}}}", "nginx");
    ck_assert_str_eq(nginx->test[0], "/opt/nginx");
    ck_assert_str_eq(nginx->test[1], "-t");
    ck_assert_uint_eq(services_count(services), 2);
    close_set();
}
END_TEST

START_TEST(braces_can_be_written)
{
    open_set();
    const struct service *service =
        load_fine("services: {s: {files: {leaf: {}}, parameters: {p: 'v{x}', q: ''},\n"
                  "  test: ['/bin/{p}', '{{p}}', 'a{p}b{p}c', '{{{p}}}', '{q}']}}",
                  "s");
    ck_assert_str_eq(service->test[0], "/bin/v{x}");
    ck_assert_str_eq(service->test[1], "{p}");
    ck_assert_str_eq(service->test[2], "av{x}bv{x}c");
    ck_assert_str_eq(service->test[3], "{v{x}}");
    ck_assert_str_eq(service->test[4], "");
    ck_assert_int_eq(service->command_deadline, 30);
    close_set();
}
END_TEST

START_TEST(mistakes_are_told_where_they_stand)
{
    load_wrong("services:\n"
               "  a:\n"
               "    extends: nginx\n"
               "    parameters: {confg: /x, Bad: y}\n"
               "    files: {key: {mode: 0644}, kye: {}}\n"
               "    reload: {signal: HUPP}\n"
               "    deadline: 0s\n"
               "  b:\n"
               "    files: {leaf: {mode: 0200}}\n"
               "    test: [nginx, '{nope}', '{', '}']\n"
               "    reload: now\n",
               "own.yaml:4:34: Bad: wanted a parameter of small letters, digits and \"-\"\n"
               "own.yaml:5:25: mode: wanted a mode that its owner can read and others can not: it "
               "holds the private key, got 0644\n"
               "own.yaml:6:22: signal: wanted HUP, USR1, USR2, INT, TERM or WINCH, got \"HUPP\": "
               "did you mean HUP?\n"
               "own.yaml:6:13: reload: wanted the key pid-file, got none\n"
               "own.yaml:7:15: deadline: wanted a time such as 30s, 15m, 12h, 21d or 2w (1s to "
               "1h), got \"0s\"\n"
               "own.yaml:9:26: mode: wanted a mode that its owner can read, got 0200\n"
               "own.yaml:11:13: reload: wanted a command as [/path, word, ...], or {signal: HUP, "
               "pid-file: /path}\n"
               "own.yaml:5:32: kye: wanted a known key: did you mean key?\n"
               "own.yaml:10:12: test: wanted an absolute path, got \"nginx\"\n"
               "own.yaml:10:19: test: wanted a known parameter, got {nope}\n"
               "own.yaml:10:29: test: wanted \"}\" behind \"{\", got \"{\" (a brace itself is "
               "\"{{\")\n"
               "own.yaml:10:34: test: wanted \"{\" before \"}\", got \"}\" (a brace itself is "
               "\"}}\")\n"
               "own.yaml:4:25: confg: wanted a parameter that is used: did you mean config?\n");
}
END_TEST

START_TEST(mistakes_of_the_whole)
{
    load_wrong("services: {a: {}}",
               "own.yaml:1:15: a: wanted files with at least one part, got none\n");
    load_wrong("services: {a: {files: {leaf: {}}, parameters: {conf: /x}, test: ['{config}']}}",
               "own.yaml:1:66: test: wanted a known parameter, got {config}: did you mean conf?\n"
               "own.yaml:1:54: conf: wanted a parameter that is used\n");
    load_wrong("services: {a: {extends: ngnix}}",
               "own.yaml:1:25: extends: wanted a known name, got \"ngnix\": did you mean nginx?\n");
    load_wrong("services: {a: {extends: nginx, parameters: {pid-file: run/pid}}}",
               "own.yaml:1:15: a: pid-file: wanted an absolute path, got \"run/pid\"\n");
}
END_TEST

START_TEST(commands_are_bounded)
{
    AUTO_BUF struct buf text;

    buf_init(&text, BUF_MAX_CONFIG);
    buf_add_text(&text, "services: {a: {files: {leaf: {}}, test: [/x");
    for (int i = 0; i < SERVICE_ARGV_MAX; i++)
        buf_add_text(&text, ", y");
    buf_add_text(&text, "]}}");
    load_wrong(text.data, "own.yaml:1:41: test: wanted at most 32 words, got 33\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policies/service");
    TCase *tcase = tcase_create("service");

    tcase_add_test(tcase, nginx_is_shipped);
    tcase_add_test(tcase, files_is_shipped);
    tcase_add_test(tcase, parameters_and_parts_are_replaced_by_heirs);
    tcase_add_test(tcase, own_nginx_extends_the_shipped_one);
    tcase_add_test(tcase, braces_can_be_written);
    tcase_add_test(tcase, mistakes_are_told_where_they_stand);
    tcase_add_test(tcase, mistakes_of_the_whole);
    tcase_add_test(tcase, commands_are_bounded);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

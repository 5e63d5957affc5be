#include "daemon/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/testing.h"

static struct buf complaints;
static struct error err;

static void write_text(const char *name, const char *text)
{
    AUTO_FREE char *path = testing_path(name);

    ck_ok(file_replace(path, span_text(text), FILE_PRIVATE, &err));
}

static void make_folder(const char *name)
{
    AUTO_FREE char *path = testing_path(name);

    ck_ok(file_make_dirs(path, 0700, &err));
}

static struct config *load(const char *text)
{
    AUTO_FREE char *path = testing_path("u.yaml");
    struct config *config = NULL;

    write_text("u.yaml", text);
    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_ok(config_load(path, &config, &complaints, &err));
    ck_assert_str_eq(buf_text(&complaints), "");
    return config;
}

/* Loads a text that is wrong; every line of complaint begins with "DIR/", which is left out here.
 */
static void load_wrong(const char *text, const char *lines)
{
    AUTO_FREE char *path = testing_path("u.yaml");
    AUTO_BUF struct buf all, bare;
    struct config *config = NULL;

    write_text("u.yaml", text);
    buf_init(&all, BUF_MAX_CONFIG);
    buf_init(&bare, BUF_MAX_CONFIG);
    ck_fails(config_load(path, &config, &all, &err), E_CONFIG, "");
    ck_assert_ptr_null(config);
    const char *dir = testing_dir();
    for (const char *at = buf_text(&all); *at;) {
        bool here = strncmp(at, dir, strlen(dir)) == 0;

        at += here ? strlen(dir) + 1 : 0;
        buf_add(&bare, at, 1);
        at++;
    }
    ck_assert_str_eq(buf_text(&bare), lines);
}

START_TEST(empty_file_means_defaults)
{
    char host[256] = "";

    unsetenv("CREDENTIALS_DIRECTORY");
    struct config *config = load("");
    ck_assert_int_eq(gethostname(host, sizeof host - 1), 0);
    ck_assert_str_eq(config->host, host);
    ck_assert_str_eq(config->inventory, "/var/lib/unlapsed/inventory.db");
    ck_assert_str_eq(config->sealing_key, "/var/lib/unlapsed/sealing.key");
    ck_assert_str_eq(config->socket, "/run/unlapsed/api.sock");
    ck_assert_str_eq(config->requests, "/var/lib/unlapsed/requests");
    ck_assert_str_eq(config->drop, "/var/lib/unlapsed/drop");
    ck_assert_str_eq(config->drop_shown, "/var/lib/unlapsed/drop");
    ck_assert_ptr_null(config->read_group);
    ck_assert_ptr_null(config->admin_group);
    ck_assert_int_eq(config->drop_settle, 2);
    ck_assert(!config->drop_erase_keys);
    ck_assert_int_eq(config->audit_keep, 0);
    ck_assert_int_eq(config->drop_scan, 60);
    ck_assert_str_eq(config->backups, "/var/lib/unlapsed/backups");
    ck_assert_int_eq(config->backups_every, 86400);
    ck_assert_int_eq(config->backups_keep, 14);
    ck_assert_ptr_null(config->mail.host);
    ck_assert_int_eq(config->mail.timeout, 60);
    ck_assert_uint_eq(config->mail_retry_count, 4);
    ck_assert_int_eq(config->mail_retry[3], 3600);
    ck_assert_int_eq(config->mail_give_up, 3 * 86400);
    ck_assert_uint_eq(config->recipients.count, 0);
    ck_assert_ptr_nonnull(policies_get(config->policies, "default"));
    ck_assert_ptr_nonnull(services_get(config->services, "nginx"));
    config_free(config);
    config_free(NULL);
}
END_TEST

/* A password file as it must be. */
static char *password_file(void)
{
    write_text("pw", "secret\n");
    return testing_path("pw");
}

static char *replace(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);

    ck_assert_ptr_nonnull(at);
    return mem_printf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

START_TEST(every_key_is_read)
{
    AUTO_FREE char *password = password_file();
    AUTO_FREE char *text =
        replace("host: web1.example.com\n"
                "inventory: /a/inventory.db\n"
                "sealing-key: /a/key\n"
                "socket: /a/sock\n"
                "requests: /a/requests\n"
                "drop: {folder: /a/drop, shown: '\\\\share\\drop', settle: 5s, scan: 2m,\n"
                "       erase-keys: true}\n"
                "backups: {folder: /a/backups, every: 6h, keep: 3}\n"
                "aia: {allow: [10.0.0.0/8, ca.internal], ports: [8080, 81]}\n"
                "access: {read-group: adm, admin-group: root}\n"
                "mail: {server: mail.example.com, port: 2525, tls: opportunistic, ca-file: /a/ca,\n"
                "       user: u, password-file: /a/pw, from: u@example.com, timeout: 5s,\n"
                "       retry: [1s, 2s], give-up: 1h}\n"
                "audit: {keep: 400d}\n"
                "recipients: [ops@example.com, b@example.com]\n",
                "/a/pw", password);
    struct config *config = load(text);

    ck_assert_str_eq(config->host, "web1.example.com");
    ck_assert_str_eq(config->inventory, "/a/inventory.db");
    ck_assert_str_eq(config->sealing_key, "/a/key");
    ck_assert_str_eq(config->socket, "/a/sock");
    ck_assert_str_eq(config->requests, "/a/requests");
    ck_assert_str_eq(config->drop, "/a/drop");
    ck_assert_str_eq(config->drop_shown, "\\\\share\\drop");
    ck_assert_int_eq(config->drop_settle, 5);
    ck_assert_int_eq(config->drop_scan, 120);
    ck_assert(config->drop_erase_keys);
    ck_assert_str_eq(config->backups, "/a/backups");
    ck_assert_int_eq(config->backups_every, 6 * 3600);
    ck_assert_int_eq(config->backups_keep, 3);
    ck_assert_int_eq(config->audit_keep, 400 * 86400);
    ck_assert_uint_eq(config->aia_allow.count, 2);
    ck_assert_str_eq(config->aia_allow.items[1], "ca.internal");
    ck_assert_uint_eq(config->aia_port_count, 2);
    ck_assert_int_eq(config->aia_ports[0], 8080);
    ck_assert_str_eq(config->read_group, "adm");
    ck_assert_str_eq(config->admin_group, "root");
    ck_assert_str_eq(config->mail.host, "mail.example.com");
    ck_assert_int_eq(config->mail.port, 2525);
    ck_assert_int_eq(config->mail.tls, SMTP_TLS_OPPORTUNISTIC);
    ck_assert_str_eq(config->mail.ca_file, "/a/ca");
    ck_assert_str_eq(config->mail.user, "u");
    ck_assert_str_eq(config->mail.password_file, password);
    ck_assert_str_eq(config->mail.from, "u@example.com");
    ck_assert_int_eq(config->mail.timeout, 5);
    ck_assert_uint_eq(config->mail_retry_count, 2);
    ck_assert_int_eq(config->mail_give_up, 3600);
    ck_assert_str_eq(config->recipients.items[1], "b@example.com");
    config_free(config);
}
END_TEST

/* Each line as it stands, in its order. */
START_TEST(drop_passwords_are_read)
{
    AUTO_FREE char *path = testing_path("dp");
    AUTO_FREE char *text = mem_printf("drop: {passwords: %s}\n", path);

    write_text("dp", "first\r\n two words \n\xc3\xa4\nlast");
    struct config *config = load(text);
    ck_assert_uint_eq(config->drop_passwords.count, 4);
    ck_assert_str_eq(config->drop_passwords.items[0], "first");
    ck_assert_str_eq(config->drop_passwords.items[1], " two words ");
    ck_assert_str_eq(config->drop_passwords.items[2], "\xc3\xa4");
    ck_assert_str_eq(config->drop_passwords.items[3], "last");
    config_free(config);
    write_text("dp", "");
    config = load(text);
    ck_assert_uint_eq(config->drop_passwords.count, 0);
    config_free(config);
}
END_TEST

/* No complaint shows what stands in the file. */
START_TEST(drop_passwords_are_checked)
{
    static const char *const rows[][2] = {
        {"hunter2\n\nhunter3\n", "line 2: wanted a password, got a blank line"},
        {"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\nn\no\np\nhunter2\n",
         "wanted at most 16 passwords, got more"},
    };
    AUTO_FREE char *path = testing_path("dp");
    AUTO_FREE char *text = mem_printf("drop: {passwords: %s}\n", path);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_BUF struct buf all;
        struct config *config = NULL;
        AUTO_FREE char *file = testing_path("u.yaml");

        write_text("dp", rows[i][0]);
        write_text("u.yaml", text);
        buf_init(&all, BUF_MAX_CONFIG);
        ck_fails(config_load(file, &config, &all, &err), E_CONFIG, rows[i][1]);
        ck_assert_ptr_nonnull(strstr(buf_text(&all), "u.yaml:1:19: passwords: "));
        ck_assert_ptr_null(strstr(buf_text(&all), "hunter"));
    }
    write_text("dp", "hunter2\n");
    ck_assert_int_eq(chmod(path, 0640), 0);
    AUTO_BUF struct buf all;
    struct config *config = NULL;
    AUTO_FREE char *file = testing_path("u.yaml");
    buf_init(&all, BUF_MAX_CONFIG);
    ck_fails(config_load(file, &config, &all, &err), E_CONFIG, "chmod go-rwx");
}
END_TEST

START_TEST(port_follows_tls_and_user)
{
    static const struct {
        const char *text;
        enum smtp_tls tls;
        int port;
    } rows[] = {
        {"mail: {server: m, from: a@b}", SMTP_TLS_REQUIRED, 25},
        {"mail: {server: m, from: a@b, tls: none}", SMTP_TLS_NONE, 25},
        {"mail: {server: m, from: a@b, tls: implicit}", SMTP_TLS_IMPLICIT, 465},
        {"mail: {server: m, from: a@b, user: u, password-file: /p}", SMTP_TLS_REQUIRED, 587},
        {"mail: {server: m, from: a@b, user: u, password-file: /p, tls: implicit}",
         SMTP_TLS_IMPLICIT, 465},
    };

    AUTO_FREE char *password = password_file();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *text = strstr(rows[i].text, "/p") ? replace(rows[i].text, "/p", password)
                                                          : mem_strdup(rows[i].text);
        struct config *config = load(text);

        ck_assert_msg(config->mail.tls == rows[i].tls && config->mail.port == rows[i].port,
                      "row %zu: %d %d", i, config->mail.tls, config->mail.port);
        config_free(config);
    }
}
END_TEST

START_TEST(credential_of_systemd_is_taken)
{
    AUTO_FREE char *folder = testing_path("credentials");
    AUTO_FREE char *key = testing_path("credentials/sealing-key");

    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    struct config *config = load("");
    ck_assert_str_eq(config->sealing_key, "/var/lib/unlapsed/sealing.key");
    config_free(config);
    make_folder("credentials");
    write_text("credentials/sealing-key", "x");
    config = load("");
    ck_assert_str_eq(config->sealing_key, key);
    ck_assert(config->sealing_key_given);
    ck_assert_ptr_null(config->sealing_key_previous);
    config_free(config);
    config = load("sealing-key: /own");
    ck_assert_str_eq(config->sealing_key, "/own");
    ck_assert(!config->sealing_key_given);
    config_free(config);
    write_text("credentials/sealing-key-previous", "y");
    AUTO_FREE char *previous = testing_path("credentials/sealing-key-previous");
    config = load("");
    ck_assert_str_eq(config->sealing_key_previous, previous);
    config_free(config);
    config = load("sealing-key-previous: /own.before");
    ck_assert_str_eq(config->sealing_key_previous, "/own.before");
    config_free(config);
}
END_TEST

START_TEST(folders_beside_the_file_are_read)
{
    make_folder("policies");
    make_folder("services");
    write_text("policies/b.yaml", "policies: {b: {extends: a}}");
    write_text("policies/a.yaml", "policies: {a: {retry: [7s]}}");
    write_text("policies/.hidden.yaml", "policies: {hidden: {}}");
    write_text("policies/README", "not ours: [");
    write_text("services/s.yaml", "services: {shop: {extends: nginx}}");
    struct config *config = load("");
    ck_assert_int_eq(policy_retry(policies_get(config->policies, "b"), 1), 7);
    ck_assert_ptr_null(policies_get(config->policies, "hidden"));
    ck_assert_ptr_nonnull(services_get(config->services, "shop"));
    config_free(config);
}
END_TEST

START_TEST(named_folders_are_read_instead)
{
    make_folder("policies");
    make_folder("else");
    write_text("policies/a.yaml", "policies: {a: {}}");
    write_text("else/b.yaml", "policies: {b: {}}");
    AUTO_FREE char *text = mem_printf("policies: %s/else\n", testing_dir());
    struct config *config = load(text);
    ck_assert_ptr_null(policies_get(config->policies, "a"));
    ck_assert_ptr_nonnull(policies_get(config->policies, "b"));
    config_free(config);
}
END_TEST

START_TEST(mistakes_of_all_files_come_at_once)
{
    make_folder("policies");
    make_folder("services");
    make_folder("services/x.yaml");
    write_text("policies/a.yaml", "policies: {a: {key: none, extends: gone}}");
    write_text("policies/b.yaml", "policies: [");
    write_text("policies/c.yml", "");
    write_text("services/s.yaml", "services: {shop: {extends: ngix}}");
    AUTO_FREE char *huge = mem_alloc(BUF_MAX_CONFIG + 2, 1);
    memset(huge, '#', BUF_MAX_CONFIG + 1);
    write_text("services/t.yaml", huge);
    load_wrong("hosts: x\n",
               "u.yaml:1:1: hosts: wanted a known key: did you mean host?\n"
               "policies/a.yaml:1:21: key: wanted ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096 "
               "or ed25519, got \"none\"\n"
               "policies/b.yaml:2:1: flow sequence without a closing bracket\n"
               "file policies/c.yml: wanted a name that ends in .yaml\n"
               "policies/a.yaml:1:36: extends: wanted a known name, got \"gone\"\n"
               "file services/t.yaml: wanted at most 1048576 bytes, got 1048577\n"
               "file services/x.yaml: wanted a regular file\n"
               "services/s.yaml:1:28: extends: wanted a known name, got \"ngix\": did you mean "
               "nginx?\n");
    ck_assert_ptr_nonnull(strstr(err.text, "u.yaml:1:1: hosts: wanted a known key"));
    ck_assert_ptr_nonnull(strstr(err.text, " (and 7 more)"));
    /* A main file that cannot be parsed does not hide the others. */
    load_wrong("a: b: c\n",
               "u.yaml:1:5: invalid nested block mapping on the same line\n"
               "policies/a.yaml:1:21: key: wanted ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096 "
               "or ed25519, got \"none\"\n"
               "policies/b.yaml:2:1: flow sequence without a closing bracket\n"
               "file policies/c.yml: wanted a name that ends in .yaml\n"
               "policies/a.yaml:1:36: extends: wanted a known name, got \"gone\"\n"
               "file services/t.yaml: wanted at most 1048576 bytes, got 1048577\n"
               "file services/x.yaml: wanted a regular file\n"
               "services/s.yaml:1:28: extends: wanted a known name, got \"ngix\": did you mean "
               "nginx?\n");
}
END_TEST

START_TEST(audit_is_kept_for_ever)
{
    struct config *config = load("audit: {keep: forever}\n");

    ck_assert_int_eq(config->audit_keep, 0);
    config_free(config);
}
END_TEST

START_TEST(mistakes_of_every_key)
{
    load_wrong("host: 'a b'\n"
               "inventory: x.db\n"
               "socket: api.sock\n"
               "drop: {settle: 2, folder: drop}\n"
               "access: {group: x}\n"
               "mail: {server: 'm/../x', port: 0, password: hunter2, from: 'a b@c', tls: no}\n"
               "recipients: ops@example.com\n"
               "password: hunter2\n"
               "aia: {allow: [10.0.0.0/33, '*.x'], ports: [0]}\n"
               "audit: {keep: 1d, since: 1d}\n"
               "backups: {folder: b, every: 1, keep: 0}\n",
               "u.yaml:1:7: host: wanted a host name, got \"a b\"\n"
               "u.yaml:2:12: inventory: wanted an absolute path, got \"x.db\"\n"
               "u.yaml:3:9: socket: wanted an absolute path of at most 107 characters, got "
               "\"api.sock\"\n"
               "u.yaml:4:27: folder: wanted an absolute path, got \"drop\"\n"
               "u.yaml:4:16: settle: wanted a time such as 30s, 15m, 12h, 21d or 2w (0s to 1h), "
               "got \"2\"\n"
               "u.yaml:11:19: folder: wanted an absolute path, got \"b\"\n"
               "u.yaml:11:29: every: wanted a time such as 30s, 15m, 12h, 21d or 2w (0s to 365d), "
               "got \"1\"\n"
               "u.yaml:11:38: keep: wanted a whole number from 1 to 1000, got \"0\"\n"
               "u.yaml:9:15: allow: wanted a range of addresses such as 10.0.0.0/8, or a host "
               "name, got \"10.0.0.0/33\"\n"
               "u.yaml:9:28: allow: wanted a range of addresses such as 10.0.0.0/8, or a host "
               "name, got \"*.x\"\n"
               "u.yaml:9:44: ports: wanted a port from 1 to 65535, got \"0\"\n"
               "u.yaml:6:16: server: wanted a host name or an address, got \"m/../x\"\n"
               "u.yaml:6:74: tls: wanted required, opportunistic, none or implicit, got \"no\"\n"
               "u.yaml:6:45: password: wanted password-file: /path of a file with the password in "
               "it, got a password in the configuration\n"
               "u.yaml:6:32: port: wanted a whole number from 1 to 65535, got \"0\"\n"
               "u.yaml:6:60: from: wanted a mail address such as unlapsed@example.com, got "
               "\"a b@c\"\n"
               "u.yaml:10:15: keep: wanted a time such as 30s, 15m, 12h, 21d or 2w (30d to "
               "36500d), got \"1d\"\n"
               "u.yaml:7:13: recipients: wanted a list in brackets, got \"ops@example.com\"\n"
               "u.yaml:5:10: group: wanted a known key\n"
               "u.yaml:8:1: password: wanted a known key\n"
               "u.yaml:10:19: since: wanted a known key\n");
}
END_TEST

START_TEST(socket_path_must_fit)
{
    char path[109];

    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[107] = '\0';
    AUTO_FREE char *fits = mem_printf("socket: %s", path);
    struct config *config = load(fits);
    ck_assert_str_eq(config->socket, path);
    config_free(config);
    path[107] = 'b';
    path[108] = '\0';
    AUTO_FREE char *long_one = mem_printf("socket: %s", path);
    AUTO_FREE char *line = mem_printf("u.yaml:1:9: socket: wanted an absolute path of at most 107 "
                                      "characters, got \"%s\"\n",
                                      path);
    load_wrong(long_one, line);
}
END_TEST

START_TEST(mail_hangs_together)
{
    load_wrong("mail: {port: 25}\n", "u.yaml:1:7: mail: wanted the key server, got none\n"
                                     "u.yaml:1:7: mail: wanted the key from, got none\n");
    AUTO_FREE char *password = password_file();
    AUTO_FREE char *clear = mem_printf(
        "mail: {server: m, from: a@b, user: u, password-file: %s, tls: none}\n", password);
    AUTO_FREE char *nobody =
        mem_printf("mail: {server: m, from: a@b, password-file: %s}\n", password);

    load_wrong(clear, "u.yaml:1:36: user: wanted tls: required or implicit with a user, got none: "
                      "credentials are never sent without TLS\n");
    load_wrong("mail: {server: m, from: a@b, user: u}\n",
               "u.yaml:1:36: user: wanted a password-file with a user, got none\n");
    load_wrong(nobody,
               "u.yaml:1:45: password-file: wanted a user with a password-file, got none\n");
}
END_TEST

START_TEST(named_folder_must_exist)
{
    load_wrong("policies: /nowhere/at/all\n",
               "folder /nowhere/at/all: cannot read: No such file or directory\n");
}
END_TEST

/* ---- what steers root ---- */

static void set_mode(const char *name, mode_t mode)
{
    AUTO_FREE char *path = testing_path(name);

    ck_assert_int_eq(chmod(path, mode), 0);
}

/* The configuration of an attacker is not even parsed. */
START_TEST(others_may_not_write_the_file)
{
    AUTO_FREE char *path = testing_path("u.yaml");
    AUTO_FREE char *says = mem_printf("configuration: file %s: wanted a file that only root can "
                                      "write, got mode 0666 of uid %u; run: chmod go-w %s",
                                      path, (unsigned)geteuid(), path);
    struct config *config = NULL;

    write_text("u.yaml", "hosts: x\n");
    set_mode("u.yaml", 0666);
    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_fails(config_load(path, &config, &complaints, &err), E_DENIED, says);
    ck_assert_str_eq(buf_text(&complaints), "");
    set_mode("u.yaml", 0600);
    ck_assert_int_eq(chmod(testing_dir(), 0757), 0);
    ck_fails(config_load(path, &config, &complaints, &err), E_DENIED, "configuration: folder");
    ck_assert_ptr_null(config);
    if (geteuid() != 0) {
        printf("# skipped: only root can give a file away\n");
        return;
    }
    ck_assert_int_eq(chmod(testing_dir(), 0755), 0);
    ck_assert_int_eq(chown(path, 65534, 0), 0);
    ck_fails(config_load(path, &config, &complaints, &err), E_DENIED, "got mode 0600 of uid 65534");
}
END_TEST

START_TEST(others_may_not_write_policies_and_services)
{
    unsigned uid = geteuid();

    make_folder("policies");
    make_folder("services");
    write_text("policies/a.yaml", "policies: {a: {}}");
    write_text("policies/b.yaml", "policies: {b: {}}");
    write_text("services/s.yaml", "services: {shop: {extends: nginx}}");
    set_mode("policies/b.yaml", 0602);
    set_mode("services/s.yaml", 0666);
    AUTO_FREE char *files =
        mem_printf("file policies/b.yaml: wanted a file that only root can write, got mode 0602 of "
                   "uid %u; run: chmod go-w policies/b.yaml\n"
                   "file services/s.yaml: wanted a file that only root can write, got mode 0666 of "
                   "uid %u; run: chmod go-w services/s.yaml\n",
                   uid, uid);
    load_wrong("", files);
    /* One line for a folder, and nothing of it is read. */
    set_mode("policies", 0777);
    set_mode("services/s.yaml", 0644);
    AUTO_FREE char *folder =
        mem_printf("folder policies: wanted a folder that only root can write, got mode 0777 of "
                   "uid %u; run: chmod go-w policies\n",
                   uid);
    load_wrong("", folder);
    set_mode("policies", 0755);
    set_mode("policies/b.yaml", 0644);
    config_free(load(""));
}
END_TEST

START_TEST(password_file_is_private)
{
    AUTO_FREE char *path = password_file();
    AUTO_FREE char *text =
        mem_printf("mail: {server: m, from: a@b, user: u, password-file: %s}\n", path);
    AUTO_FREE char *says =
        mem_printf("u.yaml:1:54: password-file: file pw: wanted a file that only root can read and "
                   "write, got mode 0640 of uid %u; run: chmod go-rwx pw\n",
                   (unsigned)geteuid());

    config_free(load(text));
    set_mode("pw", 0640);
    load_wrong(text, says);
    load_wrong("mail: {server: m, from: a@b, user: u, password-file: /nowhere/pw}\n",
               "u.yaml:1:54: password-file: file /nowhere/pw: cannot look at: No such file or "
               "directory\n");
}
END_TEST

/* ---- what the daemon needs and a file cannot show ---- */

START_TEST(groups_must_exist)
{
    load_wrong("access: {read-group: no-such-group, admin-group: nor-this}\n",
               "u.yaml:1:22: read-group: wanted a group of this machine, got \"no-such-group\"\n"
               "u.yaml:1:50: admin-group: wanted a group of this machine, got \"nor-this\"\n");
}
END_TEST

/* Each once, however many policies inherit it. */
START_TEST(anchors_must_be_readable)
{
    AUTO_FREE char *empty = testing_path("empty.pem");
    AUTO_BUF struct buf all;
    AUTO_FREE char *path = testing_path("u.yaml");
    AUTO_FREE char *policy = mem_printf("policies:\n"
                                        "  a: {anchors: {files: [/nowhere/root.pem, %s]}}\n"
                                        "  b: {extends: a}\n",
                                        empty);
    struct config *config = NULL;
    size_t lines = 0;

    make_folder("policies");
    write_text("policies/a.yaml", policy);
    write_text("empty.pem", "");
    write_text("u.yaml", "");
    buf_init(&all, BUF_MAX_CONFIG);
    ck_fails(config_load(path, &config, &all, &err), E_CONFIG, "policy a: anchors: ");
    ck_assert_ptr_null(config);
    for (const char *at = buf_text(&all); *at; at++)
        lines += *at == '\n';
    ck_assert_msg(lines == 2, "%s", buf_text(&all));
    ck_assert_ptr_nonnull(strstr(buf_text(&all), "policies/a.yaml: policy a: anchors: "));
    ck_assert_ptr_nonnull(strstr(buf_text(&all), "/nowhere/root.pem: cannot open: No such file"));
    ck_assert_ptr_nonnull(strstr(buf_text(&all), "empty.pem"));
}
END_TEST

START_TEST(missing_file_is_told)
{
    struct config *config = NULL;

    buf_init(&complaints, BUF_MAX_CONFIG);
    ck_fails(config_load("/nowhere/u.yaml", &config, &complaints, &err), E_NOT_FOUND,
             "configuration: file /nowhere/u.yaml: cannot open: No such file");
    ck_assert_ptr_null(config);
}
END_TEST

START_TEST(example_works_as_shipped)
{
    AUTO_FREE char *path = mem_printf("%s/packaging/unlapsed.yaml", getenv("SOURCE_ROOT"));
    AUTO_BLOB struct blob text = {0};
    struct config *config = NULL;

    unsetenv("CREDENTIALS_DIRECTORY");
    ck_ok(file_read(path, BUF_MAX_CONFIG, &text, &err));
    config = load((const char *)text.data);
    ck_assert_ptr_null(config->mail.host);
    ck_assert_str_eq(config->socket, "/run/unlapsed/api.sock");
    config_free(config);
    /* What is commented out works, too, but for the folders, which may not exist; the group and the
     * password file are put in place of those of another machine. */
    AUTO_BUF struct buf whole;
    buf_init(&whole, BUF_MAX_CONFIG);
    for (const char *line = (const char *)text.data; *line; line = strchr(line, '\n') + 1) {
        size_t space = strspn(line, " ");
        bool option = line[space] == '#' && line[space + 1] >= 'a' && line[space + 1] <= 'z' &&
                      strncmp(line, "#policies", 9) != 0 && strncmp(line, "#services", 9) != 0;

        if (strncmp(line, "recipients: []", 14) == 0)
            continue;
        buf_add(&whole, line, space);
        line += space + option;
        buf_add(&whole, line, (size_t)(strchr(line, '\n') - line) + 1);
    }
    AUTO_FREE char *password = password_file();
    AUTO_FREE char *known = replace(buf_text(&whole), "admin-group: unlapsed", "admin-group: root");
    AUTO_FREE char *dropped = replace(known, "/etc/unlapsed/drop.passwords", password);
    AUTO_FREE char *all = replace(dropped, "/etc/unlapsed/mail.password", password);
    config = load(all);
    ck_assert_str_eq(config->mail.host, "mail.example.com");
    ck_assert_int_eq(config->mail.port, 587);
    ck_assert_str_eq(config->drop_shown, "\\\\files\\certificates\\drop");
    ck_assert_str_eq(config->drop_passwords.items[0], "secret");
    ck_assert_str_eq(config->admin_group, "root");
    ck_assert_str_eq(config->recipients.items[0], "ops@example.com");
    config_free(config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/config");
    TCase *tcase = tcase_create("config");

    tcase_add_test(tcase, empty_file_means_defaults);
    tcase_add_test(tcase, every_key_is_read);
    tcase_add_test(tcase, drop_passwords_are_read);
    tcase_add_test(tcase, drop_passwords_are_checked);
    tcase_add_test(tcase, port_follows_tls_and_user);
    tcase_add_test(tcase, credential_of_systemd_is_taken);
    tcase_add_test(tcase, folders_beside_the_file_are_read);
    tcase_add_test(tcase, named_folders_are_read_instead);
    tcase_add_test(tcase, mistakes_of_all_files_come_at_once);
    tcase_add_test(tcase, audit_is_kept_for_ever);
    tcase_add_test(tcase, mistakes_of_every_key);
    tcase_add_test(tcase, socket_path_must_fit);
    tcase_add_test(tcase, mail_hangs_together);
    tcase_add_test(tcase, named_folder_must_exist);
    tcase_add_test(tcase, others_may_not_write_the_file);
    tcase_add_test(tcase, others_may_not_write_policies_and_services);
    tcase_add_test(tcase, password_file_is_private);
    tcase_add_test(tcase, groups_must_exist);
    tcase_add_test(tcase, anchors_must_be_readable);
    tcase_add_test(tcase, missing_file_is_told);
    tcase_add_test(tcase, example_works_as_shipped);
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

#include "daemon/config/fields.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "daemon/fetch/fetch.h"

#define DAY ((seconds_t)86400)

/* sockaddr_un holds no longer path. */
enum { SOCKET_PATH_MAX = 107, HOST_TEXT_MAX = 253, GROUP_ROOM = 64 << 10 };

/* A name or an address as it may stand in a URL and in a mail header: nothing that ends it. */
static bool is_host(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len <= HOST_TEXT_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
               len;
}

static bool is_socket_path(const char *text)
{
    return text_is_absolute(text) && strlen(text) <= SOCKET_PATH_MAX;
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = mem_strdup(text);
}

static void read_path(struct yaml *yaml, const struct yaml_node *map, const char *key, char **ret)
{
    const char *text;

    if (yaml_path(yaml, map, key, &text))
        set_text(ret, text);
}

static void read_text(struct yaml *yaml, const struct yaml_node *map, const char *key, char **ret)
{
    const char *text;

    if (yaml_text(yaml, map, key, &text))
        set_text(ret, text);
}

static int load_passwords(const char *file, struct passwords *ret, struct error *err)
{
    AUTO_SECRET struct blob text = {0};
    int rc = file_check_trusted(file, 0077, err);

    if (rc == 0)
        rc = file_read_trusted(file, PASSWORDS_FILE_MAX, &text, err);
    return rc < 0 ? rc : passwords_parse(file, blob_span(&text), ret, err);
}

static void read_drop_passwords(struct yaml *yaml, const struct yaml_node *map,
                                struct config *config)
{
    const struct yaml_node *node;
    struct error err = {0};
    const char *file;

    if (yaml_path(yaml, map, "passwords", &file) &&
        load_passwords(file, &config->drop_passwords, &err) < 0 &&
        yaml_any(yaml, map, "passwords", &node))
        yaml_complain(yaml, node, "%s", err.text);
}

static void read_drop(struct yaml *yaml, const struct yaml_node *root, struct config *config)
{
    const struct yaml_node *map;

    if (!yaml_map(yaml, root, "drop", &map))
        return;
    read_path(yaml, map, "folder", &config->drop);
    read_text(yaml, map, "shown", &config->drop_shown);
    yaml_seconds(yaml, map, "settle", 0, 3600, &config->drop_settle);
    yaml_seconds(yaml, map, "scan", 1, DAY, &config->drop_scan);
    read_drop_passwords(yaml, map, config);
    yaml_bool(yaml, map, "erase-keys", &config->drop_erase_keys);
}

static void read_backups(struct yaml *yaml, const struct yaml_node *root, struct config *config)
{
    enum { KEEP_MAX = 1000 };
    const struct yaml_node *map;

    if (!yaml_map(yaml, root, "backups", &map))
        return;
    read_path(yaml, map, "folder", &config->backups);
    yaml_seconds(yaml, map, "every", 0, 365 * DAY, &config->backups_every);
    yaml_number(yaml, map, "keep", 1, KEEP_MAX, &config->backups_keep);
}

static bool is_port(const char *text)
{
    int64_t port;

    return text_number(text, 1, 65535, &port);
}

/* Where URLs of certificates may lead besides the public internet. */
static void read_aia(struct yaml *yaml, const struct yaml_node *root, struct config *config)
{
    const struct yaml_node *map;
    struct text_list ports = {0};

    if (!yaml_map(yaml, root, "aia", &map))
        return;
    yaml_text_list(yaml, map, "allow", POLICY_LIST_MAX, fetch_is_allowance,
                   "a range of addresses such as 10.0.0.0/8, or a host name",
                   config->aia_allow.items, &config->aia_allow.count);
    yaml_text_list(yaml, map, "ports", POLICY_LIST_MAX, is_port, "a port from 1 to 65535",
                   ports.items, &ports.count);
    for (size_t i = 0; i < ports.count; i++) {
        int64_t port = 0;

        text_number(ports.items[i], 1, 65535, &port);
        config->aia_ports[config->aia_port_count++] = (int)port;
        free(ports.items[i]);
    }
}

/* A directory that does not answer just now does not make a name wrong. */
static bool is_group(const char *name)
{
    AUTO_FREE char *room = mem_alloc(GROUP_ROOM, 1);
    struct group entry, *found = NULL;
    int errnum = getgrnam_r(name, &entry, room, GROUP_ROOM, &found);

    return found || (errnum != 0 && errnum != ENOENT && errnum != ESRCH);
}

static void read_group(struct yaml *yaml, const struct yaml_node *map, const char *key, char **ret)
{
    const char *text;

    if (yaml_checked(yaml, map, key, is_group, "a group of this machine", &text))
        set_text(ret, text);
}

static void read_access(struct yaml *yaml, const struct yaml_node *root, struct config *config)
{
    const struct yaml_node *map;

    if (!yaml_map(yaml, root, "access", &map))
        return;
    read_group(yaml, map, "read-group", &config->read_group);
    read_group(yaml, map, "admin-group", &config->admin_group);
}

static void read_password_file(struct yaml *yaml, const struct yaml_node *map,
                               struct smtp_settings *mail)
{
    const struct yaml_node *node;
    struct error err = {0};

    read_path(yaml, map, "password-file", &mail->password_file);
    if (mail->password_file && yaml_any(yaml, map, "password-file", &node) &&
        file_check_trusted(mail->password_file, 0077, &err) < 0)
        yaml_complain(yaml, node, "%s", err.text);
}

/* Who speaks to the server, and how: what would send a password in clear is a mistake. */
static void read_credentials(struct yaml *yaml, const struct yaml_node *map,
                             struct smtp_settings *mail)
{
    const struct yaml_node *user, *node;

    if (yaml_any(yaml, map, "password", &node))
        yaml_complain(yaml, node,
                      "wanted password-file: /path of a file with the password in it, "
                      "got a password in the configuration");
    read_text(yaml, map, "user", &mail->user);
    read_password_file(yaml, map, mail);
    if (mail->user && yaml_any(yaml, map, "user", &user)) {
        if (mail->tls == SMTP_TLS_NONE)
            yaml_complain(yaml, user,
                          "wanted tls: required or implicit with a user, got none: "
                          "credentials are never sent without TLS");
        if (!yaml_any(yaml, map, "password-file", &node))
            yaml_complain(yaml, user, "wanted a password-file with a user, got none");
    } else if (mail->password_file && !yaml_any(yaml, map, "user", &user) &&
               yaml_any(yaml, map, "password-file", &node)) {
        yaml_complain(yaml, node, "wanted a user with a password-file, got none");
    }
}

static int default_port(const struct smtp_settings *mail)
{
    if (mail->tls == SMTP_TLS_IMPLICIT)
        return 465;
    return mail->user ? 587 : 25;
}

static void read_server(struct yaml *yaml, const struct yaml_node *map, struct smtp_settings *mail)
{
    /* In the order of enum smtp_tls. */
    static const char *const tls_words[] = {"required", "opportunistic", "none", "implicit", NULL};
    const char *text;
    int64_t port = 0;
    int tls = SMTP_TLS_REQUIRED;

    if (yaml_checked(yaml, map, "server", is_host, "a host name or an address", &text))
        set_text(&mail->host, text);
    yaml_require(yaml, map, "server", mail->host);
    yaml_choice(yaml, map, "tls", tls_words, &tls);
    mail->tls = (enum smtp_tls)tls;
    read_path(yaml, map, "ca-file", &mail->ca_file);
    read_credentials(yaml, map, mail);
    yaml_number(yaml, map, "port", 1, 65535, &port);
    mail->port = port > 0 ? (int)port : default_port(mail);
}

static void read_mail(struct yaml *yaml, const struct yaml_node *root, struct config *config)
{
    struct smtp_settings *mail = &config->mail;
    const struct yaml_node *map;
    const char *text;
    seconds_t timeout;

    /* A mapping whose lines are all commented out switches mail off. */
    if (!yaml_map(yaml, root, "mail", &map) || yaml_count(map) == 0)
        return;
    read_server(yaml, map, mail);
    if (yaml_checked(yaml, map, "from", text_is_mail_address,
                     "a mail address such as unlapsed@example.com", &text))
        set_text(&mail->from, text);
    yaml_require(yaml, map, "from", mail->from);
    if (yaml_seconds(yaml, map, "timeout", 1, 3600, &timeout))
        mail->timeout = (int)timeout;
    yaml_seconds_list(yaml, map, "retry", 1, DAY, POLICY_LIST_MAX, config->mail_retry,
                      &config->mail_retry_count);
    yaml_seconds(yaml, map, "give-up", 60, 365 * DAY, &config->mail_give_up);
}

static void read_audit(struct yaml *yaml, const struct yaml_node *root, struct config *config)
{
    const struct yaml_node *map;
    const char *text;

    if (!yaml_map(yaml, root, "audit", &map) || !yaml_text(yaml, map, "keep", &text))
        return;
    if (strcmp(text, "forever") != 0)
        yaml_seconds(yaml, map, "keep", 30 * DAY, 36500 * DAY, &config->audit_keep);
}

void config_read_fields(struct yaml *yaml, struct config *config, struct config_folders *ret)
{
    const struct yaml_node *root = yaml_root(yaml);
    const char *text;

    if (yaml_checked(yaml, root, "host", is_host, "a host name", &text))
        set_text(&config->host, text);
    read_path(yaml, root, "inventory", &config->inventory);
    read_path(yaml, root, "sealing-key", &config->sealing_key);
    read_path(yaml, root, "sealing-key-previous", &config->sealing_key_previous);
    if (yaml_checked(yaml, root, "socket", is_socket_path,
                     "an absolute path of at most 107 characters", &text))
        set_text(&config->socket, text);
    read_path(yaml, root, "requests", &config->requests);
    read_drop(yaml, root, config);
    read_backups(yaml, root, config);
    read_access(yaml, root, config);
    read_aia(yaml, root, config);
    read_mail(yaml, root, config);
    read_audit(yaml, root, config);
    yaml_text_list(yaml, root, "recipients", POLICY_LIST_MAX, text_is_mail_address,
                   "a mail address such as ops@example.com", config->recipients.items,
                   &config->recipients.count);
    read_path(yaml, root, "policies", &ret->policies);
    read_path(yaml, root, "services", &ret->services);
}

static char *default_host(void)
{
    char name[HOST_TEXT_MAX + 1] = "";

    if (gethostname(name, sizeof name - 1) < 0 || !is_host(name))
        return mem_strdup("localhost");
    return mem_strdup(name);
}

/* A credential of systemd.exec(5); NULL when there is none of this name. */
static char *credential(const char *name)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");

    if (folder && text_is_absolute(folder)) {
        AUTO_FREE char *path = mem_printf("%s/%s", folder, name);

        if (access(path, F_OK) == 0)
            return TAKE(path);
    }
    return NULL;
}

static void set_sealing_keys(struct config *config)
{
    AUTO_FREE char *given = credential("sealing-key");

    if (!config->sealing_key)
        config->sealing_key = mem_strdup(given ? given : "/var/lib/unlapsed/sealing.key");
    if (!config->sealing_key_previous)
        config->sealing_key_previous = credential("sealing-key-previous");
    config->sealing_key_given = given && strcmp(config->sealing_key, given) == 0;
}

void config_set_defaults(struct config *config)
{
    static const seconds_t retry[] = {60, 300, 900, 3600};
    const struct {
        char **field;
        const char *text;
    } texts[] = {
        {&config->inventory, "/var/lib/unlapsed/inventory.db"},
        {&config->socket, "/run/unlapsed/api.sock"},
        {&config->requests, "/var/lib/unlapsed/requests"},
        {&config->drop, "/var/lib/unlapsed/drop"},
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (!*texts[i].field)
            *texts[i].field = mem_strdup(texts[i].text);
    if (!config->backups)
        config->backups =
            mem_printf("%.*s/backups", (int)(strrchr(config->inventory, '/') - config->inventory),
                       config->inventory);
    if (!config->host)
        config->host = default_host();
    set_sealing_keys(config);
    if (!config->drop_shown)
        config->drop_shown = mem_strdup(config->drop);
    if (config->mail_retry_count == 0) {
        memcpy(config->mail_retry, retry, sizeof retry);
        config->mail_retry_count = COUNT_OF(retry);
    }
}

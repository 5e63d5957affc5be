#include "daemon/config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "pki/chain.h"
#include "daemon/config/fields.h"

/* Complaints of all files: the first one and how many there were. */
struct tally {
    struct buf *complaints;
    struct error first;
    size_t before; /* length of the caller's text */
};

static void keep_first(struct tally *tally, int rc, const struct error *err)
{
    if (rc < 0 && tally->first.code == 0)
        tally->first = *err;
}

/* A mistake without line and column: a file or folder that cannot be read. */
static void complain(struct tally *tally, int rc, const struct error *err)
{
    if (rc >= 0)
        return;
    buf_printf(tally->complaints, "%s\n", err->text);
    keep_first(tally, rc, err);
}

typedef int (*load_fn)(void *set, const char *file, const char *text, size_t len,
                       struct buf *complaints, struct error *err);

static int load_policies(void *set, const char *file, const char *text, size_t len,
                         struct buf *complaints, struct error *err)
{
    return policies_load(set, file, text, len, complaints, err);
}

static int load_services(void *set, const char *file, const char *text, size_t len,
                         struct buf *complaints, struct error *err)
{
    return services_load(set, file, text, len, complaints, err);
}

static int is_candidate(const struct dirent *entry)
{
    return entry->d_name[0] != '.' &&
           (text_ends(entry->d_name, ".yaml") || text_ends(entry->d_name, ".yml"));
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_file(const char *path, load_fn load, void *set, struct tally *tally)
{
    AUTO_BLOB struct blob text = {0};
    struct error err = {0};

    if (!text_ends(path, ".yaml")) {
        complain(tally,
                 error_set(&err, E_CONFIG, "file %s: wanted a name that ends in .yaml", path),
                 &err);
        return;
    }
    int rc = file_read_trusted(path, BUF_MAX_CONFIG, &text, &err);
    if (rc < 0) {
        complain(tally, rc, &err);
        return;
    }
    rc = load(set, path, (const char *)text.data, text.len, tally->complaints, &err);
    keep_first(tally, rc, &err);
}

/* Every *.yaml of a folder. One that nobody named may be missing. */
static void load_folder(const char *folder, bool named, load_fn load, void *set,
                        struct tally *tally)
{
    struct dirent **entries;
    struct error err = {0};

    int count = scandir(folder, &entries, is_candidate, by_bytes);
    if (count < 0) {
        if (named || errno != ENOENT)
            complain(tally, error_set_errno(&err, errno, "folder %s: cannot read", folder), &err);
        return;
    }
    /* Once for all files in it. */
    int rc = file_check_trusted_dir(folder, &err);
    complain(tally, rc, &err);
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *path = mem_printf("%s/%s", folder, entries[i]->d_name);

        if (rc == 0)
            load_file(path, load, set, tally);
        free(entries[i]);
    }
    free(entries);
}

/* NAME beside the configuration file. */
static char *beside(const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');

    return mem_printf("%.*s%s", slash ? (int)(slash - file) + 1 : 0, file, name);
}

static void load_folders(struct config *config, const struct config_folders *named,
                         struct tally *tally)
{
    AUTO_FREE char *policies = beside(config->file, "policies");
    AUTO_FREE char *services = beside(config->file, "services");
    struct error err = {0};

    load_folder(named->policies ? named->policies : policies, named->policies, load_policies,
                config->policies, tally);
    keep_first(tally, policies_finish(config->policies, tally->complaints, &err), &err);
    load_folder(named->services ? named->services : services, named->services, load_services,
                config->services, tally);
    keep_first(tally, services_finish(config->services, tally->complaints, &err), &err);
}

static bool is_listed(const struct policy *policy, const char *file)
{
    for (size_t i = 0; i < policy->anchors.count; i++)
        if (strcmp(policy->anchors.items[i], file) == 0)
            return true;
    return false;
}

/* True when a policy before this one names the file, too: most inherit their anchors. */
static bool is_known(const struct config *config, size_t count, const char *file)
{
    for (size_t i = 0; i < count; i++)
        if (is_listed(policies_at(config->policies, i), file))
            return true;
    return false;
}

/* The daemon does not start without them; policies/ opens no files. */
static void check_anchors(const struct config *config, struct tally *tally)
{
    for (size_t i = 0; i < policies_count(config->policies); i++) {
        const struct policy *policy = policies_at(config->policies, i);

        for (size_t j = 0; j < policy->anchors.count; j++) {
            const char *file = policy->anchors.items[j];
            struct anchors *anchors = NULL;
            struct error err = {0};

            if (is_known(config, i, file))
                continue;
            int rc = anchors_open(&file, 1, false, &anchors, &err);
            if (rc < 0)
                error_wrap(&err, rc, "%s: policy %s: anchors", policy->source, policy->name);
            complain(tally, rc, &err);
            anchors_free(anchors);
        }
    }
}

static void load_main(struct config *config, struct span text, struct config_folders *ret_folders,
                      struct tally *tally)
{
    struct yaml *yaml;
    struct error err = {0};
    int rc =
        yaml_parse(config->file, (const char *)text.data, text.len, &yaml, tally->complaints, &err);

    if (rc == 0) {
        config_read_fields(yaml, config, ret_folders);
        rc = yaml_finish(yaml, &err);
        yaml_free(yaml);
    }
    keep_first(tally, rc, &err);
}

static struct config *new_config(const char *file)
{
    struct config *config = mem_alloc(1, sizeof *config);

    config->file = mem_strdup(file);
    config->drop_settle = 2;
    config->backups_every = 86400;
    config->backups_keep = 14;
    config->drop_scan = 60;
    config->mail.timeout = 60;
    config->mail_give_up = 3 * 86400;
    config->policies = policies_open();
    config->services = services_open();
    return config;
}

/* The first mistake, and how many more lines the caller has. */
static int fail(const struct tally *tally, struct error *err)
{
    size_t lines = 0;

    for (size_t i = tally->before; i < tally->complaints->len; i++)
        lines += tally->complaints->data[i] == '\n';
    if (lines <= 1)
        return error_set(err, E_CONFIG, "%s", tally->first.text);
    return error_set(err, E_CONFIG, "%.900s (and %zu more)", tally->first.text, lines - 1);
}

int config_load(const char *file, struct config **ret, struct buf *complaints, struct error *err)
{
    AUTO_BLOB struct blob text = {0};
    struct tally tally = {.complaints = complaints, .before = complaints->len};
    struct config_folders folders = {0};

    int rc = file_read_trusted(file, BUF_MAX_CONFIG, &text, err);
    if (rc < 0)
        return error_wrap(err, rc, "configuration");
    struct config *config = new_config(file);
    load_main(config, blob_span(&text), &folders, &tally);
    load_folders(config, &folders, &tally);
    check_anchors(config, &tally);
    free(folders.policies);
    free(folders.services);
    if (tally.first.code < 0) {
        config_free(config);
        return fail(&tally, err);
    }
    config_set_defaults(config);
    *ret = config;
    return 0;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    char *texts[] = {config->file,        config->host,        config->inventory,
                     config->sealing_key, config->socket,      config->requests,
                     config->backups,     config->drop,        config->drop_shown,
                     config->read_group,  config->admin_group, config->sealing_key_previous};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < config->aia_allow.count; i++)
        free(config->aia_allow.items[i]);
    for (size_t i = 0; i < config->recipients.count; i++)
        free(config->recipients.items[i]);
    passwords_wipe(&config->drop_passwords);
    smtp_settings_done(&config->mail);
    policies_free(config->policies);
    services_free(config->services);
    free(config);
}

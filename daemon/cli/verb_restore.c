#include "daemon/cli/cli.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pki/keeper.h"
#include "store/lock.h"
#include "store/restore.h"
#include "daemon/config/config.h"

#include "daemon/cli/reply.h"

struct arguments {
    const char *file, *config;
    bool anyway;
};

/* Of the sealing key that is configured and the one the backup was made with. */
enum key_says { KEY_FITS, KEY_OTHER, KEY_UNSEEN };

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct arguments *arguments = self;

    switch (option) {
    case 'c':
        arguments->config = value;
        return CLI_OK;
    case 'a':
        arguments->anyway = true;
        return CLI_OK;
    default:
        if (arguments->file || value[0] == '\0')
            return cli_usage(cli, "\"%s\" is too much: one FILE is wanted", value);
        arguments->file = value;
        return CLI_OK;
    }
}

static int load(const char *file, struct config **ret, struct error *err)
{
    AUTO_BUF struct buf complaints;

    buf_init(&complaints, BUF_MAX_CONFIG);
    int rc = config_load(file, ret, &complaints, err);
    if (rc != 0 && complaints.len > 0)
        fputs(buf_text(&complaints), stderr);
    return rc;
}

/* The key itself may be a credential of the service, which nobody else can read. */
static enum key_says look_at_key(const struct config *config, const struct restore_look *look,
                                 struct error *err)
{
    struct keeper *keeper = NULL;
    struct sealing_ids ids = {0};

    if (look->sealing_key.len == 0)
        return KEY_FITS;
    int rc = keeper_open(config->sealing_key, false, &keeper, err);
    if (rc == 0 && config->sealing_key_previous)
        rc = keeper_open_previous(keeper, config->sealing_key_previous, err);
    if (rc < 0) {
        keeper_free(keeper);
        return KEY_UNSEEN;
    }
    keeper_ids(keeper, &ids);
    keeper_free(keeper);
    return look->sealing_key.len == SEALING_ID_LEN && sealing_ids_has(&ids, look->sealing_key.data)
               ? KEY_FITS
               : KEY_OTHER;
}

static int refuse_key(const struct config *config, const struct arguments *arguments,
                      struct error *err)
{
    return error_set(
        err, E_REFUSED,
        "backup %s: its keys were sealed with another key than %s, which cannot open "
        "them: put the right one there first, or restore it all the same with --anyway",
        arguments->file, config->sealing_key);
}

static void put_next(struct cli *cli, const struct restore_look *look, const char *kept)
{
    fputs("\nStart unlapsed again. What was written after that time is not in the backup:\n"
          "  - Newer certificates stay installed and go on being served. unlapsed knows the ones "
          "before\n    them, and renews when those would have ended.\n"
          "  - A deployment that was under way at that time is done again, also over a newer "
          "certificate.\n    See what is planned: unlapse list, unlapse explain NAME.\n"
          "  - Keys made since are not here. A certificate that comes for one is kept and told as "
          "nobody's:\n    unlapse renew NAME --again makes a new request.\n",
          cli->out);
    if (kept)
        fputs("  - All of that is still in the replaced inventory.\n", cli->out);
    if (look->sealing_key.len == 0)
        fputs("The backup has no keys in it.\n", cli->out);
}

static void put_done(struct cli *cli, const struct config *config,
                     const struct arguments *arguments, const struct restore_look *look,
                     const char *kept, enum key_says key)
{
    cli_put(cli, config->inventory);
    fputs(" was restored from ", cli->out);
    cli_put(cli, arguments->file);
    fprintf(cli->out, "\n  rows      %" PRId64 ", all verified\n  state of  ", look->counts.rows);
    cli_put_time(cli, look->last_event);
    fputs("\n  replaced  ", cli->out);
    cli_put(cli, kept ? kept : "nothing: there was no inventory");
    fputs("\n  key       ", cli->out);
    cli_put(cli, config->sealing_key);
    switch (key) {
    case KEY_FITS:
        fputs(" opens it\n", cli->out);
        break;
    case KEY_OTHER:
        fputs(" is ANOTHER one: unlapsed will not start until the right one is there\n", cli->out);
        break;
    case KEY_UNSEEN:
        fputs(" cannot be read here; whether it is the right one shows at the start\n", cli->out);
    }
    put_next(cli, look, kept);
}

static void put_json(struct cli *cli, const struct config *config,
                     const struct arguments *arguments, const struct restore_look *look,
                     const char *kept, enum key_says key)
{
    char last[UTC_TEXT_MAX];
    AUTO_FREE char *file = text_escape_all(arguments->file);
    AUTO_JSON json_t *document = json_pack(
        "{s:i, s:s, s:s, s:s?, s:I, s:s?, s:o}", "schema_version", 1, "inventory",
        config->inventory, "file", file, "replaced", kept, "rows", (json_int_t)look->counts.rows,
        "last_event", look->last_event == UTC_NEVER ? NULL : utc_format(look->last_event, last),
        "key_fits", key == KEY_UNSEEN ? json_null() : json_boolean(key == KEY_FITS));

    if (document)
        json_dumpf(document, cli->out, JSON_INDENT(2));
    fputc('\n', cli->out);
}

static enum cli_exit restore(struct cli *cli, const struct config *config,
                             const struct arguments *arguments)
{
    __attribute__((cleanup(restore_look_done))) struct restore_look look = {0};
    AUTO_FREE char *actor = mem_printf("uid %u", (unsigned)getuid());
    AUTO_FREE char *kept = NULL;
    struct restore_job job = {
        .path = config->inventory, .file = arguments->file, .actor = actor, .now = cli->now};
    struct error err = {0}, ignored = {0};
    int rc = restore_prepare(&job, &look, &err);

    if (rc < 0)
        return cli_fail(cli, NULL, &err);
    enum key_says key = look_at_key(config, &look, &ignored);
    if (key == KEY_OTHER && !arguments->anyway)
        rc = refuse_key(config, arguments, &err);
    if (rc == 0)
        rc = restore_commit(config->inventory, &kept, &err);
    if (rc < 0) {
        restore_forget(config->inventory);
        return cli_fail(cli, NULL, &err);
    }
    if (cli->json)
        put_json(cli, config, arguments, &look, kept, key);
    else
        put_done(cli, config, arguments, &look, kept, key);
    return CLI_OK;
}

VERB(verb_restore)
{
    static const struct option own[] = {
        {"config", required_argument, NULL, 'c'}, {"anyway", no_argument, NULL, 'a'}, {0}};
    struct arguments arguments = {.config = CONFIG_DEFAULT_FILE};
    struct config *config = NULL;
    struct error err = {0};
    int lock = -1;

    if (!cli_parse(cli, argc, argv, own, take, &arguments))
        return cli->status;
    if (!arguments.file)
        return cli_usage(cli, "the FILE to restore is wanted; see: unlapse backup list");
    if (load(arguments.config, &config, &err) != 0)
        return cli_fail(cli, NULL, &err);
    int rc = inventory_lock(config->inventory, &lock, &err);
    if (rc == E_BUSY)
        error_wrap(&err, rc, "unlapsed must be stopped first");
    enum cli_exit status = rc < 0 ? cli_fail(cli, NULL, &err) : restore(cli, config, &arguments);
    config_free(config);
    if (lock >= 0)
        close(lock);
    return status;
}

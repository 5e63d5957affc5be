#include "daemon/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "store/backup.h"

#include "daemon/cli/reply.h"
#include "daemon/cli/table.h"

/* A backup is made on a lane of its own: it is asked for, then waited for. */
enum { ASK_EVERY_MS = 200, PIECE = 1 << 20 };

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    const char **operand = self;

    (void)option;
    if (*operand || value[0] == '\0')
        return cli_usage(cli, "\"%s\" is too much", value);
    *operand = value;
    return CLI_OK;
}

static char *size_text(int64_t bytes)
{
    if (bytes < 10 << 20)
        return mem_printf("%" PRId64 " KiB", (bytes + 1023) >> 10);
    return mem_printf("%" PRId64 " MiB", (bytes + (1 << 20) - 1) >> 20);
}

static enum cli_exit list(struct cli *cli)
{
    static const char *const headers[] = {"MADE", "SIZE", "FILE", NULL};
    AUTO_REPLY struct reply reply = {0};
    AUTO_TABLE struct table table = {0};
    struct error err = {0};

    if (client_call(cli->socket, "/v1/backups", NULL, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    const char *folder = reply_text(reply.json, "folder", &err);
    const json_t *backups = reply_array(reply.json, "backups", &err);
    table_init(&table, headers);
    for (size_t i = 0; i < json_array_size(backups); i++) {
        const json_t *item = json_array_get(backups, i);
        char made[UTC_TEXT_MAX];
        AUTO_FREE char *size = size_text(reply_number(item, "size", &err));
        AUTO_FREE char *path = mem_printf("%s/%s", folder, reply_text(item, "name", &err));

        table_cell(&table, utc_format_plain(reply_time(item, "made_at", &err), made), COLOR_PLAIN);
        table_cell(&table, size, COLOR_PLAIN);
        table_cell(&table, path, COLOR_PLAIN);
    }
    table_print(&table, &cli->term, cli->out);
    const char *trouble = reply_text_or_null(reply.json, "trouble", &err);
    if (trouble) {
        fputs("\nSince ", cli->out);
        cli_put_time(cli, reply_time(reply.json, "since", &err));
        fputs(" no backup can be made: ", cli->out);
        cli_put(cli, trouble);
        fputc('\n', cli->out);
    }
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

static int ask(const struct cli *cli, struct reply *reply, int64_t *ret_number, struct error *err)
{
    AUTO_JSON json_t *body = json_object();
    int rc = client_call(cli->socket, "/v1/backups", body, reply, err);

    if (rc != 0)
        return rc;
    *ret_number = reply_number(reply->json, "asked", err);
    return err->code;
}

/* However long it takes: a large inventory is read twice. The caller frees reply. */
static int wait_for(const struct cli *cli, int64_t number, struct reply *reply, struct error *err)
{
    const struct timespec pause = {0, ASK_EVERY_MS * 1000000L};

    for (;;) {
        reply_done(reply);
        *reply = (struct reply){0};
        int rc = client_call(cli->socket, "/v1/backups", NULL, reply, err);
        if (rc != 0)
            return rc;
        int64_t answered = reply_number(reply->json, "answered", err);
        const char *damage = reply_text_or_null(reply->json, "damage", err);
        if (damage)
            error_set(err, E_CORRUPT, "%s", damage);
        if (err->code != 0)
            return err->code;
        if (answered >= number)
            return 0;
        nanosleep(&pause, NULL);
    }
}

/* By the caller's own rights on both ends: the daemon writes nowhere but into its folder. */
static int pour(const char *from, int to, const char *name, struct error *err)
{
    AUTO_FREE char *piece = mem_alloc(PIECE, 1);
    AUTO_FD int fd = -1;
    ssize_t len;
    int rc = file_open_read(from, &fd, err);

    while (rc == 0 && (len = read(fd, piece, PIECE)) != 0)
        rc = len < 0 ? error_set_errno(err, errno, "backup %s: cannot read", from)
                     : file_write_fd(to, name, span_of(piece, (size_t)len), err);
    return rc == 0 ? file_sync(to, name, err) : rc;
}

static int fill(const char *from, int dir, const char *temporary, const char *path,
                struct error *err)
{
    struct backup_counts counts;
    int rc = file_create_at(dir, temporary, span_of(NULL, 0), FILE_PRIVATE, err);

    if (rc < 0)
        return rc;
    AUTO_FD int to = openat(dir, temporary, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_set_errno(err, errno, "file %s: cannot open", path);
    rc = pour(from, to, path, err);
    return rc == 0 ? backup_verify(path, NULL, &counts, NULL, err) : rc;
}

/* A copy of it, 0600, verified as well, under a name that must be free. */
static int copy(const char *from, const char *to, struct error *err)
{
    AUTO_FREE char *here = to[0] == '/' ? mem_strdup("") : getcwd(NULL, 0);
    AUTO_FREE char *path = mem_printf("%s%s%s", here ? here : "", to[0] == '/' ? "" : "/", to);
    const char *name = NULL;
    AUTO_FD int dir = -1;
    int rc = file_open_parent(path, &dir, &name, err);

    if (rc < 0)
        return rc;
    if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return error_set(err, E_EXISTS, "file %s: is there already", path);
    AUTO_FREE char *temporary = mem_printf(".%.200s.unlapsed-new", name);
    AUTO_FREE char *full = mem_printf("%.*s%s", (int)(name - path), path, temporary);
    rc = file_remove_at(dir, temporary, err);
    if (rc == 0)
        rc = fill(from, dir, temporary, full, err);
    if (rc == 0)
        rc = file_rename_at(dir, temporary, name, err);
    if (rc < 0)
        (void)unlinkat(dir, temporary, 0);
    return rc;
}

static void put_made(struct cli *cli, const json_t *json, const char *path, struct error *bad)
{
    fputs("A backup was made and verified: ", cli->out);
    cli_put(cli, path);
    fprintf(cli->out, "\n  rows     %" PRId64 "\n", reply_number(json, "rows", bad));
    fputs("The keys in it are sealed. They open only with the sealing key, which is not in it:\n  ",
          cli->out);
    cli_put(cli, reply_text(json, "sealing_key", bad));
    fputs("\nKeep a copy of that file too, and keep it elsewhere: who has both has the keys.\n",
          cli->out);
}

static enum cli_exit make(struct cli *cli, const char *file)
{
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};
    int64_t number = 0;

    if (ask(cli, &reply, &number, &err) != 0 || wait_for(cli, number, &reply, &err) != 0)
        return cli_fail(cli, err.code == E_CORRUPT ? NULL : &reply, &err);
    const char *trouble = reply_text_or_null(reply.json, "trouble", &err);
    if (trouble) {
        error_set(&err, E_IO, "%s", trouble);
        return cli_fail(cli, NULL, &err);
    }
    AUTO_FREE char *made = mem_printf("%s/%s", reply_text(reply.json, "folder", &err),
                                      reply_text(reply.json, "newest", &err));
    if (err.code == 0 && file && copy(made, file, &err) != 0)
        return cli_fail(cli, NULL, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_made(cli, reply.json, file ? file : made, &err);
    return err.code == 0 ? CLI_OK : cli_fail(cli, NULL, &err);
}

VERB(verb_backup)
{
    const char *operand = NULL;

    if (!cli_parse(cli, argc, argv, NULL, take, &operand))
        return cli->status;
    return operand && strcmp(operand, "list") == 0 ? list(cli) : make(cli, operand);
}

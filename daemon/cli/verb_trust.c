#include "daemon/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "pki/cert.h"

#include "daemon/cli/reply.h"
#include "daemon/cli/trust_list.h"

/* In base64 and JSON it must fit into one request. */
enum { FILE_MAX = 512 << 10, PIECE = 16 << 10 };

struct arguments {
    const char *action, *operand, *comment;
    bool all, pool;
};

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    struct arguments *arguments = self;

    switch (option) {
    case 'c':
        arguments->comment = value;
        return CLI_OK;
    case 'a':
        arguments->all = true;
        return CLI_OK;
    case 'p':
        arguments->pool = true;
        return CLI_OK;
    default:
        if (!arguments->action)
            arguments->action = value;
        else if (!arguments->operand && value[0] != '\0')
            arguments->operand = value;
        else
            return cli_usage(cli, "\"%s\" is too much", value);
        return CLI_OK;
    }
}

static int read_input(struct blob *ret, struct error *err)
{
    AUTO_BUF struct buf text;
    char piece[PIECE];
    ssize_t len;

    buf_init(&text, FILE_MAX);
    while ((len = read(STDIN_FILENO, piece, sizeof piece)) > 0 && !text.full)
        buf_add(&text, piece, (size_t)len);
    if (len < 0)
        return error_set_errno(err, errno, "standard input");
    if (text.full)
        return error_set(err, E_TOO_LARGE, "standard input: wanted at most %d bytes", FILE_MAX);
    *ret = buf_take(&text);
    return 0;
}

/* PEM, into which DER is wrapped; the daemon looks at what it is. Owned by the caller. */
static int read_pem(const char *path, char **ret, struct error *err)
{
    AUTO_BLOB struct blob file = {0};
    AUTO_BUF struct buf pem;
    int rc =
        strcmp(path, "-") == 0 ? read_input(&file, err) : file_read(path, FILE_MAX, &file, err);

    buf_init(&pem, 2 * FILE_MAX);
    if (rc < 0)
        return rc;
    if (file.len > 0 && file.data[0] == 0x30)
        pem_write(&pem, "CERTIFICATE", blob_span(&file));
    else
        buf_add(&pem, file.data, file.len);
    if (memchr(buf_text(&pem), '\0', pem.len) || !text_is_utf8(buf_text(&pem), pem.len))
        return error_set(err, E_FORMAT, "%s: wanted a certificate in PEM or DER", path);
    *ret = mem_strdup(buf_text(&pem));
    return 0;
}

static void put_anchor(struct cli *cli, const json_t *item, const char *what, struct error *bad)
{
    cli_put(cli, reply_text(item, "subject", bad));
    fprintf(cli->out, " %s\n  SHA-256  ", what);
    cli_put(cli, reply_text(item, "sha256", bad));
    fputs("\n  ends     ", cli->out);
    cli_put_time(cli, reply_time(item, "not_after", bad));
    fputc('\n', cli->out);
}

static enum cli_exit put_added(struct cli *cli, const struct reply *reply)
{
    struct error bad = {0};
    bool existing = reply_bool(reply->json, "existing", &bad);
    const json_t *list = reply_array(reply->json, "anchors", &bad);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *notes = reply_array(item, "notes", &bad);

        put_anchor(cli, item,
                   reply_bool(item, "existing", &bad) ? "was trusted already"
                                                      : "is trusted from now on",
                   &bad);
        for (size_t j = 0; j < json_array_size(notes); j++) {
            fputs("  note:    ", cli->out);
            cli_put(cli, reply_item_text(notes, j, &bad));
            fputc('\n', cli->out);
        }
    }
    if (bad.code != 0)
        return cli_fail(cli, NULL, &bad);
    return existing ? CLI_UNCHANGED : CLI_OK;
}

static enum cli_exit add(struct cli *cli, const struct arguments *arguments)
{
    AUTO_REPLY struct reply reply = {0};
    AUTO_FREE char *pem = NULL;
    struct error err = {0};

    if (read_pem(arguments->operand, &pem, &err) != 0)
        return cli_fail(cli, NULL, &err);
    AUTO_JSON json_t *body = json_pack("{s:s, s:b}", "pem", pem, "all", (int)arguments->all);
    if (body && arguments->comment &&
        json_object_set_new(body, "comment", json_string(arguments->comment)) != 0)
        return cli_usage(cli, "--comment: wanted UTF-8, got \"%s\"", arguments->comment);
    if (client_call(cli->socket, "/v1/trust", body, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (!cli_json(cli, &reply))
        return put_added(cli, &reply);
    bool existing = reply_bool(reply.json, "existing", &err);
    return err.code == 0 && existing ? CLI_UNCHANGED : CLI_OK;
}

static enum cli_exit forget(struct cli *cli, const struct arguments *arguments)
{
    AUTO_FREE char *path = client_path("/v1/trust/", arguments->operand, "");
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (client_delete(cli->socket, path, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_anchor(cli, reply.json, "is no longer trusted; what is installed stays", &err);
    return err.code != 0 ? cli_fail(cli, NULL, &err) : CLI_OK;
}

static enum cli_exit check(struct cli *cli, const struct arguments *arguments)
{
    const char *action = arguments->action ? arguments->action : "";
    bool adds = strcmp(action, "add") == 0, lists = strcmp(action, "list") == 0;

    if (!adds && !lists && strcmp(action, "remove") != 0)
        return cli_usage(cli, "wanted add, remove or list, got \"%s\"", action);
    if (lists && arguments->operand)
        return cli_usage(cli, "\"%s\" is too much", arguments->operand);
    if (!lists && !arguments->operand)
        return cli_usage(cli, adds ? "the FILE with the certificate is wanted"
                                   : "the FINGERPRINT of the certificate is wanted");
    if (!adds && (arguments->comment || arguments->all))
        return cli_usage(cli, "--comment and --all go with add alone");
    if (!lists && arguments->pool)
        return cli_usage(cli, "--pool goes with list alone");
    return CLI_OK;
}

VERB(verb_trust)
{
    static const struct option own[] = {{"comment", required_argument, NULL, 'c'},
                                        {"all", no_argument, NULL, 'a'},
                                        {"pool", no_argument, NULL, 'p'},
                                        {0}};
    struct arguments arguments = {0};

    if (!cli_parse(cli, argc, argv, own, take, &arguments))
        return cli->status;
    if (check(cli, &arguments) != CLI_OK)
        return CLI_USAGE;
    switch (arguments.action[0]) {
    case 'a':
        return add(cli, &arguments);
    case 'r':
        return forget(cli, &arguments);
    default:
        return arguments.pool ? trust_list_pool(cli) : trust_list(cli);
    }
}

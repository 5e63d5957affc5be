#include "daemon/cli/cli.h"

#include <string.h>

#include "daemon/config/config.h"

#include "daemon/cli/reply.h"

static enum cli_exit take(void *self, struct cli *cli, int option, const char *value)
{
    const char **file = self;

    (void)option;
    if (*file)
        return cli_usage(cli, "\"%s\" is too much: one FILE is wanted", value);
    *file = value;
    return CLI_OK;
}

/* One complaint a line, to standard error as compilers do, and in the document with --json. */
static void tell_complaints(const struct buf *complaints, json_t *list)
{
    AUTO_FREE char *copy = mem_strdup(buf_text(complaints));
    char *rest = copy, *line;

    while ((line = strsep(&rest, "\n"))) {
        if (line[0] == '\0')
            continue;
        AUTO_FREE char *escaped = text_escape_all(line);
        fprintf(stderr, "%s\n", escaped);
        json_array_append_new(list, json_string(escaped));
    }
}

static void put_summary(struct cli *cli, const struct config *config)
{
    cli_put(cli, config->file);
    fputs(": fine\n", cli->out);
    cli_put_label(cli, "Policies");
    fprintf(cli->out, "%zu\n", policies_count(config->policies));
    cli_put_label(cli, "Services");
    fprintf(cli->out, "%zu\n", services_count(config->services));
    cli_put_label(cli, "Inventory");
    cli_put(cli, config->inventory);
    fputc('\n', cli->out);
    cli_put_label(cli, "Socket");
    cli_put(cli, config->socket);
    fputc('\n', cli->out);
    cli_put_label(cli, "Drop folder");
    cli_put(cli, config->drop);
    fputc('\n', cli->out);
    cli_put_label(cli, "Mail");
    if (config->mail.host) {
        cli_put(cli, config->mail.host);
        fprintf(cli->out, ":%d\n", config->mail.port);
    } else {
        fputs("switched off\n", cli->out);
    }
}

static void put_document(struct cli *cli, const char *file, bool fine, json_t *complaints)
{
    AUTO_FREE char *escaped = text_escape_all(file);
    AUTO_JSON json_t *document = json_pack("{s:i, s:s, s:b, s:O}", "schema_version", 1, "file",
                                           escaped, "fine", (int)fine, "complaints", complaints);

    if (document)
        json_dumpf(document, cli->out, JSON_INDENT(2));
    fputc('\n', cli->out);
}

VERB(verb_check_config)
{
    AUTO_JSON json_t *list = json_array();
    AUTO_BUF struct buf complaints = {0};
    struct config *config = NULL;
    const char *file = NULL;
    struct error err = {0};

    if (!cli_parse(cli, argc, argv, NULL, take, &file))
        return cli->status;
    if (!file)
        file = CONFIG_DEFAULT_FILE;
    buf_init(&complaints, BUF_MAX_CONFIG);
    int rc = config_load(file, &config, &complaints, &err);
    if (rc != 0 && complaints.len == 0)
        return cli_fail(cli, NULL, &err);
    if (rc != 0)
        tell_complaints(&complaints, list);
    if (cli->json)
        put_document(cli, file, rc == 0, list);
    else if (rc == 0)
        put_summary(cli, config);
    config_free(config);
    return rc == 0 ? CLI_OK : exit_of_code(rc);
}

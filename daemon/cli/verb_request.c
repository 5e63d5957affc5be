#include "daemon/cli/cli.h"

#include <string.h>
#include <time.h>

#include "daemon/cli/renewal.h"
#include "daemon/cli/reply.h"

enum { WAIT_MS = 30000, FIRST_PAUSE_MS = 50, MOST_PAUSE_MS = 1000 };

static void sleep_ms(int ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

    nanosleep(&time, NULL);
}

/* Asks until the key and CSR are made, for half a minute: an RSA key takes a while. */
static int wait_for(struct cli *cli, const char *path, struct reply *ret, struct error *err)
{
    int pause = FIRST_PAUSE_MS, waited = 0;

    for (;;) {
        reply_done(ret);
        *err = (struct error){0};
        int rc = client_call(cli->socket, path, NULL, ret, err);

        if (rc != E_NOT_YET || waited >= WAIT_MS)
            return rc;
        sleep_ms(pause);
        waited += pause;
        pause = pause * 2 < MOST_PAUSE_MS ? pause * 2 : MOST_PAUSE_MS;
    }
}

/* The open request; one is begun when there is none, or anew when that is asked for. */
static int fetch(struct cli *cli, const struct renewal_arguments *arguments, struct reply *ret,
                 struct error *err)
{
    AUTO_FREE char *path = client_path("/v1/certificates/", arguments->name, "/request");
    AUTO_REPLY struct reply begun = {0};

    if (!arguments->again) {
        int rc = wait_for(cli, path, ret, err);

        if (rc != E_NOT_FOUND)
            return rc;
    }
    reply_done(ret);
    *err = (struct error){0};
    int rc = renewal_begin(cli, arguments, &begun, err);
    if (rc == 0)
        return wait_for(cli, path, ret, err);
    *ret = begun;
    begun = (struct reply){0};
    return rc;
}

/* A PEM block is lines of plain text; each is escaped all the same. */
static void put_lines(struct cli *cli, const char *text)
{
    AUTO_FREE char *copy = mem_strdup(text);
    char *rest = copy, *line;

    while ((line = strsep(&rest, "\n"))) {
        if (!rest && line[0] == '\0')
            break;
        cli_put(cli, line);
        fputc('\n', cli->out);
    }
}

VERB(verb_request)
{
    struct renewal_arguments arguments = {0};
    AUTO_REPLY struct reply reply = {0};
    struct error err = {0};

    if (!renewal_parse(cli, argc, argv, &arguments))
        return cli->status;
    if (fetch(cli, &arguments, &reply, &err) != 0)
        return cli_fail(cli, &reply, &err);
    const char *csr = reply_text(reply.json, "csr", &err);
    const char *drop = reply_text_or_null(reply.json, "drop", &err);
    if (err.code != 0)
        return cli_fail(cli, NULL, &err);
    if (cli_json(cli, &reply))
        return CLI_OK;
    put_lines(cli, csr);
    if (drop) {
        AUTO_FREE char *escaped = text_escape_all(drop);

        fprintf(stderr,
                "Give this to the authority. Put whatever it sends, under any name, into %s\n",
                escaped);
    }
    return CLI_OK;
}

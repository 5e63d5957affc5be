#include "daemon/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "daemon/read/role.h"
#include "daemon/role/inside.h"

/* Everything a verb wrote, at once. A disk that is full or a reader that has gone is an error. */
static enum cli_exit flush(struct cli *cli, enum cli_exit status)
{
    if (fclose(cli->out) != 0) {
        fprintf(stderr, "unlapse: the output does not fit into memory\n");
        return CLI_ERROR;
    }
    bool written = fwrite(cli->text, 1, cli->len, stdout) == cli->len;
    if (!written || fflush(stdout) != 0 || fclose(stdout) != 0) {
        fprintf(stderr, "unlapse: standard output: %s\n", strerror(errno));
        return CLI_ERROR;
    }
    return status;
}

static const struct option options[] = {
    {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
    {"no-color", no_argument, NULL, 'n'},     {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},      {0},
};

/* The global options before the verb ("+": stop there), then the verb. */
static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
    int option;

    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            cli->socket = optarg;
            break;
        case 'j':
            cli->json = true;
            break;
        case 'n':
            cli->no_color = true;
            break;
        case 'h':
            return verb_help(cli, 1, argv);
        case 'V':
            return verb_version(cli, 1, argv);
        default:
            return cli_usage(cli, "%s: no such option, or a value is missing or too much",
                             argv[optind - 1]);
        }
    }
    if (optind == argc)
        return cli_usage(cli, "a verb is wanted");
    cli->verb = cli_verb_find(argv[optind]);
    if (!cli->verb)
        return cli_usage(cli, "\"%s\": there is no such verb", argv[optind]);
    cli->term = term_of(STDOUT_FILENO, cli->no_color);
    return cli->verb->run(cli, argc - optind, argv + optind);
}

int main(int argc, char **argv)
{
    const char *socket = getenv("UNLAPSED_SOCKET");
    struct cli cli = {
        .socket = socket && socket[0] != '\0' ? socket : CLI_DEFAULT_SOCKET,
        .now = clock_now(),
    };

    if (role_is_meant(&reader_role, argc, argv))
        return reader_role_run();
    signal(SIGPIPE, SIG_IGN);
    cli_open_output(&cli);
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
        fprintf(stderr, "unlapse: libcurl cannot start\n");
        return CLI_ERROR;
    }
    enum cli_exit status = run(&cli, argc, argv);
    status = flush(&cli, status);
    free(cli.text);
    curl_global_cleanup();
    return (int)status;
}

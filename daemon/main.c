/* unlapsed(8): reads its arguments and configuration, makes the process safe for keys, and runs the
 * loop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "pki/memory.h"
#include "daemon/config/config.h"
#include "daemon/keep/role.h"
#include "daemon/loop.h"
#include "daemon/read/role.h"
#include "daemon/role/inside.h"

static const char usage[] = "usage: unlapsed [-c FILE] [--journal] [--log-level 3..7]\n"
                            "       unlapsed --version | --help\n"
                            "Runs in the foreground; see unlapsed(8).\n";

enum { EXIT_USAGE = 2, EXIT_CONFIG = 4 };

struct arguments {
    const char *file;
    bool journal;
    int64_t level;
};

/* Returns -1 to go on, else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"journal", no_argument, NULL, 'j'},
                                            {"log-level", required_argument, NULL, 'l'},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};

    for (int option; (option = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            ret->file = optarg;
            break;
        case 'j':
            ret->journal = true;
            break;
        case 'l':
            if (text_number(optarg, LOG_LEVEL_ERROR, LOG_LEVEL_DEBUG, &ret->level))
                break;
            fprintf(stderr, "unlapsed: --log-level: wanted 3 to 7, got %s\n", optarg);
            return EXIT_USAGE;
        case 'V':
            puts("unlapsed " UNLAPSED_VERSION);
            return 0;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* No core dump, no debugger and no freed memory may show a key; files are private unless somebody
 * says otherwise. Before anything else: OpenSSL takes it only as long as nobody has used it. */
static int protect(struct error *err)
{
    const struct rlimit none = {0, 0};

    umask(022);
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    return crypto_wipe_freed(err);
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.file = CONFIG_DEFAULT_FILE, .level = LOG_LEVEL_INFO};
    struct config *config = NULL;
    AUTO_BUF struct buf complaints = {.max = BUF_MAX_CONFIG};
    struct error err = {0};

    if (role_is_meant(&reader_role, argc, argv))
        return reader_role_run();
    if (role_is_meant(&keeper_role, argc, argv))
        return keeper_role_run();
    int status = read_arguments(argc, argv, &arguments);

    if (status >= 0)
        return status;
    if (protect(&err) < 0) {
        fprintf(stderr, "unlapsed: %s\n", err.text);
        return 1;
    }
    log_open((enum log_level)arguments.level, arguments.journal);
    if (config_load(arguments.file, &config, &complaints, &err) < 0) {
        fprintf(stderr, "%sunlapsed: %s\n", buf_text(&complaints), err.text);
        return EXIT_CONFIG;
    }
    int rc = loop_run(config, &err);
    if (rc < 0)
        log_error("ended", "%s", err.text);
    if (rc == E_CONFIG)
        return EXIT_CONFIG;
    return rc < 0 ? 1 : 0;
}

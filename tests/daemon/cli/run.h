/* Runs `unlapse`, against a real API or against one that answers whatever it was told to. */
#ifndef UL_TESTS_DAEMON_CLI_RUN_H
#define UL_TESTS_DAEMON_CLI_RUN_H

#include "tests/daemon/api/harness.h"

/* A server in a process of its own. */
struct server {
    pid_t pid;
    char socket[128];
    int stop; /* closed: it ends */
};

/* A real API over an inventory that fill (may be NULL) has filled. */
void server_start(struct server *server, void (*fill)(struct harness *harness));
/* Answers each connection in turn with one of the replies (whole HTTP replies), then from the start
 * again. */
void server_start_canned(struct server *server, const char *const replies[], size_t count);
void server_stop(struct server *server);

/* A whole HTTP reply around a body; owned by the caller. */
char *http_reply(int status, const char *body);

struct ran {
    int status; /* exit status; 128 + signal when one ended it */
    char *out, *err;
};
void ran_done(struct ran *ran);
#define AUTO_RAN __attribute__((cleanup(ran_done)))

/* words: the arguments, NULL-terminated. Standard output goes to out_fd when that is not -1. */
struct ran run_argv(const struct server *server, int out_fd, const char *const words[]);
/* How many descriptors the program may have open; 0: as many as the test. */
extern unsigned run_descriptors;
#define run(server, ...) run_argv((server), -1, (const char *const[]){__VA_ARGS__, NULL})

/* Starts it with its output on *ret_out, errors on ours; the caller waits for it. */
pid_t run_start(const struct server *server, const char *const words[], int *ret_out);

#define ck_ran(ran, status_)                                                                       \
    ck_assert_msg((ran).status == (status_), "wanted %d, got %d\n%s\n%s", (status_), (ran).status, \
                  (ran).out, (ran).err)
#define ck_says(text, piece) \
    ck_assert_msg(strstr((text), (piece)), "wanted \"%s\" in:\n%s", (piece), (text))

#endif

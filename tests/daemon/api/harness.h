/*
 * A real API on a real socket over a real inventory, turned by hand: the client's bytes are written
 * and the server's turns taken in one thread, so that a test fails at one place.
 */
#ifndef UL_TESTS_DAEMON_API_HARNESS_H
#define UL_TESTS_DAEMON_API_HARNESS_H

#include <jansson.h>

#include "daemon/api/api.h"
#include "tests/testing.h"

enum { HARNESS_NOW = 1800000000 }; /* 2027-01-15T08:00:00Z */

struct harness {
    struct inventory *inventory;
    struct policies *policies;
    struct services *services;
    struct world world;
    size_t rotations;  /* of the sealing key */
    int rotation_code; /* what the next one fails with; 0: it does not */
    struct keeper *keeper;
    struct life life;
    struct config config;
    struct text_list recipients;
    struct api_context context;
    struct api *api;
    char *socket;
    char *backups; /* a folder that is not there yet */
    utc_t now;
    int pokes;
    struct doctor *doctor; /* works when it is poked */
    bool doctor_rests;     /* or does not */
};

/* The harness must stay where it is. */
void harness_open(struct harness *harness);
void harness_close(struct harness *harness);
/* Turns until fd is readable or has ended; false after five seconds. */
bool harness_turn_for(struct harness *harness, int fd);

/* How the audit trail calls whoever runs the test: "uid 0 (root)"; owned by the caller. */
char *harness_actor(void);

struct answer {
    int status;   /* 0: the connection ended without a reply */
    char *head;   /* status line and headers */
    json_t *json; /* NULL when the body is no JSON */
};
void answer_done(struct answer *answer);
#define AUTO_ANSWER __attribute__((cleanup(answer_done)))

/* A connected, non-blocking client. */
int harness_connect(const struct harness *harness);
/* Sends the bytes and reads to the end of the connection. */
struct answer harness_send(struct harness *harness, const char *bytes, size_t len);
/* body NULL: none. */
struct answer harness_ask(struct harness *harness, const char *method, const char *path,
                          const char *body);
/* From a process of that user and group without others. Needs root. */
struct answer harness_ask_as(struct harness *harness, uid_t uid, gid_t gid, const char *method,
                             const char *path, const char *body);

/* A text below the object: "next.action", "targets.0.service"; fails the test when it is not there.
 */
const json_t *at(const json_t *json, const char *path);
#define ck_json_text(json, path, wanted)                                                     \
    do {                                                                                     \
        const char *text_ = json_string_value(at((json), (path)));                           \
        ck_assert_msg(text_ &&strcmp(text_, (wanted)) == 0, "%s: wanted \"%s\", got \"%s\"", \
                      (path), (wanted), text_ ? text_ : "(no text)");                        \
    } while (0)
#define ck_json_number(json, path, wanted) \
    ck_assert_int_eq(json_integer_value(at((json), (path))), (wanted))
#define ck_json_null(json, path) \
    ck_assert_msg(json_is_null(at((json), (path))), "%s: wanted null", (path))
/* Status and code of an error, and a piece of its sentence. */
#define ck_refused(answer, status_, code_, piece)                                      \
    do {                                                                               \
        ck_assert_int_eq((answer).status, (status_));                                  \
        ck_json_number((answer).json, "schema_version", 1);                            \
        ck_json_text((answer).json, "error.code", (code_));                            \
        const char *said_ = json_string_value(at((answer).json, "error.message"));     \
        ck_assert_msg(strstr(said_, (piece)), "wanted \"%s\" in: %s", (piece), said_); \
    } while (0)

/* Plans all certificates, as the daemon does in the background. */
void harness_plan(struct harness *harness);
/* A certificate "www" with a target of service "files", a verified renewal that ends at
 * HARNESS_NOW + 60 d. Returns its id. */
int64_t harness_www(struct harness *harness);

/* A self-signed authority of that name, or a leaf; PEM, owned by the caller. */
char *harness_root(const char *name);
char *harness_leaf(const char *name);

#endif

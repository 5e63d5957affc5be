/*
 * What `unlapse check` looks at: a file, or every address of a host; each look has its own report.
 */
#ifndef UL_DAEMON_CLI_CHECK_LOOK_H
#define UL_DAEMON_CLI_CHECK_LOOK_H

#include "pki/check.h"
#include "pki/starttls.h"

enum { CHECK_HOST_MAX = 256, CHECK_ORIGIN_MAX = 300 };

/* What the command line asks for. */
struct check_plan {
    const char *target;
    const char *host; /* of a live target; NULL: it is a file */
    bool host_is_address;
    int port;
    enum starttls starttls;
    struct names names;
    struct blobs untrusted;
    struct anchors *anchors;
    bool system_anchors;
    utc_t at;
    enum chain_purpose purpose;
};

struct check_look {
    char origin[CHECK_ORIGIN_MAX]; /* "cert.pem", "192.0.2.1:443", escaped */
    char protocol[16];             /* "TLSv1.3"; "" for a file */
    struct blobs sent;
    bool looked; /* else error tells why not */
    struct error error;
    struct check_report report;
};

struct check_looks {
    struct check_look *items;
    size_t count;
    struct check_report whole; /* findings about the host: addresses, redirect, HSTS */
};
void check_looks_done(struct check_looks *looks);
#define AUTO_LOOKS __attribute__((cleanup(check_looks_done)))

/* Neither fails: what could not be looked at says so itself. */
void check_look_at_file(const struct check_plan *plan, struct check_looks *ret);
void check_look_at_host(const struct check_plan *plan, struct check_looks *ret);

/* All certificates of a file of any kind; "-" is standard input. broken and others count what else
 * was there. E_FORMAT when it holds none. */
struct check_file {
    struct blobs certs;
    size_t broken;  /* things that cannot be read... */
    char note[200]; /* ...and why, of the first */
    size_t keys;
};
int check_read_file(const char *path, struct check_file *ret, struct error *err);

/*
 * Adds what the web server says beside the certificate: "no-hsts" when https has no
 * Strict-Transport-Security (RFC 6797), "no-redirect" when http goes on without TLS. http_port 0:
 * not asked. What does not answer in HTTP is not told.
 */
void check_http(const char *host, int https_port, int http_port, struct check_report *report);

enum check_verdict { VERDICT_GOOD, VERDICT_BAD, VERDICT_COULD_NOT_LOOK };
enum check_verdict check_verdict_of(const struct check_looks *looks);
/* "good", "bad", "unknown" */
const char *check_verdict_text(enum check_verdict verdict);

#endif

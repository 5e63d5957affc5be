/*
 * The deployer: puts a bundle where a service reads it, and takes it back. It knows files,
 * commands, signals and handshakes, not the inventory; every step may be repeated after a crash and
 * then does nothing or the same again.
 *
 * Names beside the live file /etc/nginx/www.crt (dot files, same folder, same owner and mode
 * rules):
 * - .www.crt.unlapsed-staged: the new content, complete
 * - .www.crt.unlapsed-previous: what was live before, complete; none when there was nothing
 * - .www.crt.unlapsed-absent: an empty marker: there was no live file before
 * - .www.crt.unlapsed-writing: what is becoming one of these; left by a crash, worthless
 *
 * What was kept belongs to one transaction, from deployer_stage to deployer_clean: another one
 * that begins without the clean would go back to what was live before both.
 */
#ifndef UL_DAEMON_BIND_DEPLOYER_H
#define UL_DAEMON_BIND_DEPLOYER_H

#include "base/buf.h"
#include "base/clock.h"
#include "pki/cert.h"
#include "pki/keeper.h"
#include "policies/service.h"

struct bind_endpoint {
    const char *host;
    int port;
    const char *server_name; /* SNI; NULL: none is sent */
};

/* What one deployment is about. Everything is borrowed for the call. */
struct deploy_order {
    const struct service *service;
    const char *files[BUNDLE_PARTS]; /* absolute paths; NULL: the target does not have that part */
    const struct bind_endpoint *endpoints;
    size_t endpoint_count;
    int handshakes;     /* consecutive fresh handshakes each address must pass */
    seconds_t patience; /* how long the service may take to serve what is expected */
};

/* What an endpoint must serve. */
struct expectation {
    struct span leaf; /* DER; empty when only its hash is known */
    uint8_t leaf_sha256[SHA256_LEN];
    const struct blobs
        *chain; /* intermediates that must follow the leaf, in order; NULL: not checked */
};

/*
 * Before anything is touched: folders exist, owner and group are known, parts are allowed by the
 * service, there is room, and key and leaf of the bundle fit (Apache, lighttpd, Postfix and Dovecot
 * do not protect themselves).
 */
int deployer_check(const struct deploy_order *order, const struct bundle *bundle,
                   struct error *err);

/*
 * Keeps the live files as "previous" (unless all of them are kept already: a repeated call must not
 * overwrite them with what is new; when only some are, either keeping or cleaning was cut short,
 * the live files are whole, and all are kept afresh) and writes the staged ones. *ret_previous is
 * the hash of the leaf that was live, all zero when none. A live file that is no regular file is
 * E_REFUSED, a symbolic link with the name of what it points to.
 */
int deployer_stage(const struct deploy_order *order, const struct bundle *bundle,
                   uint8_t ret_previous[SHA256_LEN], struct error *err);

/* The service's own configuration test; success when it has none. E_COMMAND holds what it printed.
 */
int deployer_test(const struct deploy_order *order, struct error *err);

/* Renames staged over live, key first; a part already swapped is skipped. E_CORRUPT when staged and
 * live are both missing. */
int deployer_swap(const struct deploy_order *order, struct error *err);

/* Makes the service read its files again: by signal (its pid file) or command. */
int deployer_reload(const struct deploy_order *order, struct error *err);

/*
 * Fresh handshakes at every address of every endpoint, with SNI, until each passed `handshakes` in
 * a row or patience is over: E_NOT_SERVED, naming which address serves what. *report (may be NULL)
 * gets one line an address. Success with a report that says so when there is no endpoint.
 */
int deployer_verify(const struct deploy_order *order, const struct expectation *expected,
                    struct buf *report, struct error *err);

/* Puts the previous files back (removes what was not there) without losing them: safe to repeat. */
int deployer_restore(const struct deploy_order *order, struct error *err);

/* Removes staged and previous files: after success, or after a restore was verified. */
int deployer_clean(const struct deploy_order *order, struct error *err);

#endif

/*
 * One GET of a small file from a URL that a stranger wrote into a certificate, so that it can harm
 * nobody (server-side request forgery): only where the rules allow, only the address that was
 * checked, no redirect, proxy, cookie, credential, and little time and memory.
 */
#ifndef UL_DAEMON_FETCH_FETCH_H
#define UL_DAEMON_FETCH_FETCH_H

#include <stddef.h>

#include "base/error.h"
#include "base/mem.h"

enum { FETCH_BODY_MAX = 64 << 10, FETCH_SECONDS = 5 };

/* What an administrator allows besides public addresses and the ports 80 and 443; borrowed. */
struct fetch_rules {
    const char *const *allow; /* ranges of addresses ("10.0.0.0/8") and names of hosts */
    size_t allow_count;
    const int *ports;
    size_t port_count;
};

/* True for what may stand in `allow`. */
bool fetch_is_allowance(const char *text);

/*
 * E_INPUT    the URL is not acceptable
 * E_REFUSED  host, address or port are not allowed, or the server sent another status than 200
 * E_TOO_LARGE more than 64 KiB came
 * E_NETWORK, E_TIMEOUT
 * Blocks for PROBE_RESOLVE_MS (8 s) for the host's name, then for 5 s at most. Any number of
 * threads may fetch. The server of an https URL is not verified: authorities publish by http, what
 * comes is a hint, and nothing is sent but the URL.
 */
int fetch_get(const struct fetch_rules *rules, const char *url, struct blob *ret,
              struct error *err);

#endif

/* The form of a URL that a stranger wrote: what is not plainly one of a web server is refused. */
#ifndef UL_DAEMON_FETCH_URL_H
#define UL_DAEMON_FETCH_URL_H

#include <stdbool.h>

#include "base/error.h"

enum { FETCH_URL_MAX = 1024, FETCH_HOST_MAX = 255 };

struct fetch_url {
    char host[FETCH_HOST_MAX + 1]; /* lower case, IPv6 without brackets; a name's final dot stays */
    int port;                      /* as written, or that of the scheme */
    bool tls;
};

/*
 * E_INPUT, and why: more than 1024 bytes, anything but printable ASCII, a backslash, another scheme
 * than http and https, a user or password, a fragment, an IPv6 zone, a host of other characters
 * than names have. Whether host and port may be connected to is not asked here.
 */
int fetch_url_read(const char *url, struct fetch_url *ret, struct error *err);

#endif

/* A real nginx of a test's own: on loopback and a free port, its files in the test's folder,
 * stopped by its number (and by the kernel should the test die). */
#ifndef UL_TESTS_DAEMON_BIND_SERVER_H
#define UL_TESTS_DAEMON_BIND_SERVER_H

#include "daemon/bind/deployer.h"

/* What ::1 does while 127.0.0.1 serves DIR/www.fullchain with DIR/www.key. */
enum server_v6 {
    V6_SAME,
    V6_CLOSED,
    V6_OTHER, /* serves DIR/other.fullchain with DIR/other.key */
};

struct server {
    int port;
    char *config;
    char *pid_file;
    pid_t pid;
};

void server_start(struct server *server, enum server_v6 v6);
void server_stop(struct server *server);

/* A port of loopback that is free, in both address families, or was a moment ago. */
int server_free_port(void);

/* The nginx preset for this server: tested by `nginx -t`, reloaded by HUP to its pid file. */
void server_service(const struct server *server, struct service *ret);
void server_service_done(struct service *service);

#endif

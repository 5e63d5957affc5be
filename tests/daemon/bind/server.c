#include "tests/daemon/bind/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/daemon/bind/site.h"

#define NGINX "/usr/sbin/nginx"

static struct error err;

static int bind_to(int family, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v6.sin6_addr = in6addr_loopback;
    int rc = family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
                               : bind(fd, (struct sockaddr *)&v6, sizeof v6);
    if (rc < 0)
        file_close(&fd);
    return fd;
}

int server_free_port(void)
{
    for (int i = 0; i < 100; i++) {
        AUTO_FD int v4 = bind_to(AF_INET, 0);
        struct sockaddr_in name = {0};
        socklen_t len = sizeof name;

        ck_assert_int_eq(getsockname(v4, (struct sockaddr *)&name, &len), 0);
        AUTO_FD int v6 = bind_to(AF_INET6, ntohs(name.sin_port));
        if (v6 >= 0)
            return ntohs(name.sin_port);
    }
    ck_abort_msg("no free port");
    return -1;
}

static void write_config(const struct server *server, enum server_v6 v6)
{
    static const char *const block[] = {
        [V6_SAME] = "listen [::1]:%d ssl;",
        [V6_CLOSED] = "# %d",
        [V6_OTHER] = "return 200 ok; }\n"
                     "server { ssl_certificate other.fullchain; ssl_certificate_key other.key;"
                     " listen [::1]:%d ssl;",
    };
    AUTO_FREE char *other = mem_printf(block[v6], server->port);
    AUTO_FREE char *text =
        mem_printf("daemon off; worker_processes 1; pid nginx.pid; error_log error.log;\n"
                   "events {}\n"
                   "http {\n"
                   "  access_log off;\n"
                   "  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;\n"
                   "  uwsgi_temp_path t4; scgi_temp_path t5;\n"
                   "  server {\n"
                   "    ssl_certificate www.fullchain; ssl_certificate_key www.key;\n"
                   "    listen 127.0.0.1:%d ssl;\n"
                   "    %s\n"
                   "    return 200 ok;\n"
                   "  }\n"
                   "}\n",
                   server->port, other);

    ck_ok(file_replace(server->config, span_text(text), FILE_PUBLIC, &err));
}

static bool answers(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool has_begun(const struct server *server)
{
    struct stat st;

    return answers(server->port) && stat(server->pid_file, &st) == 0 && st.st_size > 0;
}

void server_start(struct server *server, enum server_v6 v6)
{
    *server = (struct server){.port = server_free_port(),
                              .config = testing_path("nginx.conf"),
                              .pid_file = testing_path("nginx.pid")};
    const char *dir = testing_dir(); /* asked in the child it would be another one */

    write_config(server, v6);
    server->pid = fork();
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(NGINX, NGINX, "-p", dir, "-e", "stderr", "-c", server->config, NULL);
        _exit(127);
    }
    for (int i = 0; i < 400 && !has_begun(server); i++)
        usleep(25000);
    ck_assert_msg(has_begun(server), "nginx does not answer");
}

void server_stop(struct server *server)
{
    if (server->pid > 0) {
        kill(server->pid, SIGTERM);
        waitpid(server->pid, NULL, 0);
    }
    free(server->config);
    free(server->pid_file);
    *server = (struct server){0};
}

void server_service(const struct server *server, struct service *ret)
{
    static const char *const test[] = {NGINX, "-t", "-q", "-e", "stderr", "-p"};
    struct service service = site_service();
    size_t n = 0;

    for (; n < COUNT_OF(test); n++)
        service.test[n] = mem_strdup(test[n]);
    service.name = mem_strdup("nginx");
    service.test[n++] = mem_strdup(testing_dir());
    service.test[n++] = mem_strdup("-c");
    service.test[n++] = mem_strdup(server->config);
    service.reload_signal = SIGHUP;
    service.pid_file = mem_strdup(server->pid_file);
    *ret = service;
}

void server_service_done(struct service *service)
{
    for (size_t i = 0; service->test[i]; i++)
        free(service->test[i]);
    free(service->name);
    free(service->pid_file);
}

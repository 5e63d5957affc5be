/*
 * A service preset: how one kind of server is given a certificate, as data. Shipped in services/
 * and extended by an administrator's YAML; parameters are words in braces ("{config}") that a
 * service sets and another may replace by `extends`. Only files that root writes define services: a
 * certificate merely names one.
 */
#ifndef UL_POLICIES_SERVICE_H
#define UL_POLICIES_SERVICE_H

#include "base/buf.h"
#include "base/error.h"
#include "pki/keeper.h"

enum { SERVICE_ARGV_MAX = 32 };

/* How a part of the bundle is written when a target has it. */
struct service_part {
    bool allowed; /* the service knows what to do with it */
    char *owner;  /* NULL: as the file that is there, else the daemon's */
    char *group;
    bool has_mode;
    unsigned mode; /* when has_mode; else as the file that is there, else 0600 for secrets, 0644 for
                      the rest */
};

struct service {
    char *name;
    char *source;
    struct service_part parts[BUNDLE_PARTS];
    char *test[SERVICE_ARGV_MAX +
               1]; /* NULL-terminated, parameters filled in; test[0] NULL: no test */
    char *reload[SERVICE_ARGV_MAX + 1]; /* reload[0] NULL: by signal */
    int reload_signal;                  /* 0: none */
    char *pid_file;                     /* with reload_signal */
    int command_deadline;               /* seconds */
};

struct services;

struct services *services_open(void); /* with the shipped ones, compiled in */
void services_free(struct services *services);
/* A mapping services: {NAME: {extends, parameters, files, test, reload, deadline}}; extends and
 * replacing as for policies (policies_load), but nothing is extended unasked. "{{" and "}}" are
 * braces. */
int services_load(struct services *services, const char *file, const char *text, size_t len,
                  struct buf *complaints, struct error *err);
/* Resolves extends and parameters; an unknown or unused parameter and a program or pid file without
 * an absolute path are complaints. */
int services_finish(struct services *services, struct buf *complaints, struct error *err);
const struct service *services_get(const struct services *services, const char *name);
size_t services_count(const struct services *services);
const struct service *services_at(const struct services *services, size_t index);

#endif

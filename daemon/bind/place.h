/*
 * One file of a target, its folder held open, and the names of the transaction beside it. Shared by
 * the files of this folder alone.
 */
#ifndef UL_DAEMON_BIND_PLACE_H
#define UL_DAEMON_BIND_PLACE_H

#include <limits.h>
#include <sys/stat.h>

#include "base/file.h"
#include "daemon/bind/deployer.h"

enum { PLACE_NAME_MAX = NAME_MAX + 1 };

struct place {
    const char *path; /* borrowed */
    const char *name; /* borrowed: the end of path */
    int dir;
    char staged[PLACE_NAME_MAX];
    char previous[PLACE_NAME_MAX];
    char absent[PLACE_NAME_MAX];
    char writing[PLACE_NAME_MAX];
};

/* E_INPUT when the name leaves no room for the others; E_NOT_FOUND, E_DENIED for the folder. */
int place_open(const char *path, struct place *ret, struct error *err);
void place_done(struct place *place);
#define AUTO_PLACE __attribute__((cleanup(place_done)))

/* One of the names beside the live file. */
int place_has(const struct place *place, const char *name, bool *ret, struct error *err);

/* Looks at the live file; E_REFUSED when something else stands in its place. */
int place_look(const struct place *place, bool *ret_there, struct stat *ret, struct error *err);

/* Writes one of the names whole: through `writing` and a rename. */
int place_write(const struct place *place, const char *name, struct span data,
                struct file_access access, struct error *err);

/* The owner, group and mode that stat found. */
struct file_access place_access(const struct stat *st);

/* Replaces in *access what the service declares. E_NOT_FOUND when the user or group is unknown. */
int place_declared(const struct service_part *part, struct file_access *access, struct error *err);

/* The certificates in a file in their order, DER. None is no error. */
int place_certs(struct span file, struct blobs *ret, struct error *err);

/* The parts that begin with the leaf. */
static inline bool part_has_leaf(enum bundle_part part)
{
    return part == BUNDLE_LEAF || part == BUNDLE_FULLCHAIN || part == BUNDLE_COMBINED;
}

#endif

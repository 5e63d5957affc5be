/* The real world (daemon/life/world.h): keepers and readers in processes of their own, the real
 * files, services, endpoints and mail server. */
#ifndef UL_DAEMON_WORLD_H
#define UL_DAEMON_WORLD_H

#include "daemon/config/config.h"
#include "daemon/keep/keep.h"
#include "daemon/life/world.h"

struct real_world;

/* The keeper with the sealing key of this inventory; only for one that holds nothing sealed is a
 * new key made. As keep_open; a missing one is E_NOT_FOUND with the id that is wanted. */
int world_open_keeper(const struct config *config, struct inventory *inventory, struct keep **ret,
                      struct error *err);

/*
 * Sees that the trust anchors that the policies name can be read (E_CONFIG names policy and file)
 * and makes the folder of requests. When no reader can be started and confined the log says so, and
 * what wants one fails. config and keeper are borrowed until world_close. May be used by several
 * threads at once.
 */
int world_open(const struct config *config, struct keep *keeper, struct real_world **ret,
               struct error *err);
void world_close(struct real_world *world);
/* Ends readers and keepers that have been idle for a while; false when none is left to be ended
 * later. */
bool world_tidy(struct real_world *world);
const struct world *world_functions(const struct real_world *world);

#endif

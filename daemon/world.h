/* The real world (daemon/life/world.h): the keeper in this process, the real files, services,
 * endpoints and mail server. */
#ifndef UL_DAEMON_WORLD_H
#define UL_DAEMON_WORLD_H

#include "daemon/config/config.h"
#include "daemon/life/world.h"

struct real_world;

/*
 * Loads the trust anchors that the policies name (E_CONFIG names policy and file) and makes the
 * folders of requests. config and keeper are borrowed until world_close. May be used by several
 * threads at once.
 */
int world_open(const struct config *config, struct keeper *keeper, struct real_world **ret,
               struct error *err);
void world_close(struct real_world *world);
const struct world *world_functions(const struct real_world *world);

#endif

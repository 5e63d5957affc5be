#include "daemon/reload.h"

#include <string.h>

#include "base/log.h"

static void keep_path(const char *what, const char *old, char **new)
{
    const char *was = old ? old : "none", *is = *new ? *new : "none";

    if (strcmp(was, is) == 0)
        return;
    log_warn("needs-restart", "%s: %s takes effect after a restart, %s stays in use", what, is,
             was);
    free(*new);
    *new = old ? mem_strdup(old) : NULL;
}

void reload_keep(const struct config *running, struct config *next)
{
    keep_path("inventory", running->inventory, &next->inventory);
    keep_path("sealing-key", running->sealing_key, &next->sealing_key);
    keep_path("sealing-key-previous", running->sealing_key_previous, &next->sealing_key_previous);
    next->sealing_key_given = running->sealing_key_given;
    keep_path("socket", running->socket, &next->socket);
    keep_path("drop.folder", running->drop, &next->drop);
}

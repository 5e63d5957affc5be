/* What the status says of backups. */
#ifndef UL_DAEMON_API_BACKUPS_H
#define UL_DAEMON_API_BACKUPS_H

#include "daemon/api/handler.h"

/* "backups", and a problem when none can be made. */
int put_backups(const struct api_call *call, json_t *reply, json_t *problems, struct error *err);

#endif

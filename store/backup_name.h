/* For store/ alone: how the files of a folder of backups are called. */
#ifndef UL_STORE_BACKUP_NAME_H
#define UL_STORE_BACKUP_NAME_H

#include "store/backup.h"

/* The one in the making; one at a time, by the lock of the inventory. */
#define BACKUP_PARTIAL ".inventory.db.unlapsed-new"

/* Removes it, with what SQLite made beside it. */
void backup_remove_partial(int dir, const char *name);
/* A name of that second that is not taken; ret holds BACKUP_NAME_MAX bytes. E_EXISTS after 99. */
int backup_free_name(int dir, utc_t at, char *ret, struct error *err);
/* False when it is no backup's. */
bool backup_name_parse(const char *name, utc_t *ret_at);

#endif

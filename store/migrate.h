/*
 * For store/ alone: brings an inventory file to the newest schema. Each file of store/schema/ is
 * one migration, "NNN-what.sql", numbered from 001 without a gap; PRAGMA user_version holds the
 * number of the last one that was applied.
 */
#ifndef UL_STORE_MIGRATE_H
#define UL_STORE_MIGRATE_H

#include "base/embed.h"
#include "store/inventory.h"

/* E_REFUSED when the file is of a newer schema than the last of `files`: names both programs;
 * nothing is written. */
int migrate_check(struct inventory *inventory, const struct embedded_file *files,
                  struct error *err);
/*
 * Applies what is missing, each in a transaction of its own: a failure leaves the schema before it.
 * Of a file that is not new a copy is kept first, FILE.schema-N of the schema it had, replacing an
 * older one; without it nothing is migrated. Foreign keys must be off and are checked as a whole
 * before each commit.
 */
int migrate_run(struct inventory *inventory, const struct embedded_file *files, struct error *err);

#endif

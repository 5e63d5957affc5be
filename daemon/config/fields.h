/* The keys of the main configuration file. Between fields.c and config.c. */
#ifndef UL_DAEMON_CONFIG_FIELDS_H
#define UL_DAEMON_CONFIG_FIELDS_H

#include "base/yaml.h"
#include "daemon/config/config.h"

/* Folders of further files; NULL: not named. */
struct config_folders {
    char *policies;
    char *services;
};

/* Reads what is there into config, whose other fields stay as they are. */
void config_read_fields(struct yaml *yaml, struct config *config, struct config_folders *ret);

/* Fills in what nobody set. */
void config_set_defaults(struct config *config);

#endif

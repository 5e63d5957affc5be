/*
 * What the doctor looks at around the inventory: configuration, sealing key, folders, room, clock,
 * reader, drop folder, mail. Part of the top floor, since life/ knows no configuration.
 */
#ifndef UL_DAEMON_SURROUNDINGS_H
#define UL_DAEMON_SURROUNDINGS_H

#include "daemon/config/config.h"
#include "daemon/life/doctor.h"

/* For doctor_new, whose `self` is a struct config *const *: the one in force. */
extern const struct doctor_check surroundings_checks[];
extern const size_t surroundings_count;

#endif

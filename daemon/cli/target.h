/* The --target of `unlapse add`, as the API wants it. */
#ifndef UL_DAEMON_CLI_TARGET_H
#define UL_DAEMON_CLI_TARGET_H

#include <jansson.h>

#include "base/error.h"

/*
 * "SERVICE,PART=/PATH,...,endpoint=HOST:PORT[/SERVERNAME]" into {service, files, endpoints}.
 * E_INPUT says what was wrong. The result is owned by the caller.
 */
int target_parse(const char *text, json_t **ret, struct error *err);

#endif

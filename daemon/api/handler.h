/*
 * What a handler gets and gives: one request whose caller is known and allowed, and the JSON object
 * of its reply. One handler a file; route.c holds the table.
 */
#ifndef UL_DAEMON_API_HANDLER_H
#define UL_DAEMON_API_HANDLER_H

#include <jansson.h>

#include "daemon/api/api.h"
#include "daemon/api/caller.h"

enum { API_SCHEMA_VERSION = 1 };

struct api_call {
    const struct api_context *context;
    const struct caller *caller;
    const char *name;   /* of the certificate (or anchor) in the path; NULL when it has none */
    const json_t *body; /* of a POST: an object; NULL for GET */
    /* The text of "?key=" or NULL. Borrowed. */
    const char *(*query)(const struct api_call *call, const char *key);
    void *connection; /* for query */
    utc_t now;
};

/* Fills reply (an object that has its schema_version already). A failure's reply is thrown away. */
typedef int (*api_handler_fn)(const struct api_call *call, json_t *reply, struct error *err);

#define HANDLER(name) int name(const struct api_call *call, json_t *reply, struct error *err)
HANDLER(get_status);
HANDLER(get_audit);
HANDLER(get_audit_verify);
HANDLER(get_authorities);
HANDLER(get_backups);
HANDLER(post_backup);
HANDLER(get_seal);
HANDLER(post_seal_rotation);
HANDLER(get_trust);
HANDLER(post_trust);
HANDLER(delete_trust);
HANDLER(get_certificates);
HANDLER(get_certificate);
HANDLER(get_doctor);
HANDLER(get_explain);
HANDLER(get_history);
HANDLER(get_key);
HANDLER(get_request);
HANDLER(post_certificate);
HANDLER(post_doctor);
HANDLER(post_renewal);

#endif

/* Reading the body of a POST: every key is known, of the right kind, or named in the error. */
#ifndef UL_DAEMON_API_BODY_H
#define UL_DAEMON_API_BODY_H

#include "daemon/api/handler.h"

/* Only these keys (NULL-terminated); E_INPUT names the first other one. `what` names the object in
 * messages. */
int body_keys(const json_t *object, const char *what, const char *const keys[], struct error *err);

/* Absent is success with *ret untouched; E_INPUT when it is of another kind. Texts are borrowed. */
int body_text(const json_t *object, const char *key, const char **ret, struct error *err);
int body_number(const json_t *object, const char *key, int64_t min, int64_t max, int64_t *ret,
                struct error *err);
int body_bool(const json_t *object, const char *key, bool *ret, struct error *err);
/* Absent is an empty one. */
int body_array(const json_t *object, const char *key, const json_t **ret, struct error *err);

/* Who asks, for the audit trail (caller_text). Returns ret, which holds ACTOR_MAX bytes. */
const char *body_actor(const struct api_call *call, char *ret);

#endif

/* One HTTP request from its first line to its reply: libmicrohttpd's callbacks. */
#ifndef UL_DAEMON_API_EXCHANGE_H
#define UL_DAEMON_API_EXCHANGE_H

#include <microhttpd.h>

#include "daemon/api/handler.h"

/* MHD_AccessHandlerCallback; self is the struct api_context in force. */
enum MHD_Result exchange_serve(void *self, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *data_len, void **state);

/* MHD_RequestCompletedCallback */
void exchange_end(void *self, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode why);

#endif

#include "daemon/api/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/text.h"

#include "daemon/api/json.h"
#include "daemon/api/refusals.h"
#include "daemon/api/route.h"

/* A body that grows past this many times its limit is somebody who does not stop by himself. */
enum { SWALLOW_FACTOR = 4 };

struct exchange {
    const struct route *route; /* NULL: none */
    const char *allowed;       /* with no route: what the path allows */
    char *name;
    struct caller caller;
    int refused; /* code of a refusal decided on the first line */
    struct error err;
    struct buf body;
    size_t seen;
};

static void exchange_free(struct exchange *exchange)
{
    free(exchange->name);
    buf_done(&exchange->body);
    free(exchange);
}

static enum MHD_Result send_json(struct MHD_Connection *connection, unsigned status,
                                 const json_t *reply, const char *allowed)
{
    char *text = json_dumps(reply, JSON_INDENT(2));

    if (!text)
        return MHD_NO;
    AUTO_FREE char *lines = mem_printf("%s\n", text);
    free(text);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(lines), lines, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (allowed)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allowed);
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result send_error(struct MHD_Connection *connection, unsigned status, int code,
                                  const char *message, const char *allowed)
{
    AUTO_JSON json_t *reply = json_error(code, message);

    return send_json(connection, status, reply, allowed);
}

static int fd_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

/* Who asks decides before what is asked: a stranger does not learn which certificates exist. */
static int admit(const struct api_context *context, struct MHD_Connection *connection,
                 struct exchange *exchange)
{
    struct error *err = &exchange->err;
    int rc = caller_of_socket(fd_of(connection), &exchange->caller, err);

    if (rc != 0)
        return rc;
    const char *admins = context->config->admin_group, *readers = context->config->read_group;
    enum role role = caller_role(&exchange->caller, readers, admins);
    if (role == ROLE_NONE)
        return error_set(err, E_DENIED, "uid %u: wanted root or a member of %s%s%s, got neither",
                         exchange->caller.uid, readers ? readers : "",
                         readers && admins ? " or " : (readers || admins ? "" : "no group"),
                         admins ? admins : "");
    if (exchange->route && role < route_role(exchange->route))
        return error_set(err, E_DENIED, "uid %u: wanted root%s%s to change something, got a reader",
                         exchange->caller.uid, admins ? " or a member of " : "",
                         admins ? admins : "");
    return 0;
}

static bool body_is_announced_too_large(struct MHD_Connection *connection)
{
    const char *text =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t len;

    return text && !text_number(text, 0, BUF_MAX_REQUEST_BODY, &len);
}

static struct exchange *begin(const struct api_context *context, struct MHD_Connection *connection,
                              const char *url, const char *method)
{
    struct exchange *exchange = mem_alloc(1, sizeof *exchange);

    buf_init(&exchange->body, BUF_MAX_REQUEST_BODY);
    exchange->route = route_find(method, url, &exchange->name, &exchange->allowed);
    /* "%00" would end the name early. */
    if (exchange->name && MHD_http_unescape(exchange->name) != strlen(exchange->name))
        exchange->route = NULL;
    exchange->refused = admit(context, connection, exchange);
    if (exchange->refused == E_DENIED)
        refusals_note(context->refusals, context->life, &exchange->caller, method, url,
                      exchange->err.text);
    return exchange;
}

static const char *query(const struct api_call *call, const char *key)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, key);
}

/* The body of a POST; an empty one is an empty object. */
static int read_body(const struct exchange *exchange, json_t **ret, struct error *err)
{
    json_error_t where;

    if (exchange->body.full)
        return error_set(err, E_TOO_LARGE, "request body: wanted at most %d bytes",
                         BUF_MAX_REQUEST_BODY);
    if (exchange->body.len == 0) {
        *ret = json_object();
        return 0;
    }
    AUTO_JSON json_t *body =
        json_loadb(exchange->body.data, exchange->body.len, JSON_REJECT_DUPLICATES, &where);
    if (!body)
        return error_set(err, E_FORMAT, "request body:%d:%d: wanted JSON, got: %s", where.line,
                         where.column, where.text);
    if (!json_is_object(body))
        return error_set(err, E_FORMAT, "request body: wanted an object");
    *ret = TAKE(body);
    return 0;
}

static int call_handler(const struct api_context *context, struct MHD_Connection *connection,
                        const struct exchange *exchange, json_t *reply, struct error *err)
{
    AUTO_JSON json_t *body = NULL;

    if (route_role(exchange->route) == ROLE_ADMIN) {
        int rc = read_body(exchange, &body, err);

        if (rc != 0)
            return rc;
    }
    struct api_call call = {
        .context = context,
        .caller = &exchange->caller,
        .name = exchange->name,
        .body = body,
        .query = query,
        .connection = connection,
        .now = context->life->world->now(context->life->world->self),
    };
    if (route_role(exchange->route) == ROLE_ADMIN || !context->life->inventory)
        return exchange->route->handle(&call, reply, err);
    /* A page tells of one moment. */
    int rc = inventory_view_begin(context->life->inventory, err);
    if (rc == 0) {
        rc = exchange->route->handle(&call, reply, err);
        inventory_view_end(context->life->inventory);
    }
    return rc;
}

static char *damage_of(const struct api_context *context)
{
    AUTO_FREE char *backup = NULL;
    utc_t since;

    return context->damage ? context->damage(context->care, &since, &backup) : NULL;
}

/* Nothing is changed in a damaged inventory; one that cannot even be opened has no more to tell
 * than that, and which backups there are. */
static int refuse_damaged(const struct api_context *context, const struct exchange *exchange,
                          const char *damage, struct error *err)
{
    if (!damage)
        return 0;
    if (route_role(exchange->route) == ROLE_READ &&
        (context->life->inventory || exchange->route->without_inventory))
        return 0;
    return error_set(err, E_CORRUPT, "%s", damage);
}

static enum MHD_Result finish(const struct api_context *context, struct MHD_Connection *connection,
                              const struct exchange *exchange, const char *url, const char *method)
{
    struct error err = {0};

    if (exchange->refused != 0)
        return send_error(connection, http_status_of(exchange->refused), exchange->refused,
                          exchange->err.text, NULL);
    if (!exchange->route) {
        error_set(&err, exchange->allowed ? E_INPUT : E_NOT_FOUND, "%s: %s: %s", url, method,
                  exchange->allowed ? "another method is wanted here" : "there is no such route");
        return send_error(connection, exchange->allowed ? 405 : 404, err.code, err.text,
                          exchange->allowed);
    }
    AUTO_JSON json_t *reply = json_object();
    json_put_number(reply, "schema_version", API_SCHEMA_VERSION);
    AUTO_FREE char *damage = damage_of(context);
    int rc = refuse_damaged(context, exchange, damage, &err);
    if (rc == 0)
        rc = call_handler(context, connection, exchange, reply, &err);
    if (rc == E_CORRUPT && damage)
        error_set(&err, rc, "%s", damage);
    if (rc == 0)
        return send_json(connection, exchange->route->status, reply, NULL);
    unsigned status = http_status_of(rc);
    if (status >= 500)
        log_error("api", "%s %s: %s", method, url, err.text);
    return send_error(connection, status, rc, err.text[0] ? err.text : code_text(rc), NULL);
}

enum MHD_Result exchange_serve(void *self, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *data_len, void **state)
{
    const struct api_context *context = self;
    struct exchange *exchange = *state;

    (void)version;
    if (!exchange) {
        *state = exchange = begin(context, connection, url, method);
        if (body_is_announced_too_large(connection))
            return send_error(connection, 413, E_TOO_LARGE, "request body: too large", NULL);
        return MHD_YES;
    }
    if (*data_len > 0) {
        /* A refused body is read as well: a client that still sends does not see a reply. */
        exchange->seen += *data_len;
        if (exchange->refused == 0)
            buf_add(&exchange->body, data, *data_len);
        *data_len = 0;
        return exchange->seen > (size_t)SWALLOW_FACTOR * BUF_MAX_REQUEST_BODY ? MHD_NO : MHD_YES;
    }
    return finish(context, connection, exchange, url, method);
}

void exchange_end(void *self, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode why)
{
    (void)self;
    (void)connection;
    (void)why;
    if (*state)
        exchange_free(*state);
    *state = NULL;
}

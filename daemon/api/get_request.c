#include "daemon/api/handler.h"

#include "pki/cert.h"

#include "daemon/api/json.h"
#include "daemon/api/view.h"

HANDLER(get_request)
{
    AUTO_CERTIFICATE struct certificate_row row = {0};
    AUTO_RENEWAL struct renewal_row open = {0};
    struct life *life = call->context->life;
    int rc = view_find_row(call, &row, err);

    if (rc != 0)
        return rc;
    rc = renewals_open(life->inventory, row.id, &open, err);
    if (rc == E_NOT_FOUND)
        return error_set(err, E_NOT_FOUND, "%s: there is no open renewal", row.name);
    if (rc != 0)
        return rc;
    if (open.requested_at == UTC_NEVER && open.failed_reason)
        return error_set(err, E_NOT_YET, "%s: key and CSR could not be made yet: %s", row.name,
                         open.failed_reason);
    if (open.requested_at == UTC_NEVER || open.csr.len == 0)
        return error_set(err, E_NOT_YET, "%s: key and CSR are still being made", row.name);
    AUTO_BUF struct buf pem = {0};
    buf_init(&pem, BUF_MAX_PEM);
    pem_write(&pem, "CERTIFICATE REQUEST", blob_span(&open.csr));
    json_put_text(reply, "name", row.name);
    json_put_number(reply, "renewal", open.id);
    json_put_text(reply, "csr", buf_text(&pem));
    json_put_names(reply, "names", &open.names);
    json_put_time(reply, "requested_at", open.requested_at);
    json_put_text(reply, "drop", life->drop_shown);
    return 0;
}

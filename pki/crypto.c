#include "pki/crypto.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "pki/cert.h"

int crypto_error(struct error *err, int code, const char *format, ...)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    char text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ERR_clear_error();
    return error_set(err, code, "%s%s%s", text, reason ? ": " : "", reason ? reason : "");
}

X509 *crypto_read_cert(struct span der)
{
    AUTO_OF(X509) X509 *x509 = NULL;
    const uint8_t *at = der.data;

    if (der.len == 0 || der.len > CERT_DER_MAX)
        return NULL;
    x509 = d2i_X509(NULL, &at, (long)der.len);
    ERR_clear_error();
    if (!x509 || at != der.data + der.len)
        return NULL;
    return TAKE(x509);
}

#include "pki/crypto.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"

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

bool crypto_print_name(const X509_NAME *name, char ret[CERT_DN_MAX])
{
    /* Without ESC_MSB letters of any language stay readable; text_escape sees to the rest. */
    const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    AUTO_OF(BIO) BIO *bio = BIO_new(BIO_s_mem());
    char *printed;

    if (!bio || X509_NAME_print_ex(bio, name, 0, flags) < 0 || BIO_write(bio, "", 1) != 1 ||
        BIO_get_mem_data(bio, &printed) <= 0)
        return false;
    text_escape(printed, ret, CERT_DN_MAX);
    return true;
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

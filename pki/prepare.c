#include "pki/prepare.h"

#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "pki/cert.h"
#include "pki/crypto.h"

int crypto_prepare(struct error *err)
{
    uint8_t hash[SHA256_LEN];

    /* gmtime_r reads /etc/localtime when nobody has before. */
    tzset();
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                                OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
                            NULL) != 1)
        return crypto_error(err, E_CRYPTO, "OpenSSL cannot be set up");
    sha256_of(span_of("", 0), hash);
    return 0;
}

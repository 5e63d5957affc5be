#include "pki/prepare.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "pki/cert.h"
#include "pki/crypto.h"
#include "pki/delivery/delivery.h"

int crypto_prepare(struct error *err)
{
    uint8_t hash[SHA256_LEN];

    /* gmtime_r reads /etc/localtime when nobody has before, and mktime, which libzip calls for each
     * entry, looks every time whether it has changed; not so when the zone is named. */
    setenv("TZ", "UTC0", 1);
    tzset();
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                                OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
                            NULL) != 1)
        return crypto_error(err, E_CRYPTO, "OpenSSL cannot be set up");
    delivery_prepare();
    sha256_of(span_of("", 0), hash);
    return 0;
}

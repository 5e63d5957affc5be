#include "pki/delivery/legacy.h"

#include <pthread.h>

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/rand.h>

#include "pki/delivery/delivery.h"

/* Made once and kept to the end of the process: the sandbox that comes later opens no files. */
static OSSL_LIB_CTX *context;

static void warm_up(void)
{
    uint8_t byte;

    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
                            OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
                        NULL);
    context = OSSL_LIB_CTX_new();
    if (context) {
        /* Without it the old ciphers are missing, and whoever meets one says so. */
        OSSL_PROVIDER_load(context, "legacy");
        OSSL_PROVIDER_load(context, "default");
        RAND_priv_bytes_ex(context, &byte, sizeof byte, 0);
        RAND_bytes_ex(context, &byte, sizeof byte, 0);
    }
    RAND_priv_bytes(&byte, sizeof byte);
    RAND_bytes(&byte, sizeof byte);
    ERR_clear_error();
}

void delivery_prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, warm_up);
}

OSSL_LIB_CTX *legacy_enter(void)
{
    delivery_prepare();
    return OSSL_LIB_CTX_set0_default(context);
}

void legacy_leave(OSSL_LIB_CTX **before)
{
    OSSL_LIB_CTX_set0_default(*before);
}

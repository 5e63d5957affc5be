/*
 * Old exports are encrypted with ciphers that OpenSSL keeps in its legacy provider (RC2-40, DES,
 * RC4): it is loaded into a library context of our own, so that nothing else of the process knows
 * them. For the .c files of pki/delivery/ only.
 */
#ifndef UL_PKI_DELIVERY_LEGACY_H
#define UL_PKI_DELIVERY_LEGACY_H

#include <openssl/crypto.h>

/*
 * Until the scope ends everything this thread asks of OpenSSL without naming a library context
 * knows the old ciphers too: AUTO_LEGACY OSSL_LIB_CTX *before = legacy_enter();
 */
OSSL_LIB_CTX *legacy_enter(void);
void legacy_leave(OSSL_LIB_CTX **before);
#define AUTO_LEGACY __attribute__((cleanup(legacy_leave), unused))

#endif

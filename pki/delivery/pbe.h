/*
 * Password-based encryption in what strangers send (PKCS#5, PKCS#12): what trying a password costs
 * is read and bounded before any is tried, since the number of iterations is the sender's choice.
 * For the .c files of pki/delivery/ only.
 */
#ifndef UL_PKI_DELIVERY_PBE_H
#define UL_PKI_DELIVERY_PBE_H

#include "pki/crypto.h"
#include "pki/delivery/objects.h"

/*
 * In iterations. 600,000 is what NSS writes, and what is advised for PBKDF2 with SHA-256; nobody
 * writes more. All attempts on one file together stay within a few seconds of CPU time.
 */
enum { PBE_ITERATIONS_MAX = 600000, PBE_WORK_MAX = 4000000 };

/* E_TOO_LARGE "iteration count: wanted at most N, got M" when it is past the limit. */
int pbe_check_count(const ASN1_INTEGER *count, uint64_t *ret_cost, struct error *why);

/*
 * What one attempt on this algorithm costs, scrypt's parameters put into iterations. E_TOO_LARGE as
 * above; E_FORMAT when it cannot be read; E_CRYPTO when OpenSSL, as installed, does not know it.
 */
int pbe_cost(const X509_ALGOR *algorithm, uint64_t *ret, struct error *why);

/* One attempt; password may be NULL (PKCS#12 tells that from ""). True: it is open. */
typedef bool (*pbe_try_fn)(void *self, const char *password, int len);

/*
 * Tries the one that opened something before, the configured ones in their order, "" and NULL.
 * Returns 0; E_REFUSED when none opens it: the sentence is what to do about it, "that none of the
 * configured passwords opens: ..."; E_TOO_LARGE when it costs more than is left of PBE_WORK_MAX.
 */
int pbe_open(struct object_list *list, uint64_t cost, pbe_try_fn attempt, void *self,
             struct error *why);

/* Takes from what is left of PBE_WORK_MAX; false when it is not enough. */
bool pbe_pay(struct object_list *list, uint64_t cost);

#endif

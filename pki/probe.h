/*
 * A fresh TLS handshake with one address: what is served there, whoever signed it. Certificates are
 * not judged here.
 */
#ifndef UL_PKI_PROBE_H
#define UL_PKI_PROBE_H

#include "base/error.h"
#include "base/mem.h"
#include "pki/starttls.h"

enum {
    PROBE_ADDRESSES_MAX = 16,
    PROBE_ADDRESS_TEXT_MAX = 64,
    PROBE_RESOLVE_MS = 8000 /* the usual patience: the system's resolver asks the second name server
                               after 5 s */
};

/* One numeric socket address, and how people write it ("192.0.2.1:443", "[2001:db8::1]:443"). */
struct probe_address {
    uint8_t storage[128]; /* struct sockaddr_storage */
    size_t len;
    char text[PROBE_ADDRESS_TEXT_MAX];
};

struct probe_addresses {
    struct probe_address items[PROBE_ADDRESSES_MAX];
    size_t count;
};

/* All A and AAAA addresses of host (a name or an address) with port. E_NETWORK when there is none.
 * E_TIMEOUT when the system's resolver takes longer than timeout_ms, E_BUSY when 32 names wait for
 * it already: a resolver that was given up goes on in a thread of its own. */
int probe_resolve(const char *host, int port, int timeout_ms, struct probe_addresses *ret,
                  struct error *err);

struct probe_result {
    struct blobs sent; /* certificates in the order the server sent them, leaf first; DER */
    char protocol[16]; /* "TLSv1.3" */
};
void probe_result_done(struct probe_result *result);
#define AUTO_PROBE __attribute__((cleanup(probe_result_done)))

/* server_name is sent as SNI (RFC 6066 3) when it is a DNS name; NULL sends none. E_NETWORK,
 * E_TIMEOUT. Never resumes a session. The process must ignore SIGPIPE: a peer may be gone while
 * OpenSSL writes. Blocks its thread for timeout_ms at most; any number of threads may probe. */
int probe_handshake(const struct probe_address *address, const char *server_name, int timeout_ms,
                    struct probe_result *ret, struct error *err);

/* As probe_handshake, after what a protocol says before TLS. */
int probe_starttls(const struct probe_address *address, const char *server_name,
                   enum starttls protocol, int timeout_ms, struct probe_result *ret,
                   struct error *err);

#endif

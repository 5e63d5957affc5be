/*
 * The names a certificate is for (subjectAltName, RFC 5280 4.2.1.6) and which of them a certificate
 * covers (RFC 9525).
 */
#ifndef UL_PKI_NAMES_H
#define UL_PKI_NAMES_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"

enum name_type { NAME_DNS, NAME_IP, NAME_EMAIL, NAME_URI };

struct name {
    enum name_type type;
    char *
        text; /* DNS in lower case, wanted names without final dot; IP in its canonical text form */
};

struct names {
    struct name *items;
    size_t count;
};

void names_done(struct names *names);
#define AUTO_NAMES __attribute__((cleanup(names_done)))

/* "dns", "ip", "email", "uri" */
const char *name_type_text(enum name_type type);

/*
 * Adds a name after checking and normalising it; the same name twice is added once. E_INPUT says
 * what was wrong: a DNS name with characters other than letters, digits, "-" and one leading "*.",
 * labels over 63, an address that is none, an e-mail without one "@", a URI without scheme and
 * host.
 */
int names_add(struct names *names, enum name_type type, const char *text, struct error *err);
/* As names_add for "dns:www.example.com", "ip:192.0.2.1", ...; without a prefix an address is IP,
 * "@" is e-mail, "://" is URI, else DNS. */
int names_add_tagged(struct names *names, const char *text, struct error *err);

/*
 * Adds what a certificate says, raw: never refused for its form, only brought to the same case, so
 * that an odd name is shown and covers nothing. Bytes outside printable ASCII, spaces and
 * backslashes become \xHH. An IP is 4 or 16 bytes; another length is left out. False when a NUL is
 * inside, and nothing is added.
 */
bool names_add_found(struct names *names, enum name_type type, struct span raw);

void names_copy(const struct names *from, struct names *ret);

/* One wanted name is covered: equal, or a DNS wildcard whose "*" is the whole first label and
 * stands for exactly one label (RFC 9525 6.3). */
bool names_cover(const struct names *have, const struct name *wanted);

/* The first wanted name that is not covered, or NULL. */
const struct name *names_first_missing(const struct names *have, const struct names *wanted);

/* "dns:a, ip:b": owned by the caller. */
char *names_join(const struct names *names);

#endif

/*
 * The list of passwords that are tried on what a delivery locks, as people write it into a file.
 * One rule for the daemon's configuration and the command line: whatever a file opens with one, it
 * opens with the other.
 */
#ifndef UL_PKI_DELIVERY_PASSWORDS_H
#define UL_PKI_DELIVERY_PASSWORDS_H

#include "pki/delivery/delivery.h"

enum {
    PASSWORD_MAX = 128,            /* bytes of one */
    PASSWORDS_FILE_MAX = 16 << 10, /* bytes of a file of them */
};

/* Zeroed: none. */
struct passwords {
    char *items[DELIVERY_PASSWORDS_MAX];
    size_t count;
};

/*
 * One password from each line as it stands, blanks included, in their order; lines end with LF or
 * CR LF, the last one may end with the file. E_FORMAT for a blank line and what is not UTF-8,
 * E_TOO_LARGE past the limits. A complaint names file and line, never what stands there.
 */
int passwords_parse(const char *file, struct span text, struct passwords *ret, struct error *err);

/* Overwrites and frees them. */
void passwords_wipe(struct passwords *passwords);
#define AUTO_PASSWORDS __attribute__((cleanup(passwords_wipe)))

#endif

/*
 * Which addresses a URL from a stranger may lead to: those of the public internet, and what an
 * administrator allows by name. Everything inside (RFC 6890's special-purpose registries), and what
 * carries an inner address in an outer one, is refused.
 */
#ifndef UL_DAEMON_FETCH_ADDRESS_H
#define UL_DAEMON_FETCH_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Why an address must not be connected to, as the end of a sentence ("is a loopback address"); NULL
 * for a public one. Borrowed. */
const char *address_problem(const struct sockaddr *address, size_t len);

/* "192.0.2.0/24", "2001:db8::/32", "192.0.2.1": true when it can be read, whatever stands in it. */
bool address_is_range(const char *text);
/* True when the address lies in that range; an IPv4 address written as IPv6 (::ffff:0:0/96) counts
 * as what it is. */
bool address_in_range(const struct sockaddr *address, size_t len, const char *range);

#endif

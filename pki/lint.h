/*
 * The form that RFC 5280 section 4 asks of authorities, certificate by certificate: what is told by
 * the check, and refused by nobody else, since programs differ in what they make of it. For
 * pki/check.c only.
 */
#ifndef UL_PKI_LINT_H
#define UL_PKI_LINT_H

#include "pki/path.h"

enum lint_role { LINT_LEAF, LINT_AUTHORITY, LINT_ANCHOR };

/* hard: a "MUST" of the RFC that some program refuses; else only told. */
typedef void (*lint_tell_fn)(void *self, bool hard, const char *code, const char *text);

void lint_examine(const struct link *link, enum lint_role role, lint_tell_fn tell, void *self);

#endif

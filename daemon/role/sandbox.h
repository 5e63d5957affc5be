/*
 * What a process of a role gives up before it looks at a stranger's bytes or serves with a key.
 * Afterwards it can compute, ask for memory up to a limit, and read from and write to one socket;
 * anything else ends it.
 */
#ifndef UL_DAEMON_ROLE_SANDBOX_H
#define UL_DAEMON_ROLE_SANDBOX_H

#include "base/error.h"
#include "daemon/role/role.h"

/* The address sanitizer wants some more of the kernel, and a place to print to. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZER 1
#endif
#endif
#if defined __SANITIZE_ADDRESS__ && !defined SANDBOX_SANITIZER
#define SANDBOX_SANITIZER 1
#endif
#ifndef SANDBOX_SANITIZER
#define SANDBOX_SANITIZER 0
#endif

enum { SANDBOX_MEMORY_MAX = 256 << 20 }; /* address space */

/*
 * Confines the calling process, which has one thread and whose parent is alive, for good: limits
 * (memory, processor time, no file written, none opened, no process), as root an empty root folder,
 * namespaces of its own where the kernel allows them, and another user; no capability, no new
 * privilege, no debugger, no core dump, its parent's end is its own where the role says so; and a
 * filter of system calls that ends it on any other than those it needs. E_DENIED and E_IO name the
 * step that failed: then nothing foreign may be looked at, and no key used.
 */
int sandbox_enter(const struct role *role, struct error *err);

#endif

#include "daemon/role/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/mem.h"

enum { NOBODY = 65534 }; /* user and group */

static int limit(int resource, rlim_t most, const char *what, struct error *err)
{
    const struct rlimit both = {most, most};

    if (setrlimit((__rlimit_resource_t)resource, &both) < 0)
        return error_set_errno(err, errno, "confinement: limit of %s", what);
    return 0;
}

static int set_limits(const struct role *role, struct error *err)
{
    int rc = limit(RLIMIT_CORE, 0, "core dumps", err);

    if (rc == 0)
        rc = limit(RLIMIT_FSIZE, 0, "file sizes", err);
    if (rc == 0)
        rc = limit(RLIMIT_CPU, role->cpu_seconds_max, "processor time", err);
    if (rc == 0 && !SANDBOX_SANITIZER) /* whose shadow of the memory takes terabytes */
        rc = limit(RLIMIT_AS, SANDBOX_MEMORY_MAX, "memory", err);
    if (rc == 0)
        rc = limit(RLIMIT_NPROC, 0, "processes", err);
    return rc;
}

/*
 * Of root. The folder of a process's open files is there wherever /proc is, nothing can be made in
 * it, and it shows nothing but this process's own descriptors. Namespaces want CAP_SYS_ADMIN, which
 * the unit that is shipped takes away: they are a further wall, not the wall.
 */
static int leave_root(struct error *err)
{
    (void)unshare(CLONE_NEWNET);
    (void)unshare(CLONE_NEWIPC);
    if (chroot("/proc/self/fdinfo") < 0)
        return error_set_errno(err, errno, "confinement: empty root folder (CAP_SYS_CHROOT)");
    if (chdir("/") < 0)
        return error_set_errno(err, errno, "confinement: root folder");
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0)
        return error_set_errno(err, errno, "confinement: group %d (CAP_SETGID)", NOBODY);
    if (setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return error_set_errno(err, errno, "confinement: user %d (CAP_SETUID)", NOBODY);
    return 0;
}

/* Somebody else's user may have been given some too (AmbientCapabilities= of a unit). */
static int drop_capabilities(struct error *err)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
        syscall(SYS_capset, &head, none) < 0)
        return error_set_errno(err, errno, "confinement: capabilities");
    return 0;
}

/* After the change of user, which undoes the first two. */
static int set_attributes(const struct role *role, struct error *err)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "confinement: no debugger");
    if (role->ends_with_thread && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "confinement: end with the parent");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(err, errno, "confinement: no new privileges");
    return 0;
}

/* A system call that is allowed, always or when up to two arguments fit. */
struct rule {
    int call;
    unsigned checks;
    struct scmp_arg_cmp arguments[2];
};

static int add_rules(scmp_filter_ctx filter, const struct rule *rules, size_t count)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].checks,
                                    rules[i].arguments);
    return rc;
}

/* What computing needs: the socket, memory that is never executed, time, and a way to end. abort(3)
 * is among it, so that a full memory is told from a forbidden call. */
static int allow_needed(scmp_filter_ctx filter, int socket)
{
    /* Of an int the kernel looks at 32 bits, and libc may leave anything in the others. */
    const scmp_datum_t low = 0xFFFFFFFF;
    const scmp_datum_t fd = (scmp_datum_t)socket;
    const scmp_datum_t self = (scmp_datum_t)getpid();
    const struct rule rules[] = {
        {SCMP_SYS(read), 1, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, low, fd)}},
        {SCMP_SYS(sendto),
         2,
         {SCMP_A0_64(SCMP_CMP_MASKED_EQ, low, fd), SCMP_A4_64(SCMP_CMP_EQ, 0)}},
        {SCMP_SYS(write), 1, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, low, STDERR_FILENO)}},
        {SCMP_SYS(mmap), 1, {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        {SCMP_SYS(mprotect), 1, {SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
        {SCMP_SYS(munmap), 0, {{0}}},
        {SCMP_SYS(mremap), 0, {{0}}},
        {SCMP_SYS(brk), 0, {{0}}},
        {SCMP_SYS(madvise), 0, {{0}}},
        {SCMP_SYS(futex), 0, {{0}}},
        {SCMP_SYS(clock_gettime), 0, {{0}}},
        {SCMP_SYS(gettimeofday), 0, {{0}}},
        {SCMP_SYS(time), 0, {{0}}},
        {SCMP_SYS(getrandom), 0, {{0}}},
        {SCMP_SYS(sysinfo), 0, {{0}}}, /* qsort(3) asks how much memory there is */
        {SCMP_SYS(getpid), 0, {{0}}},
        {SCMP_SYS(gettid), 0, {{0}}},
        {SCMP_SYS(rt_sigprocmask), 0, {{0}}},
        {SCMP_SYS(tgkill), 1, {SCMP_A0_64(SCMP_CMP_MASKED_EQ, low, self)}},
        {SCMP_SYS(rt_sigreturn), 0, {{0}}},
        {SCMP_SYS(restart_syscall), 0, {{0}}},
        {SCMP_SYS(exit), 0, {{0}}},
        {SCMP_SYS(exit_group), 0, {{0}}},
    };

    return add_rules(filter, rules, COUNT_OF(rules));
}

/* What the address sanitizer asks for on its own, in builds with it alone. */
static int allow_sanitizer(scmp_filter_ctx filter)
{
    const struct rule rules[] = {
        {SCMP_SYS(rt_sigaction), 0, {{0}}}, {SCMP_SYS(sigaltstack), 0, {{0}}},
        {SCMP_SYS(sched_yield), 0, {{0}}},  {SCMP_SYS(readlink), 0, {{0}}},
        {SCMP_SYS(getrlimit), 0, {{0}}},    {SCMP_SYS(sched_getaffinity), 0, {{0}}},
    };

    return SANDBOX_SANITIZER ? add_rules(filter, rules, COUNT_OF(rules)) : 0;
}

static int filter_calls(int socket, struct error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int rc = filter ? 0 : -EINVAL;

    /* Calls by another architecture's numbers too: i386 and x32 on amd64. */
    if (rc == 0)
        rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = allow_needed(filter, socket);
    if (rc == 0)
        rc = allow_sanitizer(filter);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    if (rc < 0)
        return error_set_errno(err, -rc, "confinement: filter of system calls (seccomp)");
    return 0;
}

int sandbox_enter(const struct role *role, struct error *err)
{
    int rc = set_limits(role, err);

    if (rc == 0 && geteuid() == 0)
        rc = leave_root(err);
    if (rc == 0)
        rc = drop_capabilities(err);
    if (rc == 0)
        rc = set_attributes(role, err);
    /* What is open stays open; libseccomp opens nothing. */
    if (rc == 0)
        rc = limit(RLIMIT_NOFILE, 0, "open files", err);
    return rc == 0 ? filter_calls(ROLE_FD, err) : rc;
}

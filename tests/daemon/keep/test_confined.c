/* What a keeper cannot do, seen from outside and by trying it from inside, and what it and its
 * agent leave in memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "base/text.h"
#include "pki/memory.h"
#include "daemon/role/sandbox.h"
#include "tests/daemon/keep/harness.h"
#include "tests/pki/authority.h"
#include "tests/remains.h"

static struct error err;

static bool is_root(void)
{
    if (getuid() == 0)
        return true;
    printf("# skipped: wants root\n");
    return false;
}

static void look_from_outside(pid_t pid)
{
    static const char *const nothing[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
    static const char *const limits[] = {"Max core file size", "Max file size", "Max open files",
                                         "Max processes"};

    ck_assert_str_eq("unlapsed-keeper", harness_proc(pid, "status", "Name"));
    ck_assert_str_eq("2", harness_proc(pid, "status", "Seccomp"));
    ck_assert_str_eq("1", harness_proc(pid, "status", "NoNewPrivs"));
    ck_assert_str_eq("1", harness_proc(pid, "status", "Threads"));
    for (size_t i = 0; i < COUNT_OF(nothing); i++)
        ck_assert_str_eq("0000000000000000", harness_proc(pid, "status", nothing[i]));
    for (size_t i = 0; i < COUNT_OF(limits); i++)
        ck_assert_msg(strncmp(harness_proc(pid, "limits", limits[i]), "0 ", 2) == 0, "%s: %s",
                      limits[i], harness_proc(pid, "limits", limits[i]));
    if (!SANDBOX_SANITIZER)
        ck_assert_int_eq(
            0, strncmp(harness_proc(pid, "limits", "Max address space"), "268435456 ", 10));
}

/* Nobody may look into it, not even its own user: its files in /proc are root's. */
static void look_at_owner(pid_t pid)
{
    AUTO_FREE char *path = mem_printf("/proc/%d/mem", (int)pid);
    struct stat st;

    ck_assert_int_eq(0, stat(path, &st));
    ck_assert_uint_eq(0, st.st_uid);
}

/* Three times the null device, and the socket: the sealing key is closed. */
static void look_at_files(pid_t pid)
{
    for (int fd = 0; fd < 8; fd++) {
        AUTO_FREE char *path = mem_printf("/proc/%d/fd/%d", (int)pid, fd);
        char target[256] = "";
        ssize_t len = readlink(path, target, sizeof target - 1);

        if (SANDBOX_SANITIZER && fd == STDERR_FILENO)
            continue;
        if (fd < 3)
            ck_assert_str_eq("/dev/null", target);
        else if (fd == 3)
            ck_assert_ptr_nonnull(strstr(target, "socket:"));
        else
            ck_assert_int_lt(len, 0);
    }
}

START_TEST(outside_as_root)
{
    char root[128] = "";

    if (!is_root())
        return;
    ck_assert_int_ge(open("/etc/passwd", O_RDONLY), 0); /* NOLINT: left open to be inherited */
    struct keep *keep = harness_open((struct keep_options){0});
    harness_make_well(keep);
    pid_t pid = harness_child();
    look_from_outside(pid);
    look_at_owner(pid);
    look_at_files(pid);
    ck_assert_str_eq("65534\t65534\t65534\t65534", harness_proc(pid, "status", "Uid"));
    ck_assert_str_eq("65534\t65534\t65534\t65534", harness_proc(pid, "status", "Gid"));
    ck_assert_str_eq("", harness_proc(pid, "status", "Groups"));
    AUTO_FREE char *path = mem_printf("/proc/%d/root", (int)pid);
    ck_assert_int_gt(readlink(path, root, sizeof root - 1), 0);
    ck_assert_ptr_nonnull(strstr(root, "/fdinfo"));
    keep_close(keep);
}
END_TEST

/* Kilobytes that the keeper has locked, with so many allowed and nobody to raise the limit. */
static int64_t locked_with(rlim_t allowed)
{
    const struct rlimit limit = {allowed, allowed};
    int64_t locked = -1;

    if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return -1;
    struct keep *keep = harness_open((struct keep_options){0});
    harness_make_well(keep);
    AUTO_FREE char *text = mem_strdup(harness_proc(harness_child(), "status", "VmLck"));
    text[strspn(text, "0123456789")] = '\0';
    ck_assert(text_number(text, 0, INT32_MAX, &locked));
    keep_close(keep);
    return locked;
}

/* All of its memory stays out of the swap space where the limit allows it, the heap where that
 * fits, and where nothing fits it still works. */
START_TEST(locked_memory)
{
    if (SANDBOX_SANITIZER)
        return;
    int64_t all = locked_with(SANDBOX_MEMORY_MAX);
    if (all >= 0)
        ck_assert_int_gt(all, 16 << 10);
    else
        printf("# skipped in part: the limit of locked memory cannot be raised\n");
    harness_become_somebody();
    if (!harness_other_user())
        return;
    int64_t heap = locked_with(8 << 20);
    if (heap >= 0)
        ck_assert_int_gt(heap, 1 << 10);
    ck_assert_int_eq(0, locked_with(0));
}
END_TEST

START_TEST(outside_as_somebody)
{
    harness_become_somebody();
    if (!harness_other_user())
        return;
    struct keep *keep = harness_open((struct keep_options){0});
    harness_make_well(keep);
    look_from_outside(harness_child());
    look_at_owner(harness_child());
    keep_close(keep);
}
END_TEST

static const char *const forbidden[] = {
    "open", "write",  "socket", "connect",   "sendto", "stdout",    "clone",        "execve",
    "kill", "tgkill", "ptrace", "setrlimit", "setuid", "mmap-exec", "mprotect-exec"};

/* Each ends the keeper at each try, changes nothing else, and the next key is made. */
static void try_forbidden(const char *fault)
{
    struct keep *keep = harness_open((struct keep_options){0});

    ck_fails(harness_fault(keep, fault, &err), E_COMMAND,
             "the keeper ended by signal 31 (Bad system call) while it sealed");
    harness_make_well(keep);
    harness_child();
    ck_assert_int_ne(0, access("/tmp/unlapsed-fault", F_OK));
    keep_close(keep);
}

START_TEST(forbidden_as_root)
{
    try_forbidden(forbidden[_i]);
}
END_TEST

START_TEST(forbidden_as_somebody)
{
    harness_become_somebody();
    if (harness_other_user())
        try_forbidden(forbidden[_i]);
}
END_TEST

START_TEST(crashes)
{
    struct keep *keep = harness_open((struct keep_options){0});

    ck_fails(harness_fault(keep, "crash", &err), E_COMMAND, "ended by signal 11");
    ck_fails(harness_fault(keep, "exit", &err), E_COMMAND, "ended with exit status 7");
    if (!SANDBOX_SANITIZER)
        ck_fails(harness_fault(keep, "allocate", &err), E_COMMAND, "ended by signal 6");
    harness_make_well(keep);
    keep_close(keep);
}
END_TEST

/* No key is used by one that could not be confined; of a new installation only its sealing key is
 * there then. */
START_TEST(unconfined_does_nothing)
{
    struct keep *keep = NULL;

    if (!is_root())
        return;
    ck_assert_int_eq(0, prctl(PR_CAPBSET_DROP, CAP_SYS_CHROOT, 0, 0, 0));
    ck_fails(harness_try((struct keep_options){0}, &keep, &err), E_DENIED,
             "keeper: confinement: empty root folder (CAP_SYS_CHROOT)");
    ck_assert_uint_eq(0, harness_children(getpid(), (pid_t[1]){0}, 1));
}
END_TEST

START_TEST(by_hand)
{
    AUTO_PROC struct proc_result result = {0};
    AUTO_FREE char *program = mem_printf("%s/daemon/unlapsed", getenv("BUILD_ROOT"));
    const char *const argv[] = {program, "--role=keeper", NULL};

    ck_ok(proc_run(argv, 30, &result, &err));
    ck_assert_int_eq(2, result.exit_status);
    ck_assert_ptr_nonnull(strstr(buf_text(&result.output), "not started by hand"));
}
END_TEST

/* One that waits, and one that makes a long key. */
START_TEST(ends_with_the_agent)
{
    pid_t keepers[4];
    int ready[2], status;
    char byte;

    ck_assert_int_eq(0, pipe(ready));
    pid_t agent = fork();
    if (agent == 0) {
        struct sealed_key key = {0};
        struct blob csr = {0};
        struct keep *keep = harness_open((struct keep_options){0});

        harness_make_well(harness_open((struct keep_options){0}));
        ck_assert_int_eq(1, write(ready[1], "", 1));
        for (;;)
            harness_make(keep, KEY_RSA_4096, &key, &csr, &err);
    }
    ck_assert_int_eq(1, read(ready[0], &byte, 1));
    ck_assert_uint_eq(2, harness_children(agent, keepers, COUNT_OF(keepers)));
    usleep(200000);
    ck_assert_int_eq(0, kill(agent, SIGKILL));
    ck_assert_int_eq(agent, waitpid(agent, &status, 0));
    /* Check's time limit ends this. */
    for (size_t i = 0; i < 2; i++)
        while (strcmp(harness_proc(keepers[i], "status", "Name"), "unlapsed-keeper") == 0 &&
               harness_proc(keepers[i], "status", "State")[0] != 'Z')
            usleep(10000);
}
END_TEST

/* The middle of a key in PEM: of the private number, which the beginning holds. */
static void remember_pem(struct span pem)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----\n";

    ck_assert(pem.len > 120 && memcmp(pem.data, begin, strlen(begin)) == 0);
    /* RFC 5958 and RFC 5915: it stands at 36 to 67 of the DER, 48 to 90 of the base64. */
    remains_remember(span_of(pem.data + strlen(begin) + 48, 16));
}

/*
 * A key goes from the keeper through a message into a bundle, and an imported one into a message
 * and the keeper. When the caller has wiped what is his, no copy is left in the agent, nor, where
 * root may look, in the keeper.
 */
START_TEST(messages_are_wiped)
{
    const struct blobs chain = {0};
    struct sealed_key key = {0};
    struct bundle bundle = {0};
    size_t bytes = 0;

    ck_ok(crypto_wipe_freed(&err));
    struct keep *keep = harness_open((struct keep_options){0});
    AUTO_BLOB struct blob csr = {0};
    ck_ok(harness_make(keep, KEY_EC_P256, &key, &csr, &err));
    const struct authority *root =
        authority_make(NULL, &(struct authority_plan){.subject = "R", .ca = true});
    struct span leaf =
        authority_der(authority_make(root, &(struct authority_plan){.csr = blob_span(&csr)}));
    ck_ok(keep_build_bundle(keep, HARNESS_RENEWAL, &key, leaf, &chain, &bundle, &err));
    remember_pem(blob_span(&bundle.parts[BUNDLE_KEY]));
    /* "key" and "combined" hold it: the search finds what is there. */
    ck_assert_uint_eq(2, remains_count(0, &bytes));
    sealed_key_done(&key);
    ck_ok(keep_seal(keep, HARNESS_RENEWAL, blob_span(&bundle.parts[BUNDLE_KEY]), &key, &err));
    ck_assert_uint_eq(2, remains_count(0, &bytes));
    ck_assert_uint_eq(0, remains_count(harness_child(), &bytes));
    if (is_root())
        ck_assert_uint_gt(bytes, 100000);
    bundle_done(&bundle);
    ck_assert_uint_eq(0, remains_count(0, &bytes));
    ck_assert_uint_gt(bytes, 100000);
    sealed_key_done(&key);
    keep_close(keep);
    authority_done();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("confined");
    TCase *tcase = tcase_create("confined");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_test(tcase, outside_as_root);
    tcase_add_test(tcase, outside_as_somebody);
    tcase_add_test(tcase, locked_memory);
    tcase_add_loop_test(tcase, forbidden_as_root, 0, COUNT_OF(forbidden));
    tcase_add_loop_test(tcase, forbidden_as_somebody, 0, COUNT_OF(forbidden));
    tcase_add_test(tcase, crashes);
    tcase_add_test(tcase, unconfined_does_nothing);
    tcase_add_test(tcase, by_hand);
    tcase_add_test(tcase, ends_with_the_agent);
    if (SANDBOX_SANITIZER) {
        (void)messages_are_wiped;
        puts("# the memory is not searched: AddressSanitizer keeps a heap of its own");
    } else {
        tcase_add_test(tcase, messages_are_wiped);
    }
    suite_add_tcase(suite, tcase);
    return testing_run(suite);
}

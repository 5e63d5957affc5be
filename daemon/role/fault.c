#include "daemon/role/fault.h"

#include <string.h>

#ifdef UNLAPSED_FAULTS

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

#define MARK "unlapsed-fault: "

static void crash(void)
{
    raise(SIGSEGV);
}

static void spin(void)
{
    for (volatile unsigned i = 0;; i++)
        ;
}

/* Half a second of work, and then an ordinary file. */
static void dawdle(void)
{
    struct timespec used = {0};

    for (clock_t begun = clock(); clock() - begun < CLOCKS_PER_SEC / 2;)
        clock_gettime(CLOCK_MONOTONIC, &used);
}

static void hang(void)
{
    char never;

    while (read(3, &never, 1) != 0)
        ;
}

static void allocate(void)
{
    for (;;)
        memset(mem_alloc(1 << 20, 1), 1, 1 << 20);
}

static void leave_quietly(void)
{
    _exit(7);
}

/* What follows is forbidden; each returns when it was not stopped. */

static void open_file(void)
{
    (void)open("/etc/passwd", O_RDONLY);
}

static void write_file(void)
{
    (void)open("/tmp/unlapsed-fault", O_WRONLY | O_CREAT, 0600);
}

static void make_socket(void)
{
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void connect_out(void)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};

    (void)connect(3, (const struct sockaddr *)&to, sizeof to);
}

static void send_away(void)
{
    const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};

    (void)sendto(3, "", 1, 0, (const struct sockaddr *)&to, sizeof to);
}

static void write_elsewhere(void)
{
    (void)!write(1, "", 1);
}

static void make_process(void)
{
    if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) == 0)
        _exit(0);
}

static void run_program(void)
{
    static char name[] = "true";
    char *const arguments[] = {name, NULL};

    (void)execve("/bin/true", arguments, NULL);
}

static void end_parent(void)
{
    (void)kill(getppid(), 0);
}

static void end_others(void)
{
    (void)syscall(SYS_tgkill, 1, 1, 0);
}

static void trace_parent(void)
{
    (void)ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static void raise_limits(void)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};

    (void)setrlimit(RLIMIT_CPU, &none);
}

static void become_root(void)
{
    (void)syscall(SYS_setuid, 0);
}

static void make_code(void)
{
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void turn_to_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static const struct {
    const char *name;
    void (*commit)(void);
} faults[] = {
    {"crash", crash},         {"spin", spin},           {"dawdle", dawdle},
    {"hang", hang},           {"allocate", allocate},   {"exit", leave_quietly},
    {"open", open_file},      {"write", write_file},    {"socket", make_socket},
    {"connect", connect_out}, {"sendto", send_away},    {"stdout", write_elsewhere},
    {"clone", make_process},  {"execve", run_program},  {"kill", end_parent},
    {"tgkill", end_others},   {"ptrace", trace_parent}, {"setrlimit", raise_limits},
    {"setuid", become_root},  {"mmap-exec", make_code}, {"mprotect-exec", turn_to_code},
};

/* Raw messages in place of an answer: "answer KIND LENGTH BYTES", numbers in decimal. */
static bool answer_as_told(const char *text, const struct channel *channel)
{
    int64_t kind = 0;
    char word[16] = "";
    size_t len = strcspn(text, " ");

    if (len < sizeof word)
        memcpy(word, text, len);
    if (!text_number(word, 0, INT32_MAX, &kind) || text[len] != ' ')
        return false;
    text += len + 1;
    return channel_send(channel, (uint32_t)kind, span_of(text, strlen(text)));
}

bool fault_commit(struct span file, const struct channel *channel)
{
    char text[4096] = "";
    size_t mark = strlen(MARK);

    if (file.len <= mark || file.len >= sizeof text || memcmp(file.data, MARK, mark) != 0)
        return false;
    memcpy(text, file.data + mark, file.len - mark);
    if (text_starts(text, "answer "))
        return answer_as_told(text + strlen("answer "), channel);
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (strcmp(text, faults[i].name) == 0)
            faults[i].commit();
    return false;
}

#else

bool fault_commit(struct span file, const struct channel *channel)
{
    (void)file;
    (void)channel;
    return false;
}

#endif

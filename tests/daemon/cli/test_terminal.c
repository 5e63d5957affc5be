/* What a person at a terminal sees. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/cli/term.h"
#include "tests/daemon/cli/run.h"

static struct server server;

static void fill(struct harness *harness)
{
    harness->now = HARNESS_NOW;
    harness_www(harness);
}

static void setup(void)
{
    server_start(&server, fill);
}

static void teardown(void)
{
    server_stop(&server);
}

/* Runs with a terminal of so many columns; what it showed is in out. */
static struct ran run_in(unsigned short columns, const char *const words[])
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char text[16384] = "";
    struct winsize size = {.ws_row = 24, .ws_col = columns};

    ck_assert_int_ge(master, 0);
    ck_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(ioctl(slave, TIOCSWINSZ, &size), 0);
    struct ran ran = run_argv(&server, slave, words);
    /* The program has ended: all it wrote is there. */
    fcntl(master, F_SETFL, O_NONBLOCK);
    ssize_t got = read(master, text, sizeof text - 1);
    free(ran.out);
    ran.out = mem_printf("%.*s", got > 0 ? (int)got : 0, text);
    close(slave);
    close(master);
    return ran;
}

static const char *const list[] = {"list", NULL};
static const char *const list_plain[] = {"--no-color", "list", NULL};

START_TEST(a_terminal_has_colours)
{
    unsetenv("NO_COLOR");
    AUTO_RAN struct ran ran = run_in(120, list);
    ck_ran(ran, 0);
    ck_says(ran.out, "\033[32mok\033[0m");
    AUTO_RAN struct ran option = run_in(120, list_plain);
    ck_assert_ptr_null(strchr(option.out, '\033'));
    setenv("NO_COLOR", "1", 1);
    AUTO_RAN struct ran none = run_in(120, list);
    ck_assert_ptr_null(strchr(none.out, '\033'));
    setenv("NO_COLOR", "", 1);
    AUTO_RAN struct ran empty = run_in(120, list);
    ck_says(empty.out, "\033[32mok\033[0m");
    setenv("TERM", "dumb", 1);
    AUTO_RAN struct ran dumb = run_in(120, list);
    ck_assert_ptr_null(strchr(dumb.out, '\033'));
}
END_TEST

START_TEST(lines_fit_the_terminal)
{
    setenv("NO_COLOR", "1", 1);
    for (unsigned short columns = 50; columns <= 120; columns += 10) {
        AUTO_RAN struct ran ran = run_in(columns, list);
        char *rest = ran.out, *line;

        while ((line = strsep(&rest, "\r\n")))
            ck_assert_msg(text_columns(line) <= columns, "%d columns: %s", columns, line);
    }
    AUTO_RAN struct ran narrow = run_in(50, list);
    ck_says(narrow.out, "…");
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("cli-terminal");
    TCase *tcase = tcase_create("terminal");

    tcase_set_timeout(tcase, TESTING_SLOW_SECONDS);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_terminal_has_colours);
    tcase_add_test(tcase, lines_fit_the_terminal);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return testing_run(suite());
}

#include "daemon/jump.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

/* timerfd_create(2): a timer of the wall clock that is far away is cancelled when that clock makes
 * a discontinuous change, and says so. */
static int arm(int fd)
{
    const struct itimerspec far = {.it_value = {.tv_sec = INT32_MAX}};

    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct jump *jump = poll->data;
    uint64_t count;

    (void)status;
    (void)events;
    if (read(jump->fd, &count, sizeof count) >= 0 || errno != ECANCELED)
        return;
    log_notice("clock-set", "the clock was set, or the machine has slept: looking for due work");
    arm(jump->fd);
    jump->fn(jump->self);
}

void jump_init(struct jump *jump, uv_loop_t *loop)
{
    AUTO_FD int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

    jump->fd = -1;
    if (fd < 0 || arm(fd) < 0) {
        log_warn("clock-not-watched", "timerfd: %s: due work is looked for once a day",
                 strerrorname_np(errno));
        return;
    }
    jump->fd = fd;
    fd = -1;
    uv_poll_init(loop, &jump->poll, jump->fd);
    jump->poll.data = jump;
    uv_poll_start(&jump->poll, UV_READABLE, on_readable);
}

void jump_done(struct jump *jump)
{
    file_close(&jump->fd);
}

#!/usr/bin/env python3
"""A daemon with nothing to do sleeps: no thread of it wakes up, and its loop asks for no early time."""
import os
import time

from tap import Skip, run_tests
from lab import Lab

SLEEPS = {"232": 3, "281": 3, "441": None}  # epoll_wait, epoll_pwait: which argument is the time, in ms
TIDY_SECONDS = 31  # an idle reader is ended once, half a minute after the start


def switches(pid):
    """How often any thread went to sleep."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as text:
            total += next(int(line.split()[1]) for line in text if line.startswith("voluntary_ctxt_switches"))
    return total


def asked_for(pid):
    """Milliseconds that the main thread has asked the kernel to let it sleep; None while it does something."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="ascii") as text:
            words = text.read().split()
    except PermissionError:
        raise Skip("needs root: /proc/PID/syscall") from None
    if words[0] not in SLEEPS or SLEEPS[words[0]] is None:
        return None
    time_ms = int(words[1 + SLEEPS[words[0]]], 16) & 0xFFFFFFFF
    return float("inf") if time_ms == 0xFFFFFFFF else time_ms


def test_nothing_due_wakes_nobody(lab):
    """Nothing due: no thread wakes up, and the loop asks for no early time."""
    if os.uname().machine != "x86_64":
        raise Skip("knows the system calls of x86_64 only")
    lab.write_config()
    lab.start_daemon()
    pid = lab.running["unlapsed"].pid
    began = time.monotonic()
    # The work of the start comes to rest.
    last, since = None, began
    while time.monotonic() - since < 2 and time.monotonic() - began < 20:
        now = switches(pid)
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.2)
    assert switches(pid) == last, "it wakes up although nothing is due"
    left = TIDY_SECONDS - (time.monotonic() - began)
    asked = asked_for(pid)
    assert asked is not None, "it is not asleep"
    assert asked > min(left, 20) * 1000, f"it asked to be woken up after {asked} ms"


if __name__ == "__main__":
    run_tests((test_nothing_due_wakes_nobody, lambda: Lab(scan="1h")))

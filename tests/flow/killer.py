"""Kills the daemon at a chosen instant of the road: after a time, at a line of its log, or at a change of its files.

A thread waits for the instant and sends SIGKILL; whoever drives the road sees the daemon gone and looks after the
rest. Changes of files come from inotify(7), which python3 has no module for: every write to the write-ahead log of
the inventory, every file that is staged, renamed or filed is an instant of its own.
"""
import collections
import ctypes
import os
import select
import signal
import struct
import threading
import time

CHANGES = 0x2 | 0x40 | 0x80 | 0x100 | 0x200  # IN_MODIFY MOVED_FROM MOVED_TO CREATE DELETE; a death closes files

# when: "time" (after `at` seconds), "log" (the `at`-th line of that kind, counting from 1) or "file" (the `at`-th
# change in that group of files); the kill follows `delay` seconds later. "call" is not ours: strace kills, before the
# `at`-th system call of that name.
Instant = collections.namedtuple("Instant", "when what at delay")


class Changes:
    """What happens to the daemon's files: (group, name) of each change."""

    def __init__(self, folders):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.groups = {}
        self.missing = list(folders)

    def watch(self):
        """Some folders are only made by the first start of the daemon."""
        for group, folder in list(self.missing):
            watch = self.libc.inotify_add_watch(self.fd, folder.encode(), CHANGES) if os.path.isdir(folder) else -1
            if watch >= 0:
                self.groups[watch] = group
                self.missing.remove((group, folder))

    def wait(self, seconds):
        self.watch()
        ready, _, _ = select.select([self.fd], [], [], max(0, seconds))
        data = os.read(self.fd, 65536) if ready else b""
        found = []
        while data:
            watch, _, _, length = struct.unpack_from("iIII", data)
            found.append((self.groups.get(watch, ""), os.fsdecode(data[16:16 + length].rstrip(b"\0"))))
            data = data[16 + length:]
        return found

    def close(self):
        os.close(self.fd)


def group_of(folder, name):
    """The group that a change counts for; None for those of others (nginx, the clients, SQLite's shared memory)."""
    if folder == "live":
        return "live" if name.startswith((".www.", "www.")) else None
    if folder == "state":
        return "state" if name in ("inventory.db", "inventory.db-wal") else None
    if folder == "lab":
        return "log" if name == "unlapsed.log" else None
    return folder


class Killer(threading.Thread):
    """Waits for one instant. With none it only counts what could have been one."""

    def __init__(self, lab, instant=None):
        super().__init__(daemon=True)
        self.lab, self.instant = lab, instant
        self.count = collections.Counter()
        self.fired = threading.Event()
        self.ended = threading.Event()
        self.last = "nothing"
        self.changes = Changes([("lab", lab.folder), ("live", lab.path("nginx")), ("state", lab.path("state")),
                                ("drop", lab.path("state/drop")), ("drop", lab.path("state/drop/accepted")),
                                ("requests", lab.path("state/requests"))])
        self.changes.watch()
        self.log_at = os.path.getsize(lab.log) if os.path.exists(lab.log) else 0
        self.began = time.monotonic()
        self.start()

    def run(self):
        while not self.ended.is_set() and not self.fired.is_set():
            wait = 0.05 if not self.changes.missing else 0.002
            if self.instant and self.instant.when == "time":
                left = self.began + self.instant.at - time.monotonic()
                if left <= 0:
                    self.fire()
                    continue
                wait = min(wait, left)
            for folder, name in self.changes.wait(wait):
                self.take(group_of(folder, name), name)
        self.changes.close()

    def take(self, group, name):
        if group == "log":
            for kind in self.new_kinds():
                self.happened("log", kind, f"log {kind}")
        elif group:
            if name in ("www.key", "www.crt"):
                self.happened("file", "pair", f"pair {name}")
            self.happened("file", group, f"{group} {name}")

    def new_kinds(self):
        """The kinds of the log lines that are new: the second word of each."""
        with open(self.lab.log, "rb") as log:
            log.seek(self.log_at)
            data = log.read()
        whole = data[:data.rfind(b"\n") + 1]
        self.log_at += len(whole)
        words = [line.split(None, 2) for line in whole.decode("utf-8", "replace").splitlines()]
        return [line[1].rstrip(":") for line in words if len(line) > 1]

    def happened(self, when, what, text):
        if self.fired.is_set():
            return
        self.last = text
        self.count[(when, what)] += 1
        instant = self.instant
        if instant and (instant.when, instant.what) == (when, what) and self.count[(when, what)] == instant.at:
            time.sleep(instant.delay)
            self.fire()

    def fire(self):
        """kill -9, now, when a daemon runs."""
        child = self.lab.running.get("unlapsed")
        if child is None or child.poll() is not None or self.fired.is_set():
            time.sleep(0.001)
            return
        os.kill(child.pid, signal.SIGKILL)
        self.fired.set()

    def end(self):
        self.ended.set()
        self.join()

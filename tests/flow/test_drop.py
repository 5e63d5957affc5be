#!/usr/bin/env python3
"""The drop folder of a running daemon: thousands of files at once, hostile names, slow writers, a folder that goes away,
a full disk, a read-only share, and kill -9 in the middle of it. What holds each time: every file is answered exactly
once, none is lost, and what ails the folder is told once."""
import collections
import ctypes
import glob
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time

from tap import Skip, run_tests
from authority import to_pem
from lab import Lab
from soak import HAS_STRACE

RUBBISH = b"Dear customer, thank you for order %d.\n"


class Bare(Lab):
    """The daemon alone: no nginx, no mail server."""

    def begin(self, *argv):
        self.write_config()
        self.start_daemon(*argv)

    def inside(self, *names):
        return self.path(os.path.join("state/drop", *names))

    def put(self, name, data):
        """By rename, as a careful program does; any bytes in the name."""
        ready = self.path("ready")
        with open(ready, "wb") as out:
            out.write(data)
        os.rename(ready, os.path.join(os.fsencode(self.inside()), os.fsencode(name)))

    def put_here(self, name, data):
        """Within the file system of the folder."""
        with open(self.inside(name + ".part"), "wb") as out:
            out.write(data)
        os.rename(self.inside(name + ".part"), self.inside(name))

    def rows(self):
        """Every delivery of the inventory: (name, sha256, accepted, receipt, filed name or None)."""
        with sqlite3.connect(f"file:{self.path('state/inventory.db')}?mode=ro", uri=True) as inventory:
            return [(bytes(name), bytes(sha), bool(yes), receipt, filed and bytes(filed)) for name, sha, yes, receipt, filed
                    in inventory.execute("SELECT name, sha256, accepted, receipt, filed_name FROM deliveries ORDER BY id")]

    def waiting(self):
        return [entry.name for entry in os.scandir(self.inside()) if entry.is_file(follow_symlinks=False)]

    def all_filed(self):
        return not self.waiting() and all(row[4] for row in self.rows())

    def check_answered(self, dropped):
        """dropped: {name: content}. Each has one row, lies in its folder with its content, and its receipt is the
        one that the inventory holds."""
        rows = self.rows()
        names = collections.Counter(row[0] for row in rows)
        assert names == collections.Counter(os.fsencode(name) for name in dropped), \
            f"not once each: {[(name, count) for name, count in names.items() if count != 1][:5]}, {len(rows)} rows"
        for name, sha, accepted, receipt, filed in rows:
            path = os.path.join(os.fsencode(self.inside("accepted" if accepted else "rejected")), filed)
            with open(path, "rb") as data:
                content = data.read()
            assert content == dropped[os.fsdecode(name)], name
            assert hashlib.sha256(content).digest() == sha, name
            with open(path + b".txt", "rb") as text:
                assert text.read().decode("utf-8") == receipt, name
        left = glob.glob(self.inside("*", ".unlapsed*"))
        assert not left, left

    def status(self):
        code, _, data = self.unlapse("status", "--json")
        assert code == 0, self.complaint
        return data["drop"]

    def count_log(self, text):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return sum(text in line for line in log)


def make_bare():
    return Bare(settle="1s", scan="1s")


def make_unhurried():
    """Only what the kernel tells makes it look."""
    return Bare(settle="1s", scan="1d")


def make_full():
    return Bare(remaining=40 * 86400, lead="1d", lifetime=90 * 86400)


def rubbish(count, seed=0):
    """{name: content}; every content comes twice."""
    return {f"order {seed}-{number:05d}.txt": RUBBISH % (number % (count // 2)) for number in range(count)}


def thousands(lab):
    """Two thousand files at once, the awaited answer among them: all are answered, the service is served, a handful of
    mails is sent, and the daemon answers and reloads meanwhile."""
    lab.start()
    lab.add()
    old = lab.served().serial
    csr = lab.renew()
    dropped = rubbish(2000)
    dropped["answer.pem"] = to_pem(lab.authority.sign(csr, lab.lifetime)) + lab.authority.pem(lab.authority.intermediate)
    for name, data in dropped.items():
        lab.put(name, data)
    lab.wait_for(lambda: len(lab.waiting()) < 1800, 60, "the first to be taken")
    lab.reload_daemon()
    lab.wait_for(lambda: lab.logged("the new configuration is in force"), 60, "the reload in the middle")
    lab.wait_for(lab.all_filed, 120, "all to be filed")
    lab.wait_for(lambda: lab.served().serial != old, 60, "the new certificate to be served")
    lab.check_answered(dropped)
    lab.wait_for(lambda: len(lab.mails("unusable")) >= 21, 60, "the mails")
    time.sleep(2)
    assert len(lab.mails("unusable")) == 21, len(lab.mails("unusable"))
    collected = lab.text_of(lab.mails("unusable")[-1])
    assert "More than twenty files were rejected" in collected and "rejected" in collected, collected


def stop_and_go_on(lab):
    """SIGTERM in the middle ends the daemon between two batches, and the next start goes on."""
    lab.begin()
    dropped = rubbish(1500)
    for name, data in dropped.items():
        lab.put(name, data)
    lab.wait_for(lambda: len(lab.waiting()) < 1400, 60, "the first to be taken")
    assert lab.end("unlapsed", patience=20) == 0
    assert lab.waiting(), "it took all of them before it ended"
    lab.start_daemon()
    lab.wait_for(lab.all_filed, 120, "the rest to be taken")
    lab.check_answered(dropped)


def copies(lab):
    """Copies of one file under many names are answered one by one, like any others."""
    lab.begin()
    dropped = {f"copy {number}.pem": b"the same\n" for number in range(300)}
    for name, data in dropped.items():
        lab.put(name, data)
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 300, 60, "all to be filed")
    lab.check_answered(dropped)


def overflowed(queue):
    """Whether a full queue of events ends with the one that says that others were lost (inotify(7))."""
    while True:
        events = os.read(queue, 65536)
        at = 0
        while at < len(events):
            _, mask, _, length = struct.unpack_from("iIII", events, at)
            if mask & 0x4000:    # IN_Q_OVERFLOW
                return True
            at += 16 + length


def queue_overflows(lab):
    """More happens in the folder than the kernel can tell: what was dropped after its queue was full is found, too."""
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as text:
        most = int(text.read())
    if most > 100000:
        raise Skip(f"the queue holds {most} events")
    lab.begin()
    libc = ctypes.CDLL(None, use_errno=True)
    twin = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(twin, os.fsencode(lab.inside()), 0x80) >= 0    # IN_MOVED_TO
    names = [lab.inside(".one"), lab.inside(".other")]
    with open(names[0], "wb"):
        pass
    time.sleep(2)   # its looks after the start are over
    daemon = lab.running["unlapsed"]
    daemon.send_signal(signal.SIGSTOP)
    try:
        for number in range(most + 10):
            os.rename(names[number % 2], names[1 - number % 2])
        dropped = rubbish(20)
        for name, data in dropped.items():
            lab.put(name, data)
    finally:
        daemon.send_signal(signal.SIGCONT)
    assert overflowed(twin), "it held them all"
    os.close(twin)
    os.unlink(names[most % 2])
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 20, 60, "all to be filed")
    lab.check_answered(dropped)


HOSTILE = ["new\nline.pem", "quote\"'`$(id).pem", "\x1b[31mred\x1b[0m.pem", "\x07\x08\x7f.pem", b"\xff\xfe\xc3.pem", b"\xc0\xaf",
           "x" * 255, "é" * 127, "x.pem.txt", "x.pem", "-rf", "--help", " ", "   ", "%s%n%p", "a\\b", "\u202emep.exe",
           "\u2028sep.pem", "CON", "a\tb", "{host}", "<b>.html", "\r\nSubject: x", "accepted.txt", "name\x80.crt"]


def hostile_names(lab):
    """Any bytes in a name: answered, and shown escaped in receipts, log, events and the API."""
    lab.begin()
    dropped = {}
    for number, name in enumerate(HOSTILE):
        data = RUBBISH % number
        lab.put(name, data)
        dropped[os.fsdecode(name)] = data
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == len(HOSTILE), 60, "all to be filed")
    lab.check_answered(dropped)
    for path in glob.glob(os.path.join(os.fsencode(lab.inside("rejected")), b"*.txt")):
        with open(path, "rb") as text:
            receipt = text.read()
        if receipt.startswith(b"Dear customer"):
            continue
        text = receipt.decode("utf-8")
        first = text.splitlines()[0]
        assert ", taken on " in first and first.isprintable(), repr(first)
    with open(lab.log, "rb") as log:
        lines = log.read().decode("utf-8").split("\n")
    assert all(line.isprintable() for line in lines), [line for line in lines if not line.isprintable()]
    done = subprocess.run([lab.program("unlapse"), "--socket", lab.socket, "status", "--json"], stdout=subprocess.PIPE,
                          check=True)
    json.loads(done.stdout.decode("utf-8"))
    with sqlite3.connect(f"file:{lab.path('state/inventory.db')}?mode=ro", uri=True) as inventory:
        texts = [row[0] for row in inventory.execute("SELECT text FROM events UNION ALL SELECT fields FROM notices")]
    assert len(texts) >= len(HOSTILE), texts
    assert all(line.isprintable() for text in texts for line in text.split("\n")), \
        [text for text in texts if not text.isprintable()]


def odd_things(lab):
    """Links, pipes and a file with two names are put aside with a reason; a folder is told and left alone."""
    lab.begin()
    secret = lab.path("secret")
    with open(secret, "wb") as out:
        out.write(b"secret")
    os.symlink(secret, lab.inside("link.pem"))
    os.link(secret, lab.inside("hard.pem"))
    os.mkfifo(lab.inside("pipe.pem"))
    os.mkdir(lab.inside("certs"))
    with open(lab.inside("certs", "inside.pem"), "wb") as out:
        out.write(b"x")
    with open(lab.inside("large.zip"), "wb") as out:
        out.truncate((10 << 20) + 1)
    wanted = {"link.pem": "symbolic link", "hard.pem": "hard link", "pipe.pem": "named pipe", "large.zip": "10 MiB"}
    for name, words in wanted.items():
        lab.wait_for(lambda name=name: lab.receipt(name, accepted=False), 30, f"the receipt of {name}")
        assert words in lab.receipt(name, accepted=False), lab.receipt(name, accepted=False)
    with open(secret, "rb") as data:
        assert data.read() == b"secret"
    assert os.path.islink(lab.inside("rejected/link.pem"))
    assert "1 folder in it is not looked into (certs)" in lab.status()["note"], lab.status()
    assert "drop the files themselves" in lab.must("status")
    assert os.path.exists(lab.inside("certs/inside.pem"))
    lab.wait_for(lambda: lab.count_log("drop-note") == 1, 10, "the folder to be logged")
    time.sleep(3)
    assert lab.count_log("drop-note") == 1
    shutil.rmtree(lab.inside("certs"))
    lab.wait_for(lambda: lab.status()["note"] is None, 10, "the note to go")


def slow_writers(lab):
    """A file that grows, one that is reserved with zeros and filled later, and one that is renamed in: none is taken
    before it is whole."""
    lab.begin()
    whole = RUBBISH % 7 * 40
    with open(lab.inside("grows.txt"), "wb", buffering=0) as grows, open(lab.inside("zeros.txt"), "wb", buffering=0) as zeros:
        zeros.truncate(len(whole))
        for at in range(0, len(whole), len(whole) // 8):
            grows.write(whole[at:at + len(whole) // 8])
            time.sleep(0.5)
        assert os.path.exists(lab.inside("zeros.txt")), "zeros were taken"
        zeros.write(whole)
    lab.put("renamed.txt.part", whole)
    time.sleep(2)
    assert os.path.exists(lab.inside("renamed.txt.part"))
    os.rename(lab.inside("renamed.txt.part"), lab.inside("renamed.txt"))
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 3, 60, "all to be filed")
    lab.check_answered({name: whole for name in ("grows.txt", "zeros.txt", "renamed.txt")})


def told(lab, words):
    lab.wait_for(lambda: words in (lab.status()["trouble"] or ""), 30, f"status to say {words!r}")
    assert words in lab.must("status"), lab.must("status")


def well(lab):
    lab.wait_for(lambda: lab.status()["trouble"] is None, 90, "the folder to work again")


def folder_comes_and_goes(lab):
    """The folder is taken away, replaced by a link, by a file, and put back, before the start too: told once each,
    resumed by itself, no file lost."""
    lab.begin()
    dropped = rubbish(20)
    away, drop = lab.path("away"), lab.inside()
    for name in list(dropped)[:10]:
        lab.put(name, dropped[name])
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 10, 60, "the first half")
    os.rename(drop, away)
    told(lab, "No such file or directory")
    time.sleep(5)
    assert lab.count_log("drop-trouble") == 1, "told more than once"
    os.symlink(away, drop)
    told(lab, "got a symbolic link")
    os.unlink(drop)
    with open(drop, "wb"):
        pass
    told(lab, "got a file")
    lab.restart()
    told(lab, "got a file")
    assert lab.count_log("drop-trouble") == 3, "a restart tells it again"
    os.unlink(drop)
    os.rename(away, drop)
    for name in list(dropped)[10:]:
        lab.put(name, dropped[name])
    well(lab)
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 20, 60, "the second half")
    lab.check_answered(dropped)
    assert lab.count_log("drop-works") == 1
    os.rename(lab.inside("rejected"), lab.path("rejected"))
    os.symlink(lab.path("rejected"), lab.inside("rejected"))
    lab.put("late.txt", b"late")
    told(lab, "rejected: wanted a folder, got a link or a file")
    assert os.path.exists(lab.inside("late.txt")) and len(lab.rows()) == 20
    os.unlink(lab.inside("rejected"))
    well(lab)
    lab.wait_for(lambda: lab.receipt("late.txt", accepted=False), 30, "the late one")


def mount(*argv):
    subprocess.run(["mount", *argv], check=True)


def with_mount(test):
    """Mounting needs root; anybody is root in a user namespace of his own."""

    def run(lab):
        if os.geteuid() == 0:
            try:
                mount("-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", made(lab.inside()))
            except subprocess.CalledProcessError:
                raise Skip("may not mount") from None
            try:
                test(lab)
            finally:
                lab.end("unlapsed")
                while os.path.ismount(lab.inside()):
                    subprocess.run(["umount", "-l", lab.inside()], check=True)
            return
        if "DROP_INNER" in os.environ or subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0:
            raise Skip("neither root nor user namespaces")
        done = subprocess.run(["unshare", "-Urm", sys.executable, __file__, test.__name__], check=False,
                              env={**os.environ, "DROP_INNER": "1"}, stdout=subprocess.PIPE)
        assert done.returncode == 0, done.stdout.decode()

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def made(path):
    os.makedirs(path, exist_ok=True)
    return path


@with_mount
def full_disk(lab):
    """No room for receipts: nothing moves, nothing is judged twice, it is told once, and goes on when there is room."""
    lab.begin()
    dropped = rubbish(200)
    ballast = lab.inside(".ballast")
    for name, data in dropped.items():
        with open(lab.inside(name), "wb") as out:
            out.write(data)
    with open(ballast, "wb", buffering=0) as out:
        try:
            while out.write(b"x" * 4096):
                pass
        except OSError:
            pass
    told(lab, "No space left")
    time.sleep(4)
    assert lab.count_log("drop-trouble") == 1
    judged = len(lab.rows())
    time.sleep(6)
    assert len(lab.rows()) == judged, "judged again while nothing can move"
    os.unlink(ballast)
    well(lab)
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 200, 120, "all to be filed")
    lab.check_answered(dropped)


@with_mount
def read_only_and_unmounted(lab):
    """A share that becomes read-only, then goes: nothing is judged meanwhile, nothing is made in the empty mount point,
    and it is known after a restart."""
    lab.begin()
    dropped = rubbish(10)
    drop = lab.inside()
    for name in list(dropped)[:5]:
        lab.put_here(name, dropped[name])
    lab.wait_for(lambda: lab.all_filed() and len(lab.rows()) == 5, 60, "the first half")
    for name in list(dropped)[5:]:
        lab.put_here(name, dropped[name])
    mount("-o", "remount,ro", drop)
    told(lab, "Read-only file system")
    assert len(lab.rows()) == 5, "judged what cannot be filed"
    subprocess.run(["umount", drop], check=True)
    told(lab, "not mounted")
    assert os.listdir(drop) == [], "something was made in the mount point"
    lab.restart()
    told(lab, "not mounted")
    assert os.listdir(drop) == []
    mount("-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", drop)
    well(lab)
    with open(lab.inside("new.txt"), "wb") as out:
        out.write(b"new")
    lab.wait_for(lambda: lab.receipt("new.txt", accepted=False), 30, "a delivery on the new share")


def kill_in_the_middle(lab):
    """kill -9 again and again while batches are taken: each file is answered once, with its receipt."""
    seed = int(os.environ.get("DROP_SEED") or random.randrange(1 << 32))
    print(f"# seed {seed}", flush=True)
    source = random.Random(seed)
    lab.begin()
    dropped = {}
    for turn in range(6):
        more = rubbish(250, turn)
        for name, data in more.items():
            lab.put(name, data)
        dropped.update(more)
        lab.wait_for(lambda: len(lab.rows()) > len(dropped) - 250 or not lab.waiting(), 30, "the batch to begin")
        time.sleep(source.random() * 0.6)
        lab.kill9()
        lab.start_daemon()
    lab.wait_for(lab.all_filed, 120, "all to be filed")
    lab.check_answered(dropped)


def no_reader(lab):
    """The program cannot be run any more, so no reader can be started: files wait, people are told, and everything is
    taken when it is mended."""
    program = lab.path("unlapsed-copy")
    shutil.copy(lab.program("unlapsed"), program)
    lab.write_config()
    os.chmod(program, 0)
    lab.spawn("unlapsed", "/bin/sh", "-c", f"chmod 755 {program}; (sleep 1; chmod 0 {program}) & exec {program} -c {lab.config}")
    lab.wait_for(lab.answers, 20, "the daemon to answer")
    time.sleep(1)
    for reader in children(lab.running["unlapsed"].pid):
        os.kill(reader, signal.SIGKILL)
    lab.put("one.txt", b"one")
    told(lab, "cannot start its reader")
    assert lab.waiting() == ["one.txt"]
    os.chmod(program, 0o755)
    lab.wait_for(lambda: lab.receipt("one.txt", accepted=False), 90, "the delivery")
    well(lab)
    assert lab.count_log("drop-trouble") == 1, "told more than once"


def children(pid):
    """The processes that this one has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as listed:
        return [int(child) for child in listed.read().split()]


# System calls of a batch, and before which of them the daemon is killed.
POINTS = {"renameat2": (1, 2, 40, 64), "renameat": (1, 33, 64), "syncfs": (1, 2), "fsync": (1, 2, 3, 4),
          "fdatasync": (1, 2, 3, 4, 5, 6), "openat": (60, 90, 130, 160, 200)}


def killed_before_every_step(lab):
    """Killed by strace before chosen system calls of one batch: each file is answered once."""
    if not HAS_STRACE:
        raise Skip("strace is not there or may not trace")
    lab.begin()
    dropped = {}
    died = 0
    for turn, (call, at) in enumerate((call, at) for call, points in POINTS.items() for at in points):
        lab.end("unlapsed")
        more = rubbish(100, turn)
        for name, data in more.items():
            lab.put(name, data)
        dropped.update(more)
        time.sleep(1.1)     # old enough to be taken by the first look
        lab.spawn("unlapsed", "env", "UV_THREADPOOL_SIZE=1", "strace", "-D", "-f", "-b", "execve", "-qqq", "-o", "/dev/null",
                  "-e", "trace=" + call, "-e", f"inject={call}:signal=KILL:when={at}", lab.program("unlapsed"), "-c",
                  lab.config)
        child = lab.running["unlapsed"]
        lab.wait_for(lambda child=child: child.poll() is not None or lab.all_filed(), 60, f"{call} {at}")
        died += child.poll() == -signal.SIGKILL
        lab.restart()
        lab.wait_for(lab.all_filed, 60, f"all to be filed after {call} {at}")
        lab.check_answered(dropped)
    print(f"# died {died} times", flush=True)
    assert died >= 15, f"the kills did not strike: {died}"


if __name__ == "__main__":
    run_tests((thousands, make_full), (stop_and_go_on, make_bare), (copies, make_bare), (queue_overflows, make_unhurried),
              (hostile_names, make_bare), (odd_things, make_bare), (slow_writers, make_bare),
              (folder_comes_and_goes, make_bare), (full_disk, make_bare), (read_only_and_unmounted, make_bare), (no_reader, make_bare),
              (kill_in_the_middle, make_bare), (killed_before_every_step, make_bare))

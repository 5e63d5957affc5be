#!/usr/bin/env python3
"""The keeper: the process that alone knows the sealing key is killed again and again while certificates are renewed, is
looked at from outside, and finds sealing keys that are none."""
import hashlib
import os
import random
import shutil
import stat
import subprocess
import threading

from tap import Skip, run_tests
from lab import Lab

MORE = 5   # certificates beside that of nginx
KILLS, ROUNDS_MAX = 10, 60
KEEPER = "unlapsed-keeper"


def make_lab():
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, key_type="rsa-2048")


def status_of(pid):
    """/proc/PID/status as a dictionary; empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as text:
            return dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return {}


def keepers(lab):
    """The confined keepers of the daemon, by pid."""
    daemon, found = str(lab.running["unlapsed"].pid), []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        status = status_of(pid)
        if status.get("PPid") == daemon and status.get("Name") == KEEPER and status.get("Seccomp") == "2" \
                and not status["State"].startswith("Z"):
            found.append(int(pid))
    return found


class Hunter(threading.Thread):
    """Kills every keeper it finds, after a while of its own, until told to stop."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab, self.kills, self.ended = lab, 0, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(random.uniform(0.02, 0.5)):
            for pid in keepers(self.lab):
                try:
                    os.kill(pid, 9)
                    self.kills += 1
                except ProcessLookupError:
                    pass

    def end(self):
        self.ended.set()
        self.join()


def add_more(lab):
    """Certificates on files alone, without a service or an endpoint."""
    for number in range(MORE):
        name = f"files{number}"
        os.mkdir(lab.path(name))
        lab.must("add", name, "--name", f"dns:{name}.example.test", "--policy", "demo", "--target",
                 f"files,key={lab.path(name)}/www.key,fullchain={lab.path(name)}/www.crt")
    return [f"files{number}" for number in range(MORE)]


def renew_once(lab, file):
    """A renewal of "www", from its request to its place."""
    lab.deliver(lab.renew(seconds=150), name=file)
    lab.wait_for(lambda: lab.state() == "ok" and not lab.show().get("open"), 150, "a renewal more")


def test_killed_again_and_again(lab):
    """The keeper is killed all the time while six certificates are renewed: each gets its key, its certificate and its
    place, none a key that is not its own, and people hear nothing of it that is not so."""
    lab.start()
    hunter = Hunter(lab)
    try:
        lab.add()
        names = ["www", *add_more(lab)]
        lab.must("renew", "www")
        for name in names:
            lab.wait_for(lambda name=name: lab.state(name) == "handed over", 90, f"the CSR of {name}")
            with open(lab.path(f"state/requests/{name}.csr"), "rb") as csr:
                lab.deliver(csr.read(), name=f"{name}.pem")
        for name in names:
            lab.wait_for(lambda name=name: lab.state(name) == "ok", 90, f"{name} to be in service")
        # A keeper comes when it is asked: work for the hunter.
        for number in range(ROUNDS_MAX):
            if hunter.kills >= KILLS:
                break
            renew_once(lab, f"more-{number}.pem")
        assert hunter.kills >= KILLS, f"{hunter.kills} keepers were killed in {ROUNDS_MAX} rounds"
    finally:
        hunter.end()
    assert lab.logged("keeper-ended"), lab.tail()
    for what in ("nginx", *names[1:]):
        assert lab.pair_fits(what), f"{what}: key and certificate do not fit"
        assert lab.nothing_left(what), os.listdir(lab.path(what))
    csrs = {open(lab.path(f"state/requests/{name}.csr"), "rb").read() for name in names}
    assert len({lab.public_key(csr) for csr in csrs}) == len(names), "one key for two certificates"
    # One more, in peace.
    kills = hunter.kills
    renew_once(lab, "again.pem")
    assert kills == hunter.kills and lab.pair_fits()
    assert len(keepers(lab)) >= 1


LARGEST = 1 << 30  # the address sanitizer's own mappings are of terabytes


def copies_in(pid, secret):
    """How often a secret is in the writable memory of a process."""
    count = 0
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            words = line.split()
            if "w" not in words[1] or (len(words) > 5 and words[5].startswith("/")):
                continue
            start, end = (int(word, 16) for word in words[0].split("-"))
            if end - start > LARGEST:
                continue
            try:
                memory.seek(start)
                count += memory.read(end - start).count(secret)
            except (OSError, ValueError):
                pass
    return count


def core_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
        return next(line.split()[4:6] for line in limits if line.startswith("Max core file size"))


def test_only_the_keeper_knows(lab):
    """The sealing key is in the memory of the keeper and not in that of the daemon, and neither may leave a core dump or
    be looked into by others."""
    lab.start()
    lab.add()
    lab.renew()
    daemon = lab.running["unlapsed"].pid
    keeper = lab.wait_for(lambda: keepers(lab), 10, "a keeper")[0]
    for pid in (daemon, keeper):
        assert core_limit(pid) == ["0", "0"], core_limit(pid)
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0
    status = status_of(keeper)
    assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0, status
    if os.getuid() != 0:
        raise Skip("only root may look into memories")
    assert status["Uid"].split() == ["65534"] * 4, status["Uid"]
    with open(lab.path("state/sealing.key"), "rb") as data:
        sealing = data.read()
    assert copies_in(keeper, sealing) > 0, "the search finds nothing"
    assert copies_in(daemon, sealing) == 0, "the daemon has the sealing key"


def refused(lab, words):
    """The daemon does not start, says so, and has changed nothing."""
    state = {name: digest(lab.path("state/" + name)) for name in ("inventory.db", "sealing.key")}
    done = subprocess.run([lab.program("unlapsed"), "-c", lab.config], stdin=subprocess.DEVNULL, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 1, f"exit {done.returncode}: {text}"
    assert words in text and "sealing key" in text, text
    assert state == {name: digest(lab.path("state/" + name)) for name in state}, "something was changed"


def digest(path):
    """Of a file's content and mode; None when it is not there."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as data:
        return hashlib.sha256(data.read()).hexdigest(), stat.S_IMODE(os.stat(path).st_mode)


def test_sealing_keys_that_are_none(lab):
    """With a sealing key that is missing, damaged, open to others or another one the daemon says what is wrong, changes
    nothing and ends; with the right one it goes on as if nothing had been."""
    lab.start()
    lab.add()
    sealing, aside = lab.path("state/sealing.key"), lab.path("aside.key")
    assert stat.S_IMODE(os.stat(sealing).st_mode) == 0o600
    assert lab.end("unlapsed") == 0
    os.rename(sealing, aside)
    refused(lab, sealing)
    for data, mode, words in ((b"short", 0o600, "wanted 32 bytes"), (b"x" * 32, 0o640, "chmod 0600"),
                              (b"x" * 32, 0o600, "the one")):
        with os.fdopen(os.open(sealing, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, mode), "wb") as out:
            out.write(data)
        os.chmod(sealing, mode)
        refused(lab, words)
        os.unlink(sealing)
    shutil.copy2(aside, sealing)
    lab.start_daemon()
    lab.deliver(lab.renew())
    lab.wait_for(lambda: lab.state() == "ok" and not lab.show().get("open"), 60, "the renewal")
    assert lab.pair_fits()


run_tests((test_killed_again_and_again, make_lab), (test_only_the_keeper_knows, make_lab),
          (test_sealing_keys_that_are_none, make_lab))

#!/usr/bin/env python3
"""The sealing key of a running daemon: changed, killed while it changes, missing, wrong, given by systemd."""
import os
import random
import signal
import sqlite3
import time

from tap import Skip, run_tests
from lab import Lab, serial_of
from soak import HAS_STRACE

KEYS = 5
# System calls of a change that leave something behind, and how many of each one thread makes, or more.
CALLS = {"renameat": 1, "renameat2": 1, "unlinkat": 2, "openat": 9, "write": 8, "fsync": 5, "fdatasync": 5, "pwrite64": 14}
SEED = int(os.environ.get("SEAL_SEED") or random.randrange(1 << 32))


def make_lab():
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400)


def fill(lab):
    """A certificate in service with its key, and requests with one each, the newest of them open."""
    lab.start()
    lab.add()
    for _ in range(KEYS - 1):
        lab.must("renew", "www", "--again")
        lab.wait_for(lambda: (lab.show().get("open") or {}).get("handed_over_at"), 40, "a request")


def sealed_under(lab):
    """The ids of the sealing keys that keys are under, and how many keys there are."""
    database = sqlite3.connect(f"file:{lab.path('state/inventory.db')}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT hex(substr(key_sealed, 2, 8)) FROM renewals WHERE key_sealed IS NOT NULL").fetchall()
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()
    return {row[0].lower() for row in rows}, len(rows)


def state(lab):
    status, _, data = lab.unlapse("seal", "status", "--json")
    assert status == 0, lab.complaint
    return data


def wait_for_rest(lab, keys=KEYS):
    """No change goes on, and all keys are under the one in force; which is returned."""
    lab.wait_for(lambda: state(lab)["rotation"] is None, 60, "the change to end")
    now = state(lab)
    assert now["left"] == 0 and not now["missing"], now
    assert sealed_under(lab) == ({now["key"]}, keys), (sealed_under(lab), now)
    return now["key"]


def events_of(lab, kind):
    _, _, data = lab.unlapse("history", "--limit", "10000", "--json")
    return [event for event in data["events"] if event["kind"] == kind]


def old_files(lab):
    return sorted(name for name in os.listdir(lab.path("state")) if ".old-" in name)


def start_refused(lab):
    """Starts a daemon that must end by itself; what it said."""
    before = os.path.getsize(lab.log)
    lab.spawn("unlapsed", lab.program("unlapsed"), "-c", lab.config)
    assert lab.running.pop("unlapsed").wait(20) == 1
    with open(lab.log, encoding="utf-8") as log:
        log.seek(before)
        return log.read()


def test_change(lab):
    """A new key is in force at once, everything is sealed anew, the open request goes on to its end, and without the old
    key nothing is missing."""
    fill(lab)
    old = wait_for_rest(lab)
    with open(lab.path("state/requests/www.csr"), "rb") as csr:
        csr = csr.read()
    with open(lab.path("state/sealing.key"), "rb") as key:
        before = key.read()
    said = lab.must("seal", "rotate")
    assert f"\n  {lab.path('state/sealing.key')}.old-{old}\n" in said, said
    new = wait_for_rest(lab)
    assert new != old and old_files(lab) == [f"sealing.key.old-{old}"], old_files(lab)
    for name in ("sealing.key", f"sealing.key.old-{old}"):
        assert oct(os.stat(lab.path("state/" + name)).st_mode & 0o7777) == "0o600"
    with open(lab.path(f"state/sealing.key.old-{old}"), "rb") as key:
        assert key.read() == before
    assert events_of(lab, "seal-rotation-begun")[0]["actor"].startswith(f"uid {os.geteuid()}")
    assert f"{KEYS} keys were sealed anew" in events_of(lab, "seal-rotation-ended")[0]["text"]
    lab.end("unlapsed")
    os.unlink(lab.path(f"state/sealing.key.old-{old}"))
    lab.start_daemon()
    leaf = lab.deliver(csr)
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 40, "the new certificate to be served")
    assert lab.pair_fits()
    assert len(events_of(lab, "seal-rotation-begun")) == 1


def test_backup_from_before(lab):
    """An inventory from before a change comes back: everything is sealed anew by itself."""
    fill(lab)
    lab.end("unlapsed")
    with open(lab.path("state/inventory.db"), "rb") as data:
        before = data.read()
    lab.start_daemon()
    lab.must("seal", "rotate")
    new = wait_for_rest(lab)
    lab.end("unlapsed")
    with open(lab.path("state/inventory.db"), "wb") as data:
        data.write(before)
    lab.start_daemon()
    assert wait_for_rest(lab) == new
    assert [event["actor"] for event in events_of(lab, "seal-rotation-begun")] == ["unlapsed"]


def test_missing_and_wrong(lab):
    """Without the key nothing is made in its place, with another one both are named; with the right one all is as before."""
    fill(lab)
    lab.end("unlapsed")
    key = lab.path("state/sealing.key")
    ids, _ = sealed_under(lab)
    wanted = ids.pop()
    os.rename(key, key + ".aside")
    said = start_refused(lab)
    assert key in said and wanted in said and "put it back" in said, said
    assert not os.path.exists(key)
    with os.fdopen(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
        out.write(b"w" * 32)
    with open(lab.path("state/inventory.db"), "rb") as data:
        before = data.read()
    said = start_refused(lab)
    assert f"wanted the one that the inventory was sealed with, {wanted}, got " in said, said
    with open(lab.path("state/inventory.db"), "rb") as data:
        assert data.read() == before, "a wrong key changed the inventory"
    os.rename(key + ".aside", key)
    lab.start_daemon()
    assert wait_for_rest(lab) == wanted
    assert not events_of(lab, "seal-rotation-begun")


def test_credential(lab):
    """A key that systemd gives is not written to; with a new one and the previous one named, the start changes over."""
    given = lab.path("credentials")
    os.mkdir(given)
    key = os.path.join(given, "sealing-key")
    with os.fdopen(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
        out.write(os.urandom(32))
    os.environ["CREDENTIALS_DIRECTORY"] = given
    try:
        start = lab.write_config

        def without_key():
            start()
            with open(lab.config, encoding="utf-8") as text:
                lines = [line for line in text if not line.startswith("sealing-key:")]
            with open(lab.config, "w", encoding="utf-8") as text:
                text.writelines(lines)

        lab.write_config = without_key
        fill(lab)
        old = wait_for_rest(lab)
        status, _, _ = lab.unlapse("seal", "rotate")
        assert status == 6 and "sealing-key-previous" in lab.complaint, (status, lab.complaint)
        assert wait_for_rest(lab) == old and os.listdir(given) == ["sealing-key"]
        lab.end("unlapsed")
        os.rename(key, key + "-previous")
        with os.fdopen(os.open(key, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
            out.write(os.urandom(32))
        lab.start_daemon()
        assert wait_for_rest(lab) != old
        lab.end("unlapsed")
        os.unlink(key + "-previous")
        lab.start_daemon()
        wait_for_rest(lab)
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]


def attach(lab, call, number):
    """strace on the running daemon: kills it before its number-th call of that name."""
    pid = lab.running["unlapsed"].pid
    lab.spawn("strace", "strace", "-f", "-b", "execve", "-qqq", "-o", "/dev/null", "-p", str(pid), "-e", f"trace={call}",
              "-e", f"inject={call}:signal=KILL:when={number}")

    def is_traced():
        if lab.running["unlapsed"].poll() is not None:
            return True   # it made that call at once
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as text:
                if "\nTracerPid:\t0\n" in text.read():
                    return False
        return True

    lab.wait_for(is_traced, 20, "strace to hold the daemon")


def kill_once(lab, call, number):
    """One change that is killed, perhaps; true when the daemon was. It may also hit the keeper that makes the new key:
    then the daemon lives, and the change has not begun or goes on."""
    attach(lab, call, number)
    child = lab.running["unlapsed"]
    lab.unlapse("seal", "rotate")
    deadline = time.monotonic() + 15
    while child.poll() is None and time.monotonic() < deadline:
        status, _, data = lab.unlapse("seal", "status", "--json")
        if status == 0 and data["rotation"] is None:
            break
        time.sleep(0.05)
    killed = child.poll() is not None
    if killed:
        assert lab.running.pop("unlapsed").wait() == -signal.SIGKILL, lab.tail()
    lab.end("strace", signal.SIGINT)
    return killed


def test_killed_before_each_call(lab):
    """kill -9 before a system call of the change: the next start goes on, and every key opens."""
    if not HAS_STRACE:
        raise Skip("strace is not there or may not trace")
    os.environ["UV_THREADPOOL_SIZE"] = "1"   # strace counts each thread alone
    fill(lab)
    rounds = [(call, number) for call, most in CALLS.items() for number in range(1, most + 1)]
    if not os.environ.get("SEAL_ALL"):
        print(f"# seed {SEED}: SEAL_SEED repeats it, SEAL_ALL=1 takes all {len(rounds)}", flush=True)
        rounds = random.Random(SEED).sample(rounds, 8)
    kills = 0
    for call, number in rounds:
        killed = kill_once(lab, call, number)
        kills += killed
        if killed:
            assert sealed_under(lab)[1] == KEYS
            lab.start_daemon()
        key = wait_for_rest(lab)
        print(f"# {call} {number}: {'killed' if killed else 'the daemon lives'}, {key}", flush=True)
        for name in old_files(lab):   # the next start has no use for them
            os.unlink(lab.path("state/" + name))
        lab.restart()
        assert wait_for_rest(lab) == key
        assert not [name for name in os.listdir(lab.path("state")) if name.endswith((".tmp", "-new"))] or killed
    assert kills > 0, "nothing was killed"
    # What was sealed so often opens yet.
    with open(lab.path("state/requests/www.csr"), "rb") as csr:
        leaf = lab.deliver(csr.read())
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 40, "the new certificate to be served")
    assert lab.pair_fits()
    begun = len(events_of(lab, "seal-rotation-begun"))
    assert begun == len(events_of(lab, "seal-rotation-ended")), begun


if __name__ == "__main__":
    run_tests((test_change, make_lab), (test_backup_from_before, make_lab), (test_missing_and_wrong, make_lab),
              (test_credential, make_lab), (test_killed_before_each_call, make_lab))

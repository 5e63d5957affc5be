#!/usr/bin/env python3
"""Backups while the daemon works, kill -9 in the middle of one, a damaged inventory, and the way back from it."""
import email.policy
import json
import os
import sqlite3
import subprocess
import threading
import time

from lab import Lab
from tap import Skip, run_tests

INVENTORY = "state/inventory.db"


def backups(lab, folder="state/backups"):
    """The files of the folder, the newest last."""
    return sorted(os.listdir(lab.path(folder))) if os.path.isdir(lab.path(folder)) else []


def look(path):
    """What anybody's SQLite says of a file, without writing beside it: (integrity, names of certificates)."""
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as db:
        check = [row[0] for row in db.execute("PRAGMA integrity_check")]
        return check, sorted(row[0] for row in db.execute("SELECT name FROM certificates"))


def status(lab):
    return lab.unlapse("status", "--json")[2]


def spoil(path, table):
    """Overwrites the first page of a table."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        page, = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        size, = db.execute("PRAGMA page_size").fetchone()
    db.close()
    with open(path, "r+b") as out:
        out.seek((page - 1) * size)
        out.write(b"\xa5" * size)


def content(lab):
    """Everything of the inventory that a program could have written."""
    found = {}
    for name in ("", "-wal"):
        path = lab.path(INVENTORY + name)
        if os.path.exists(path):
            with open(path, "rb") as data:
                found[name] = data.read()
    return found


def restore(lab, *argv):
    done = subprocess.run([lab.program("unlapse"), "restore", "--config", lab.config, *argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def start(lab, extra="backups: {every: 1d, keep: 3}\n"):
    lab.start_nginx()
    lab.start_smtp()
    lab.write_config(extra)
    lab.start_daemon()


def test_backups_are_made_and_listed(lab):
    """One is made at the start and whenever somebody asks, private, whole, with what was written before it; the copy goes
    where the caller says, and over nothing; too many are let go."""
    start(lab, "backups: {every: 0s, keep: 3}\n")
    lab.add()
    text = lab.must("backup")
    assert lab.path("state/sealing.key") in text and "not in it" in text, text
    names = backups(lab)
    assert len(names) == 1, names
    made = lab.path("state/backups/" + names[0])
    assert look(made) == (["ok"], ["www"])
    assert os.stat(made).st_mode & 0o7777 == 0o600
    assert os.stat(lab.path("state/backups")).st_mode & 0o7777 == 0o700
    copy = lab.path("copy of it.db")
    lab.must("backup", copy)
    assert look(copy) == (["ok"], ["www"])
    assert os.stat(copy).st_mode & 0o7777 == 0o600
    before = os.stat(copy).st_ino
    assert lab.unlapse("backup", copy)[0] == 1 and "is there already" in lab.complaint, lab.complaint
    assert os.stat(copy).st_ino == before
    for _ in range(3):
        lab.must("backup")
    names = backups(lab)
    assert len(names) == 3, names
    listed = lab.unlapse("backup", "list", "--json")[2]
    assert [item["name"] for item in listed["backups"]] == [os.path.basename(name) for name in names[::-1]] \
        or len({item["made_at"] for item in listed["backups"]}) < 3
    assert names[-1] in lab.must("backup", "list")
    state = status(lab)
    assert state["backups"]["trouble"] is None and state["backups"]["next_at"] is None and state["damage"] is None, state


def test_due_ones_are_made(lab):
    """Without anybody asking: at the first start, and again as often as the configuration says."""
    start(lab, "backups: {every: 2s, keep: 1000}\n")
    lab.wait_for(lambda: len(backups(lab)) >= 3, 30, "three backups")
    for name in backups(lab):
        if name.endswith(".db") and not name.startswith("."):
            assert look(lab.path("state/backups/" + name))[0] == ["ok"]


def test_trouble_is_told_and_passes(lab):
    """A folder that cannot be used is told by the log, the status and the command, and the backup is made when it can."""
    with open(lab.path("in-the-way"), "w", encoding="ascii"):
        pass
    start(lab, f"backups: {{folder: {lab.path('in-the-way')}, every: 0s}}\n")
    code, _, _ = lab.unlapse("backup")
    assert code == 1 and "in-the-way" in lab.complaint, (code, lab.complaint)
    assert lab.logged("backup-trouble")
    assert any("no backup can be made" in problem["text"] for problem in status(lab)["problems"])
    os.unlink(lab.path("in-the-way"))
    lab.must("backup")
    assert status(lab)["backups"]["trouble"] is None
    assert lab.logged("backup-works")


def test_killed_in_the_middle(lab):
    """kill -9 at any moment of a backup: the inventory is whole, what has a backup's name is whole, the rest is swept."""
    start(lab, "backups: {every: 0s, keep: 1000}\n")
    lab.add()
    lab.end("unlapsed")
    with sqlite3.connect(lab.path(INVENTORY)) as db:
        db.execute("CREATE TABLE ballast (b BLOB) STRICT")
        db.executemany("INSERT INTO ballast VALUES (zeroblob(1000000))", [()] * 40)
    db.close()
    lab.start_daemon()
    partial = lab.path("state/backups/.inventory.db.unlapsed-new")
    cut = 0
    for number in range(6):
        thread = threading.Thread(target=lambda: lab.unlapse("backup", deadline=60))
        thread.start()
        lab.wait_for(lambda: os.path.exists(partial), 20, "a backup to begin")
        time.sleep(0.03 * number)
        lab.kill9()
        cut += os.path.exists(partial)
        thread.join()
        for name in backups(lab):
            if name.startswith("inventory-"):
                assert look(lab.path("state/backups/" + name)) == (["ok"], ["www"])
        lab.start_daemon()
        lab.must("backup")
        assert not os.path.exists(partial)
    assert cut > 0, "no kill came in the middle"
    lab.end("unlapsed")
    assert look(lab.path(INVENTORY)) == (["ok"], ["www"])


def test_a_second_daemon_is_refused(lab):
    """By whatever name it finds the inventory; it is told who holds it."""
    start(lab)
    os.symlink(lab.path("state"), lab.path("other"))
    with open(lab.config, encoding="utf-8") as text:
        other = text.read().replace(lab.path(INVENTORY), lab.path("other/inventory.db"))
    with open(lab.path("second.yaml"), "w", encoding="utf-8") as out:
        out.write(other.replace(lab.socket, lab.path("second.sock")))
    done = subprocess.run([lab.program("unlapsed"), "-c", lab.path("second.yaml")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    said = done.stdout.decode()
    assert done.returncode == 1, said
    assert f"unlapsed holds it, process {lab.running['unlapsed'].pid}" in said, said
    code, _, said = restore(lab, lab.path("nothing.db"))
    assert code == 1 and "must be stopped first" in said and str(lab.running["unlapsed"].pid) in said, said
    assert lab.unlapse("status")[0] == 0


def check_damaged(lab, good):
    """Read-only service: told everywhere, refused, nothing written, the newest good backup named."""
    state = lab.wait_for(lambda: status(lab)["damage"] and status(lab)["damage"]["backup"] and status(lab), 20,
                         "the damage to be told")
    assert state["damage"]["backup"] == good, state
    assert any(f"unlapse restore {good}" in problem["text"] for problem in state["problems"]), state
    assert "DAMAGED" in lab.must("status")
    before = content(lab)
    for command in (("renew", "www"), ("backup",), ("add", "x", "--name", "dns:x.example.test")):
        code, _, _ = lab.unlapse(*command)
        assert code == 1 and f"unlapse restore {good}" in lab.complaint, (command, code, lab.complaint)
    assert lab.must("backup", "list").count("inventory-") >= 1
    lab.wait_for(lambda: [mail for mail in lab.mails() if "inventory is damaged" in str(mail["Subject"])], 20, "the mail")
    mail, = [mail for mail in lab.mails() if "inventory is damaged" in str(mail["Subject"])]
    assert f"unlapse restore {good}" in mail.as_bytes(policy=email.policy.default.clone(max_line_length=998)).decode() \
        .replace("=\n", ""), mail
    assert lab.logged("inventory-damaged")
    assert content(lab) == before, "a damaged inventory was written to"
    return before


def test_damage_restore_and_on(lab):
    """Pages are spoiled under the running daemon: it serves on without writing, also after a restart, until the newest good
    backup is restored; then renewals go on."""
    start(lab)
    lab.add()
    lab.must("backup")
    first = lab.path("state/backups/" + backups(lab)[-1])
    lab.must("backup")
    spoil(lab.path("state/backups/" + backups(lab)[-1]), "certificates")    # the newest is not good any more
    lab.restart()
    spoil(lab.path(INVENTORY), "authorities")
    code, _, _ = lab.unlapse("backup")
    assert code == 1, "a backup of a damaged inventory"
    good = sorted(name for name in (lab.path("state/backups/" + name) for name in backups(lab)) if is_good(name))[-1]
    assert os.path.exists(first)
    check_damaged(lab, good)
    assert lab.must("list").count("www") >= 1, "what can be read is not shown"
    lab.restart()
    check_damaged(lab, good)
    assert lab.end("unlapsed") == 0
    before = content(lab)
    code, said, complaint = restore(lab, good)
    assert code == 0, complaint
    assert "sealing.key opens it" in said, said
    kept, = [name for name in os.listdir(lab.path("state")) if ".replaced-" in name and not name.endswith("-wal")]
    with open(lab.path("state/" + kept), "rb") as data:
        assert data.read() == before[""], "the damaged file was not kept as it was"
    lab.start_daemon()
    state = status(lab)
    assert state["damage"] is None and state["certificates"] == 1, state
    old = lab.served_serial()
    lab.deliver(lab.renew())
    lab.wait_for(lambda: lab.served_serial() != old, 40, "the renewed certificate to be served")
    assert "the inventory was restored from" in lab.must("history")


def test_an_older_backup(lab):
    """What the backup does not know: a newer certificate stays installed and served, one for a lost key is kept as nobody's,
    and the next renewal goes its road."""
    start(lab, "backups: {every: 0s}\n")
    lab.add()
    lab.must("backup")
    lab.deliver(lab.renew())
    old = lab.served_serial()
    lab.wait_for(lambda: status(lab)["states"]["ok"] == 1 and lab.served_serial() != old, 40, "the renewal")
    newer = lab.served_serial()
    lost = lab.renew()
    lab.end("unlapsed")
    code, said, complaint = restore(lab, lab.path("state/backups/" + backups(lab)[-1]))
    assert code == 0 and "Newer certificates stay installed" in said, (said, complaint)
    lab.start_daemon()
    lab.deliver(lost, name="lost.pem")
    receipt = lab.path("state/drop/rejected/lost.pem.txt")
    lab.wait_for(lambda: os.path.exists(receipt), 20, "the answer to a certificate for a lost key")
    assert lab.served_serial() == newer, "another certificate than the newest is served"
    lab.deliver(lab.renew(), name="next.pem")
    lab.wait_for(lambda: lab.served_serial() != newer, 40, "the next certificate to be served")
    lab.wait_for(lambda: status(lab)["states"]["ok"] == 1, 20, "all to be well")


def test_a_full_disk(lab):
    """A backup that does not fit leaves nothing of itself, is told, and is made when there is room."""
    folder = lab.path("small")
    os.mkdir(folder)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", folder], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL, check=False).returncode != 0:
        raise Skip("cannot mount a tmpfs here")
    try:
        start(lab, f"backups: {{folder: {folder}, every: 0s}}\n")
        lab.add()
        ballast = os.path.join(folder, "ballast")
        with open(ballast, "wb") as out:
            out.write(b"x" * (800 << 10))
        code, _, _ = lab.unlapse("backup")
        assert code == 1 and "too little room" in lab.complaint, (code, lab.complaint)
        assert os.listdir(folder) == ["ballast"]
        os.unlink(ballast)
        lab.must("backup")
        assert len(backups(lab, "small")) == 1
    finally:
        lab.end("unlapsed")
        subprocess.run(["umount", folder], check=True)


def is_good(path):
    try:
        return os.path.basename(path).startswith("inventory-") and look(path)[0] == ["ok"]
    except sqlite3.DatabaseError:
        return False


def test_a_spoiled_head(lab):
    """A file that is no database any more is not made anew and not overwritten: the daemon tells, and a restore helps."""
    start(lab)
    lab.add()
    lab.must("backup")
    lab.end("unlapsed")
    good = lab.path("state/backups/" + backups(lab)[-1])
    with open(lab.path(INVENTORY), "r+b") as out:
        out.write(b"\0" * 4096)
    lab.start_daemon()
    check_damaged(lab, good)
    assert lab.unlapse("list")[0] == 1
    lab.end("unlapsed")
    assert restore(lab, good)[0] == 0
    lab.start_daemon()
    assert status(lab)["certificates"] == 1


def test_a_lost_inventory_is_not_made_anew(lab):
    """Where backups are and no inventory, the daemon does not begin with an empty one."""
    start(lab)
    lab.add()
    lab.must("backup")
    lab.end("unlapsed")
    os.unlink(lab.path(INVENTORY))
    done = subprocess.run([lab.program("unlapsed"), "-c", lab.config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=20, check=False)
    good = lab.path("state/backups/" + backups(lab)[-1])
    assert done.returncode == 1 and f"unlapse restore {good}" in done.stdout.decode(), done.stdout
    assert restore(lab, good)[0] == 0
    lab.start_daemon()
    assert status(lab)["certificates"] == 1


def test_restore_refuses_what_is_not_good(lab):
    """A spoiled file, another sealing key, no file: said, and nothing changed; --anyway for the key alone."""
    start(lab)
    lab.add()
    lab.must("backup")
    lab.end("unlapsed")
    good = lab.path("state/backups/" + backups(lab)[-1])
    before = content(lab)
    bad = lab.path("bad.db")
    with open(good, "rb") as data, open(bad, "wb") as out:
        out.write(data.read()[:40000])
    code, _, said = restore(lab, bad)
    assert code == 1 and bad in said, said
    code, _, said = restore(lab, lab.path("none.db"))
    assert code == 5, said
    key = lab.path("state/sealing.key")
    with open(key, "rb") as data:
        right = data.read()
    with open(key, "wb") as out:
        out.write(b"x" * 32)
    code, _, said = restore(lab, good)
    assert code == 6 and "another key" in said, said
    assert content(lab) == before
    assert [name for name in os.listdir(lab.path("state")) if "restor" in name or "replaced" in name] == []
    code, said, _ = restore(lab, "--anyway", good, "--json")
    assert code == 0 and json.loads(said)["key_fits"] is False, said
    with open(key, "wb") as out:
        out.write(right)
    lab.start_daemon()
    assert status(lab)["certificates"] == 1


if __name__ == "__main__":
    run_tests((test_backups_are_made_and_listed, Lab), (test_due_ones_are_made, Lab), (test_trouble_is_told_and_passes, Lab),
              (test_killed_in_the_middle, Lab), (test_a_second_daemon_is_refused, Lab), (test_damage_restore_and_on, Lab),
              (test_a_spoiled_head, Lab), (test_a_lost_inventory_is_not_made_anew, Lab),
              (test_restore_refuses_what_is_not_good, Lab),
              (test_an_older_backup, lambda: Lab(remaining=7200, lead="60s")), (test_a_full_disk, Lab))

#!/usr/bin/env python3
"""The doctor on a daemon that works: what is broken in its inventory and around it is told, and nothing is touched."""
import os
import shutil
import sqlite3
import subprocess
import time

from tap import Skip, run_tests
from lab import Lab


def found(lab):
    """{check: (result, what is told)} of a run, and the exit status."""
    status, _, data = lab.unlapse("doctor", "--json", deadline=60)
    return {check["check"]: (check["result"], "\n".join(check["broken"])) for check in data["checks"]}, status


def ck_bad(lab, check, piece):
    checks, status = found(lab)
    assert status == 1 and checks[check][0] == "bad" and piece in checks[check][1], (check, checks[check], status)


def ck_well(lab):
    checks, status = found(lab)
    assert status == 0, {name: told for name, (result, told) in checks.items() if result != "good"}


def change(lab, sql):
    """By a hand in the file."""
    with sqlite3.connect(lab.path("state/inventory.db"), timeout=10) as database:
        database.execute(sql)
    database.close()


def in_service(lab):
    lab.start()
    lab.add()
    lab.deliver(lab.renew())
    lab.wait_for(lambda: lab.mails("deployed"), 40, "the new certificate to be in service")
    lab.wait_for(lambda: lab.unlapse("status", "--json")[2]["mail"]["waiting"] == 0, 20, "the mails to be sent")


def test_broken_row(lab):
    """A row that breaks a promise is told by `doctor`, in the log of the next start and in `status`; it stays as it is,
    and everything else goes on."""
    in_service(lab)
    ck_well(lab)
    change(lab, "UPDATE deployments SET swapped_at = NULL WHERE renewal_id = 2")
    ck_bad(lab, "deployment-facts", "deployment of renewal 2 on target 1")
    text = lab.unlapse("doctor")[1]
    assert "\ndeployment-facts\n  deployment of renewal 2 on target 1\n  To do: " in text, text
    lab.end("unlapsed")
    os.truncate(lab.log, 0)
    lab.start_daemon()
    lab.wait_for(lambda: lab.logged("doctor: deployment-facts: wanted: "), 20, "the start to tell it")
    problems = lab.unlapse("status", "--json")[2]["problems"]
    assert any("doctor: deployment-facts: " in item["text"] for item in problems), problems
    ck_bad(lab, "deployment-facts", "deployment of renewal 2 on target 1")
    leaf = lab.deliver(lab.renew(), name="again.pem")
    lab.wait_for(lambda: lab.served().der == leaf, 40, "the next certificate to be served")
    lab.unwell = {"deployment-facts"}


def test_surroundings(lab):
    """Configuration, sealing key, folders, clock and mail: each is found when it ails, and well when it is mended."""
    in_service(lab)

    with open(lab.config, "a", encoding="utf-8") as out:
        out.write("nonsense: 1\n")
    ck_bad(lab, "config", "nonsense")
    lab.write_config()

    key = lab.path("state/sealing.key")
    shutil.copy2(key, key + ".kept")
    os.chmod(key, 0o640)
    ck_bad(lab, "sealing-key", "0640")
    with open(key, "wb") as out:
        out.write(os.urandom(32))
    os.chmod(key, 0o600)
    ck_bad(lab, "sealing-key", "is not the one that the inventory was sealed with")
    os.unlink(key)
    ck_bad(lab, "sealing-key", "sealing.key")
    os.rename(key + ".kept", key)

    os.rename(lab.path("state/requests"), lab.path("state/requests.away"))
    ck_bad(lab, "folders", "state/requests: No such file or directory")
    with open(lab.path("state/requests"), "wb"):
        pass
    ck_bad(lab, "folders", "state/requests: wanted a folder")
    os.unlink(lab.path("state/requests"))
    os.rename(lab.path("state/requests.away"), lab.path("state/requests"))

    os.rename(lab.path("state/drop"), lab.path("state/drop.away"))
    lab.wait_for(lambda: found(lab)[0]["drop"][0] == "bad", 30, "the drop folder to be missed")
    os.rename(lab.path("state/drop.away"), lab.path("state/drop"))
    lab.wait_for(lambda: found(lab)[0]["drop"][0] == "good", 30, "the drop folder to be found again")

    change(lab, f"UPDATE notices SET sent_at = NULL, created_at = {int(time.time()) - 7200},"
                f" next_try_at = {int(time.time()) + 86400} WHERE kind = 'deployed'")
    ck_bad(lab, "mail", "1 mails wait, the oldest since ")
    change(lab, "UPDATE notices SET sent_at = created_at WHERE kind = 'deployed'")

    ck_well(lab)
    change(lab, "DROP TRIGGER events_are_not_changed")
    change(lab, "UPDATE events SET at = at + 86400 WHERE id = (SELECT max(id) FROM events)")
    ck_bad(lab, "clock", "but the newest event is of ")
    lab.unwell = {"clock"}


def test_no_room(lab):
    """A file system that is nearly full is told before it is."""
    os.mkdir(lab.path("state/drop"))
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", lab.path("state/drop")], check=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        raise Skip("may not mount") from None
    try:
        lab.start()
        ck_bad(lab, "room", "state/drop: wanted 64 MiB free, got ")
    finally:
        subprocess.run(["umount", "-l", lab.path("state/drop")], check=True)
    lab.unwell = {"room", "drop"}


if __name__ == "__main__":
    run_tests((test_broken_row, Lab), (test_surroundings, Lab), (test_no_room, Lab))

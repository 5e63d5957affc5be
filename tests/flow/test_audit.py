#!/usr/bin/env python3
"""The audit trail of a road, followed while it is walked, and proven with and without unlapsed."""
import calendar
import hashlib
import json
import os
import signal
import sqlite3
import struct
import subprocess
import time

from tap import run_tests
from lab import Lab, serial_of


def command(lab, *argv):
    return [lab.program("unlapse"), "--socket", lab.socket, "audit", *argv]


def trail(lab):
    """All events, oldest first."""
    lines = subprocess.run(command(lab, "--since", "@0", "--json"), stdout=subprocess.PIPE, check=True).stdout
    return [json.loads(line) for line in lines.splitlines()]


def number(value):
    return struct.pack(">q", value or 0)


def text(value):
    data = value.encode()
    return number(len(data)) + data


def digest(before, event):
    """The hash of an event, as docs/api.md describes it."""
    at = calendar.timegm(time.strptime(event["at"], "%Y-%m-%dT%H:%M:%SZ"))
    return hashlib.sha256(
        b"unlapsed event 1" + before + number(event["id"]) + number(at) + number(event["certificate_id"])
        + number(event["renewal"]) + text(event["actor"]) + text(event["kind"]) + text(event["text"])
        + bytes.fromhex(event["old_sha256"] or "00" * 32) + bytes.fromhex(event["new_sha256"] or "00" * 32)).digest()


def check_chain(events):
    before = bytes(32)
    for position, event in enumerate(events, 1):
        assert event["id"] == position, f"wanted event {position}, got {event['id']}"
        before = digest(before, event)
        assert before.hex() == event["hash"], f"event {position} {event['kind']}: its hash is another one"
    return before.hex()


def walk(lab):
    lab.add()
    leaf = lab.deliver(lab.wait_for_csr())
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the new certificate to be served")
    lab.wait_for(lambda: lab.mails("deployed"), 20, "the mail that says so")
    return leaf


def test_road(lab):
    """Every event of a road is chained, says who and what, and is told while it is followed; an anchor holds across a kill."""
    lab.start()
    old = lab.served().sha256
    with open(lab.path("followed"), "wb") as out:
        follower = subprocess.Popen(command(lab, "--follow", "--json"), stdout=out)
        walk(lab)
        lab.wait_for(lambda: b'"verified"' in open(lab.path("followed"), "rb").read(), 20, "the follower to tell it")
        follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 0, "an interrupted follower is no failure"
    events = trail(lab)
    head = check_chain(events)
    with open(lab.path("followed"), "rb") as lines:
        followed = [json.loads(line) for line in lines]
    assert followed == events[:len(followed)], "what was followed is not what is there"
    by = {event["kind"]: event["actor"] for event in events}
    me = f"uid {os.getuid()}"
    assert by["added"].startswith(me) and by["accepted"] == "drop folder" and by["verified"] == "unlapsed", by
    verified = [event for event in events if event["kind"] == "verified"][-1]
    accepted = [event for event in events if event["kind"] == "accepted"][-1]
    assert verified["new_sha256"] == accepted["new_sha256"] != accepted["old_sha256"] == verified["old_sha256"], verified
    assert old == verified["old_sha256"], "the old fingerprint is not what was served"

    anchor = f"{events[-1]['id']}:{head}"
    assert anchor in lab.must("status"), "status does not print the newest event"
    lab.kill9()
    lab.restart()
    assert "whole" in lab.must("audit", "verify", "--expect", anchor)
    check_chain(trail(lab))


def test_tampering(lab):
    """Whoever writes into the file is found out, by the event that he changed; the daemon works on."""
    lab.start()
    walk(lab)
    victim = [event["id"] for event in trail(lab) if event["kind"] == "accepted"][0]
    lab.end("unlapsed")
    inventory = sqlite3.connect(lab.path("state/inventory.db"))
    try:
        inventory.execute("UPDATE events SET actor = 'unlapsed' WHERE id = ?", (victim,))
        raise AssertionError("no trigger stands in the way")
    except sqlite3.IntegrityError as refused:
        assert "never changed" in str(refused), refused
    inventory.executescript(f"DROP TRIGGER events_are_not_changed;"
                            f"UPDATE events SET actor = 'unlapsed' WHERE id = {victim};")
    inventory.close()
    lab.restart()
    status, out, _ = lab.unlapse("audit", "verify")
    assert status == 1 and f"broken at event {victim}" in out, (status, out)
    status, _, data = lab.unlapse("audit", "verify", "--json")
    assert status == 1 and data["broken"]["id"] == victim and not data["whole"], data
    assert lab.state() == "ok", lab.state()


if __name__ == "__main__":
    run_tests((test_road, Lab), (test_tampering, Lab))

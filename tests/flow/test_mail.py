#!/usr/bin/env python3
"""Mail on a real SMTP server: nothing is lost, nothing comes twice, nothing secret is in it or anywhere else."""
import email.utils
import glob
import os
import re
import stat
import threading
import time

from tap import run_tests
from authority import run
from lab import Lab, PEOPLE, serial_of

BOSS, NOBODY = "boss@example.test", "nobody@example.test"
KEY_BEGIN = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def make_lab(**how):
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, **how)


def write(path, text):
    with open(path, "w", encoding="ascii") as out:
        out.write(text)


def told(lab, kind, recipient=PEOPLE):
    """The notice as explain knows it, by kind and recipient."""
    _, _, data = lab.unlapse("explain", "www", "--json")
    found = [one for one in data["told"] if one["kind"] == kind and one["recipient"] == recipient]
    assert len(found) <= 1, found
    return found[0] if found else {}


def mails_to(lab, kind, recipient):
    return [mail for mail in lab.mails(kind) if mail["X-Envelope-To"] == recipient]


def test_dead_server(lab):
    """The mail server is dead when the CSR is ready and the daemon is killed and started meanwhile: the mail comes
    when the server is back, once."""
    lab.start()
    lab.add()
    lab.end("smtp")
    csr = lab.renew()
    lab.wait_for(lambda: told(lab, "csr-ready").get("attempts", 0) >= 2, 30, "two attempts")
    explained = lab.explain()
    assert "csr-ready, not sent yet, next attempt" in explained and str(lab.smtp_port) in explained, explained
    assert lab.logged("mail-failed"), lab.tail()
    lab.kill9()
    lab.start_daemon()
    attempts = told(lab, "csr-ready")["attempts"]
    assert attempts >= 2 and told(lab, "csr-ready")["sent_at"] is None, told(lab, "csr-ready")
    lab.restart()
    lab.start_smtp()
    mail = lab.wait_for(lambda: lab.mails("csr-ready"), 30, "the mail")[0]
    assert lab.csr_of(mail).split() == csr.split()
    lab.wait_for(lambda: told(lab, "csr-ready")["sent_at"], 10, "explain to know that it is sent")
    lab.restart()
    leaf = lab.deliver(csr)
    lab.wait_for(lambda: lab.mails("deployed"), 40, "the last mail")
    assert lab.served_serial() == serial_of(leaf)
    kinds = [mail["X-Unlapsed-Kind"] for mail in lab.mails()]
    assert sorted(kinds) == ["accepted", "csr-ready", "deployed"], kinds


def test_wrong_password(lab):
    """A wrong password is told in explain and in the log, and nothing is lost: with the right one the mail comes,
    without a restart."""
    lab.start()
    write(lab.path("smtp.password"), "tell nobody\n")
    lab.add()
    lab.renew()
    lab.wait_for(lambda: told(lab, "csr-ready").get("attempts", 0) >= 2, 30, "two attempts")
    notice = told(lab, "csr-ready")
    assert "535" in notice["last_error"] and notice["bad_at"] is None, notice
    assert "535" in lab.explain() and lab.logged("535"), lab.explain()
    assert not lab.logged("tell nobody") and "tell nobody" not in lab.explain()
    write(lab.path("smtp.password"), "correct horse battery staple\n")
    lab.wait_for(lambda: lab.mails("csr-ready"), 30, "the mail")
    assert len(lab.mails()) == 1


def test_refused_recipient(lab):
    """One recipient is refused for good: he is marked and not tried for ever; the other one gets his mails."""
    write(lab.path("mails/answer"), f"rcpt:{NOBODY} 550 5.1.1 no such user here")
    lab.start()
    lab.add()
    csr = lab.renew()
    lab.wait_for(lambda: mails_to(lab, "csr-ready", BOSS), 30, "the mail to the other one")
    lab.wait_for(lambda: told(lab, "csr-ready", NOBODY).get("bad_at"), 20, "the refused one to be marked")
    notice = told(lab, "csr-ready", NOBODY)
    assert notice["attempts"] == 1 and "550" in notice["last_error"] and notice["sent_at"] is None, notice
    explained = lab.explain()
    assert f"{NOBODY}: csr-ready, given up" in explained and "no such user here" in explained, explained
    assert [event for event in lab.history() if event["kind"] == "mail-lost" and NOBODY in event["text"]]
    assert "Also told: " in lab.text_of(mails_to(lab, "csr-ready", BOSS)[0])
    lab.deliver(csr)
    lab.wait_for(lambda: mails_to(lab, "deployed", BOSS), 40, "the last mail")
    assert lab.state() == "ok" and not mails_to(lab, "csr-ready", NOBODY)
    assert len(mails_to(lab, "csr-ready", BOSS)) == 1


def test_greylisting(lab):
    """A server that says "later" (451) gets the same mail again, and takes it once."""
    write(lab.path("mails/answer"), "rcpt 451 4.7.1 greylisted, try again later")
    lab.start()
    lab.add()
    lab.renew()
    lab.wait_for(lambda: told(lab, "csr-ready").get("attempts", 0) >= 2, 30, "two attempts")
    assert told(lab, "csr-ready")["bad_at"] is None and "greylisted" in lab.explain(), lab.explain()
    os.unlink(lab.path("mails/answer"))
    lab.wait_for(lambda: told(lab, "csr-ready")["sent_at"], 30, "the mail to be sent")
    assert len(lab.mails()) == 1


def check_headers(mail):
    assert email.utils.parsedate_to_datetime(mail["Date"]), mail["Date"]
    assert abs(email.utils.parsedate_to_datetime(mail["Date"]).timestamp() - time.time()) < 300, mail["Date"]
    assert re.fullmatch(r"<[^<>@\s]+@demo\.example\.test>", mail["Message-ID"]), mail["Message-ID"]
    assert mail["Auto-Submitted"] == "auto-generated" and mail["MIME-Version"] == "1.0"
    assert mail["To"] == f"<{PEOPLE}>" or mail["To"] == PEOPLE, mail["To"]
    assert "unlapsed@demo.example.test" in mail["From"], mail["From"]
    assert "[demo.example.test]" in mail["Subject"], mail["Subject"]


class Watcher(threading.Thread):
    """Looks at the arguments and environment of every process, all the time."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.ended = {}, threading.Event()

    def run(self):
        while not self.ended.is_set():
            for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
                try:
                    with open(path, "rb") as data:
                        self.seen.setdefault(data.read(), path)
                except OSError:
                    pass
            self.ended.wait(0.005)


def secrets(lab):
    """{what: bytes} that may be nowhere but where they belong."""
    key, sealing = lab.path("nginx/www.key"), lab.path("state/sealing.key")
    text = run("openssl", "pkey", "-in", key, "-noout", "-text").decode()
    scalar = bytes.fromhex("".join(re.search(r"priv:\n((?: +[0-9a-f:]+\n)+)", text)[1].split()).replace(":", ""))
    assert len(scalar.lstrip(b"\0")) >= 30, text
    with open(key, "rb") as data:
        body = [line for line in data.read().splitlines() if not line.startswith(b"-----")]
    with open(sealing, "rb") as data:
        seal = data.read()
    assert len(seal) >= 32
    return {"the key, raw": scalar[-30:], "the key, hexadecimal": scalar[-30:].hex().encode(), "the key, PEM": body[1],
            "the sealing key": seal[:32], "the sealing key, hexadecimal": seal[:32].hex().encode(),
            "the mail password": b"correct horse battery staple"}


def contents(lab):
    """Every file but those that may hold a secret, as (path, bytes); of mails also what they decode to."""
    mine = {lab.path(name) for name in ("nginx/www.key", "state/sealing.key", "smtp.password", "smtp.key")}
    for folder, _, names in os.walk(lab.folder):
        for path in (os.path.join(folder, name) for name in names):
            if path in mine or path.startswith(lab.path("authority")) or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            with open(path, "rb") as data:
                yield path, data.read()
    for number, mail in enumerate(lab.mails()):
        for part in mail.walk():
            if not part.is_multipart():
                yield f"mail {number}, part {part.get_filename()}", part.get_payload(decode=True)


def check_modes(lab):
    """What holds secrets is for its owner alone; what people need is readable; nothing is writable for strangers."""
    private = ("inventory.db", "inventory.db-wal", "inventory.db-shm", "inventory.db.lock", "sealing.key")
    assert stat.S_IMODE(os.stat(lab.path("nginx/www.key")).st_mode) == 0o600
    for folder, folders, names in os.walk(lab.path("state")):
        for path in (os.path.join(folder, name) for name in folders + names):
            st = os.lstat(path)
            mode, name = stat.S_IMODE(st.st_mode), os.path.relpath(path, lab.path("state"))
            if stat.S_ISSOCK(st.st_mode):
                continue
            assert not mode & 0o022, f"{name} has mode {mode:o}"
            if name == "backups":
                assert mode == 0o700, f"{name} has mode {mode:o}"
            elif name in private or name.startswith("backups/"):
                assert mode == 0o600, f"{name} has mode {mode:o}"
            else:
                assert mode & 0o444 == 0o444, f"{name} has mode {mode:o}: people must be able to read it"


def test_contents(lab):
    """The CSR stands in the mail and beside it, headers are as they should be, and no secret is in any mail, file,
    log, argument or environment but where it belongs."""
    watcher = Watcher()
    watcher.start()
    lab.start_nginx()
    lab.start_smtp()
    lab.write_config()
    careless = os.umask(0)
    lab.start_daemon()
    os.umask(careless)
    lab.add()
    csr = lab.renew()
    lab.drop("wrong.html", b"<html><body>wrong</body></html>")
    leaf = lab.deliver(csr)
    lab.wait_for(lambda: lab.mails("deployed"), 40, "the last mail")
    lab.wait_for(lambda: lab.mails("unusable"), 20, "the mail about the wrong file")
    watcher.ended.set()
    watcher.join()
    assert lab.served_serial() == serial_of(leaf)

    ready = lab.mails("csr-ready")[0]
    attached = {part.get_filename(): part.get_payload(decode=True) for part in ready.iter_attachments()}
    assert set(attached) == {"www.csr", "www.txt"}, attached
    assert attached["www.csr"].split() == lab.csr_of(ready).split() == csr.split(), "inline, attached, file: not equal"
    lab.read_csr(attached["www.csr"])
    for mail in lab.mails():
        check_headers(mail)
    ids = [mail["Message-ID"] for mail in lab.mails()]
    assert len(ids) == len(set(ids)), ids
    threads = {mail["X-Unlapsed-Kind"]: mail["References"] for mail in lab.mails()}
    assert threads["csr-ready"] == threads["accepted"] == threads["deployed"] is not None, threads
    assert threads["unusable"] is None, threads

    for what, secret in secrets(lab).items():
        for path, data in contents(lab):
            assert secret not in data, f"{what} is in {path}"
        for data, path in watcher.seen.items():
            assert secret not in data, f"{what} was in {path}: {data!r}"
    for path, data in contents(lab):
        assert not KEY_BEGIN.search(data), f"a private key is in {path}"
    assert [data for data in watcher.seen if b"nginx" in data], "the watcher has seen nothing"
    check_modes(lab)


if __name__ == "__main__":
    run_tests((test_dead_server, make_lab), (test_wrong_password, make_lab),
              (test_refused_recipient, lambda: make_lab(recipients=(NOBODY, BOSS))), (test_greylisting, make_lab),
              (test_contents, make_lab))

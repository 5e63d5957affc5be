#!/usr/bin/env python3
"""Certificates that live for minutes and renew themselves, with an authority that answers without a person."""
import os
import threading

from tap import run_tests
from lab import Lab, serial_of, to_pem

LIFE = 120       # seconds a certificate has left when it is issued
BACKDATE = 120   # authorities let validity begin earlier, for clocks that are slow
LEAD = 105       # so a renewal begins 15 seconds after each; never more than half of the whole life


class Automat(threading.Thread):
    """Signs what appears as NAME.csr in the requests folder, once each and so many, and drops leaf and intermediate as
    one file."""

    def __init__(self, lab, most, name="www"):
        super().__init__(daemon=True)
        self.most = most
        self.lab, self.csr_path = lab, lab.path(f"state/requests/{name}.csr")
        self.signed = []   # (CSR, leaf in DER)
        self.problem = None
        self.ended = threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.2):
            try:
                self.look()
            except Exception as problem:  # pylint: disable=broad-except
                self.problem = problem
                return

    def look(self):
        if len(self.signed) == self.most or not os.path.exists(self.csr_path):
            return
        with open(self.csr_path, "rb") as data:
            csr = data.read()
        if csr in [known for known, _ in self.signed]:
            return
        leaf = self.lab.authority.sign(csr, LIFE, backdate=BACKDATE)
        self.signed.append((csr, leaf))
        self.lab.drop("answer.pem", to_pem(leaf) + self.lab.authority.pem(self.lab.authority.intermediate))

    def end(self):
        self.ended.set()
        self.join()
        assert self.problem is None, self.problem


def kinds_of(lab):
    return [event["kind"] for event in lab.history()]


def test_twice_in_a_row(lab):
    """The certificate is renewed, and so is what replaced it, ahead of its end, each time with a new key."""
    lab.start()
    old = lab.served()
    lab.start_clients()
    automat = Automat(lab, 3)
    lab.add()
    for turn in range(3):
        lab.wait_for(lambda turn=turn: len(automat.signed) > turn or automat.problem, 90, f"CSR {turn + 1}")
        leaf = automat.signed[turn][1]
        lab.wait_for(lambda leaf=leaf: lab.served_serial() == serial_of(leaf), 40, f"certificate {turn + 1}")
        lab.wait_for(lambda turn=turn: kinds_of(lab).count("verified") > turn, 20, "it to be verified")
        assert lab.pair_fits()
    automat.end()
    lab.wait_for(lambda: len(lab.mails("deployed")) == 3 and lab.nothing_left(), 20, "the third confirmation")
    lab.end("clients")

    seen = lab.clients()
    assert seen["failures"] == 0, seen
    wanted = [int(old.serial, 16)] + [int(serial_of(leaf), 16) for _, leaf in automat.signed]
    assert [int(serial, 16) for serial in seen["order"]] == wanted, (seen, wanted)
    assert len({lab.public_key(csr) for csr, _ in automat.signed}) == 3, "a key was used twice"
    # A fourth renewal may have begun meanwhile; its CSR is nobody's.
    mails, events = [mail["X-Unlapsed-Kind"] for mail in lab.mails()], kinds_of(lab)
    assert set(mails) == {"csr-ready", "accepted", "deployed"}, mails
    assert [mails.count(kind) for kind in ("accepted", "deployed")] == [3, 3], mails
    assert mails.count("csr-ready") in (3, 4), mails
    assert [events.count(kind) for kind in ("accepted", "verified")] == [3, 3], events
    assert events.count("started") in (3, 4), events
    assert sorted(os.listdir(lab.path("state/drop/accepted"))) == sorted(
        f"answer{number}.pem{ending}" for number in ("", "-2", "-3") for ending in ("", ".txt"))


def test_authority_comes_late(lab):
    """An authority that is away until after the end: people are told, and its answer is taken when it comes."""
    lab.start()
    lab.add()
    lab.wait_for_csr()
    lab.wait_for(lambda: lab.state() == "expired", 40, "the certificate to expire")
    lab.wait_for(lambda: lab.mails("expired"), 20, "the mail that says so")
    automat = Automat(lab, 1)
    lab.wait_for(lambda: automat.signed, 20, "the authority to sign")
    lab.wait_for(lambda: lab.served_serial() == serial_of(automat.signed[0][1]), 30, "the new one to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    automat.end()
    told = [mail["X-Unlapsed-Kind"] for mail in lab.mails()]
    assert told.count("csr-ready") == 1 and told.count("expired") == 1, told


if __name__ == "__main__":
    run_tests((test_twice_in_a_row, lambda: Lab(remaining=LEAD + 3, lead=f"{LEAD}s", lifetime=LIFE, scan="1s")),
              (test_authority_comes_late, lambda: Lab(remaining=20, lead="15s", lifetime=LIFE, scan="1s")))

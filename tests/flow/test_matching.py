#!/usr/bin/env python3
"""Whom a delivery is for: a PKCS#12 with its key where the policy takes such, a key that leaked, and a certificate that
came before anybody knew its key."""
import os
import stat

from tap import run_tests
from authority import make_csr, make_key, run, to_pem
from lab import Lab, NAME, serial_of

PASSWORD = "correct horse"


def make_lab(**how):
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, **how)


def make_taking_lab():
    """Its policy takes delivered keys, and what held a key is erased."""
    lab = make_lab(policy="    delivered-keys: take\n")
    path = lab.path("drop.passwords")
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
        out.write("another one\n" + PASSWORD + "\n")
    lab.drop_lines = f"  passwords: {path}\n  erase-keys: true\n"
    return lab


def key_lines(path):
    """The lines of a key file that are the key."""
    with open(path, encoding="ascii") as text:
        return [line for line in text.read().splitlines() if len(line) > 40 and " " not in line]


def expect_no_key(lab, lines):
    """No line of a key is in a mail, a receipt, the log or what the daemon says."""
    places = [lab.log] + [os.path.join(folder, name) for folder, _, names in os.walk(lab.path("state/drop"))
                          for name in names if name.endswith(".txt")]
    texts = [lab.text_of(mail) for mail in lab.mails()] + [lab.must("history", "www"), lab.explain()]
    for place in places:
        with open(place, encoding="utf-8", errors="replace") as text:
            texts.append(text.read())
    for line in lines:
        assert not [text for text in texts if line in text], "a key was told"


def test_pkcs12_with_key(lab):
    """A PKCS#12 with key and chain becomes a renewal of the certificate it names and is served; its file is erased,
    and no mail or receipt tells the key."""
    lab.start()
    lab.add()
    key = lab.path("bought.key")
    make_key(key)
    leaf = lab.authority.sign(make_csr(key, NAME), lab.lifetime)
    with open(lab.path("bought.pem"), "wb") as out:
        out.write(to_pem(leaf))
    run("openssl", "pkcs12", "-export", "-inkey", key, "-in", lab.path("bought.pem"), "-certfile",
        lab.authority.intermediate, "-passout", "pass:" + PASSWORD, "-out", lab.path("bought.p12"))
    with open(lab.path("bought.p12"), "rb") as data:
        lab.drop("bought.p12", data.read())
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 40, "the delivered certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    receipt = lab.wait_for(lambda: lab.receipt("bought.p12"), 10, "its receipt")
    for words in ("names the certificate www", "sealed in the inventory", "was erased", "SHA-256 of the file"):
        assert words in receipt, receipt
    filed = os.stat(lab.path("state/drop/accepted/bought.p12"))
    assert filed.st_size == 0 and stat.S_IMODE(filed.st_mode) == 0o600, filed
    assert "key and certificate delivered in bought.p12" in str(lab.show()) + lab.explain() + lab.must("history", "www")
    assert not lab.mails("key-disclosed"), "a key that the policy takes was told as disclosed"
    expect_no_key(lab, key_lines(key))


def test_leaked_key(lab):
    """The key of a served certificate that lies in the drop folder is told at once, as urgent, and nothing changes; a
    certificate for it is refused from then on."""
    lab.start()
    lab.add()
    old, files = lab.served(), lab.fingerprint()
    with open(lab.path("nginx/www.key"), "rb") as data:
        lab.drop("www.key", data.read())
    receipt = lab.wait_for(lambda: lab.receipt("www.key", False), 30, "its receipt")
    for words in ("URGENT", "the key of the certificate www that is in use", "rder with", "revoke the old one"):
        assert words in " ".join(receipt.split()), receipt
    mail = lab.wait_for(lambda: lab.mails("key-disclosed"), 20, "the mail about it")[0]
    assert "URGENT" in lab.text_of(mail) and "unlapse re" in lab.text_of(mail), lab.text_of(mail)
    assert stat.S_IMODE(os.stat(lab.path("state/drop/rejected/www.key")).st_mode) == 0o600
    assert "key-disclosed" in [event["kind"] for event in lab.history()]
    assert "key-disclosed" in lab.explain() or "drop folder" in lab.explain(), lab.explain()
    leaf = lab.authority.sign(make_csr(lab.path("nginx/www.key"), NAME), lab.lifetime)
    lab.drop("more.pem", to_pem(leaf) + lab.authority.pem(lab.authority.intermediate))
    receipt = lab.wait_for(lambda: lab.receipt("more.pem", False), 30, "the receipt of the reissue")
    assert "disclosed-key" in receipt, receipt
    assert lab.served() == old and lab.fingerprint() == files, "the service was touched"
    assert len(lab.mails("key-disclosed")) == 1, "people were told twice"
    expect_no_key(lab, key_lines(lab.path("nginx/www.key")))


def test_before_its_key(lab):
    """A certificate that came before `unlapse add` told its key is kept, and taken by itself then; the receipt of its
    file goes on."""
    lab.start()
    leaf = lab.authority.sign(make_csr(lab.path("nginx/www.key"), NAME), lab.lifetime)
    lab.drop("early.pem", to_pem(leaf) + lab.authority.pem(lab.authority.intermediate))
    receipt = lab.wait_for(lambda: lab.receipt("early.pem", False), 30, "its receipt")
    assert "belongs to no request made here" in receipt and "It is kept" in receipt, receipt
    lab.add()
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 40, "the early certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    lab.wait_for(lambda: "was looked at again" in lab.receipt("early.pem", False), 30, "the receipt to go on")
    assert "Accepted for the certificate www" in lab.receipt("early.pem", False), lab.receipt("early.pem", False)


if __name__ == "__main__":
    run_tests((test_pkcs12_with_key, make_taking_lab), (test_leaked_key, make_lab), (test_before_its_key, make_lab))

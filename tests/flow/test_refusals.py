#!/usr/bin/env python3
"""What does not belong into the drop folder: filed as rejected with a reason a person can act on, told by mail, and
without any effect on the service."""
import glob
import os
import time

from tap import run_tests
from authority import Authority, make_csr, make_key, run, to_pem
from lab import Lab, NAME, serial_of

SHOP = "shop.example.test"
HTML = b"<!DOCTYPE html><html><body><h1>Thank you for your order</h1>-- \xc3\xa4 --</body></html>\n"
HARMLESS = ("half.part", "page.crdownload", "~$letter.docx", ".hidden.pem", "Thumbs.db", "desktop.ini", "x.tmp")


def make_lab():
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, names=(NAME, SHOP))


def openssl_self_signed(lab, subject, *more):
    """What somebody in a hurry makes: openssl req -x509."""
    return run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", lab.path("hurry.key"),
               "-days", "90", "-subj", subject, *more)


def foreign_certificate(lab):
    make_key(lab.path("other.key"))
    return lab.authority.sign(make_csr(lab.path("other.key"), NAME, SHOP), 90 * 86400)


def untrusted(lab, csr):
    """Leaf, intermediate and root of an authority nobody here trusts."""
    other = Authority(lab.path("stranger"), name="Stranger")
    return to_pem(other.sign(csr, 90 * 86400)) + other.pem(other.intermediate) + other.pem(other.root)


def wrong_contents(lab, csr):
    """{file name: (content, words of the reason, kind of the mail)}"""
    sign, days = lab.authority.sign, 86400
    good = to_pem(sign(csr, 90 * days))
    ours, nobodys = "rejected", "unusable"
    return {
        "another-key.crt": (foreign_certificate(lab), ["Not ours", "no request made here"], nobodys),
        "self-signed-san.pem": (openssl_self_signed(lab, "/CN=" + NAME, "-addext", "subjectAltName=DNS:" + NAME),
                                ["self-signed", "no authority issued it"], nobodys),
        "self-signed.pem": (openssl_self_signed(lab, "/CN=" + NAME), ["self-signed", "no authority"], nobodys),
        "self-signed-long.pem": (openssl_self_signed(lab, f"/C=DE/O=Example/CN={NAME}/emailAddress=me@example.test"),
                                 ["self-signed", "no authority"], nobodys),
        "expired.cer": (sign(csr, -600, backdate=86400), ["validity", "expired on"], ours),
        "one-name.cer": (sign(csr, 90 * days, names=[f'dns_name = "{NAME}"']), ["names", SHOP], ours),
        "other-names.cer": (sign(csr, 90 * days, names=['dns_name = "www.example.com"']),
                            ["names", NAME, SHOP, "www.example.com"], ours),
        "for-clients.cer": (sign(csr, 90 * days, usage="tls_www_client"), ["usage", "serverAuth"], ours),
        "shorter.cer": (sign(csr, 20 * days), ["no-downgrade", "in service"], ours),
        "stranger.pem": (untrusted(lab, csr), ["Stranger Root"], ours),
        "truncated.pem": (good[:len(good) // 2], ["truncated: the END line is missing", "no certificate in it"], nobodys),
        "truncated.der": (sign(csr, 90 * days)[:300], ["no certificate in it"], nobodys),
        "www.csr": (csr, ["goes to the authority, not what comes back"], nobodys),
        "order.html": (HTML, ["HTML", "no certificate in it"], nobodys),
        "empty.pem": (b"", ["empty", "no certificate in it"], nobodys),
        "www.key": (lab.authority.pem(lab.path("other.key")), ["NOT TAKEN", "disclosed"], "key-disclosed"),
        "line\nbreak\x1b[2J\udcff.html": (HTML + b"1", ["HTML", "no certificate in it"], nobodys),
        "x" * 250 + ".html": (HTML + b"2", ["HTML", "no certificate in it"], nobodys),
    }


def put_things_that_are_no_files(lab):
    """{name: words of the reason}: what is not read whatever is in it."""
    folder = lab.path("state/drop")
    with open(lab.path("elsewhere.pem"), "wb") as out:
        out.write(HTML)
    os.symlink(lab.path("elsewhere.pem"), f"{folder}/link.pem")
    os.symlink("/nowhere/at/all", f"{folder}/broken-link.pem")
    os.link(lab.path("elsewhere.pem"), f"{folder}/hard-link.pem")
    os.mkfifo(f"{folder}/pipe.pem")
    with open(f"{folder}/huge.pem.part", "wb") as out:
        out.write(b"A" * (2 << 20))
    os.rename(f"{folder}/huge.pem.part", f"{folder}/huge.pem")
    return {"link.pem": ["symbolic link"], "broken-link.pem": ["symbolic link"], "hard-link.pem": ["hard link"],
            "pipe.pem": ["named pipe"], "huge.pem": ["larger than"]}


def receipt_of(lab, name):
    """The receipt of a rejected file, whose name may have been cut to fit."""
    stem = glob.escape(lab.path("state/drop/rejected/" + name[:200]))
    found = glob.glob(stem + "*.txt")
    if not found:
        return None
    with open(found[0], encoding="utf-8") as text:
        return text.read()


def check_receipt(name, receipt, words):
    assert "REJECTED" in receipt, f"{name!r}: {receipt}"
    for word in words:
        assert word in receipt, f"{name!r}: wanted {word!r} in its receipt, got:\n{receipt}"
    assert "\x1b" not in receipt and "\udcff" not in receipt, f"{name!r}: control characters in {receipt!r}"
    assert "0" * 64 not in receipt, f"{name!r}: a hash of nothing in\n{receipt}"
    assert "PRIVATE KEY-----" not in receipt, receipt


def shown(name):
    """A name as texts have it: what is not printable is escaped."""
    return name.replace("\n", "\\x0a").replace("\x1b", "\\x1b").replace("\udcff", "\\xff")


def is_told(lab, name, kind):
    """One mail of the kind names the file."""
    return len([mail for mail in lab.mails(kind) if f'The file "{shown(name)}"' in Lab.text_of(mail)]) == 1


def test_wrong_deliveries(lab):
    """Each wrong delivery is rejected with its reason and told once; nothing served or installed changes; the right
    certificate is still welcome afterwards."""
    lab.start()
    lab.add()
    csr = lab.renew()
    old, files = lab.served(), lab.fingerprint()
    wrong = wrong_contents(lab, csr)
    for name, (content, _, _) in wrong.items():
        lab.drop(name, content) if len(name) < 250 else write(lab.path("state/drop/" + name), content)
    odd = put_things_that_are_no_files(lab)
    for name, (_, words, _) in wrong.items():
        check_receipt(name, lab.wait_for(lambda n=name: receipt_of(lab, n), 30, f"the receipt of {name!r}"), words)
    for name, words in odd.items():
        check_receipt(name, lab.wait_for(lambda n=name: receipt_of(lab, n), 30, f"the receipt of {name}"), words)
    left = [name for name in os.listdir(lab.path("state/drop")) if name not in ("accepted", "rejected")]
    assert not left, f"left in the folder: {left}"
    assert not [name for name in os.listdir(lab.path("state/drop/accepted"))], "something wrong was accepted"
    assert os.path.exists(lab.path("elsewhere.pem")), "the file behind a link was taken"

    for name, kind in [(name, kind) for name, (_, _, kind) in wrong.items()] + [(name, "unusable") for name in odd]:
        lab.wait_for(lambda n=name, k=kind: is_told(lab, n, k), 30, f"one mail ({kind}) about {name!r}")
    assert lab.served() == old and lab.fingerprint() == files and lab.nothing_left(), "the service was touched"
    assert lab.state() == "rejected", lab.state()
    assert "refused" in lab.explain(), lab.explain()

    leaf = lab.deliver(csr, name="right.pem")
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the right certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)


def test_unfinished(lab):
    """Names of unfinished files stay where they are; a file that grows slowly is taken whole; one that was dropped
    while the daemon was away is taken at its start."""
    lab.start()
    lab.add()
    csr = lab.renew()
    drop = lab.path("state/drop")
    for name in HARMLESS:
        write(f"{drop}/{name}", HTML)
    os.mkdir(f"{drop}/a folder")
    leaf = lab.authority.sign(csr, lab.lifetime)
    whole = to_pem(leaf) + lab.authority.pem(lab.authority.intermediate)
    step = len(whole) // 10 + 1
    with open(f"{drop}/slow.pem", "wb", buffering=0) as out:
        for at in range(0, len(whole), step):
            out.write(whole[at:at + step])
            time.sleep(0.3)
    lab.wait_for(lambda: lab.receipt("slow.pem"), 30, "the receipt of the slow file")
    with open(f"{drop}/accepted/slow.pem", "rb") as taken:
        assert taken.read() == whole
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the slow certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    assert not os.listdir(f"{drop}/rejected"), os.listdir(f"{drop}/rejected")

    csr = lab.renew()
    assert lab.end("unlapsed") == 0
    leaf = lab.deliver(csr, name="meanwhile.pem")
    time.sleep(1)
    lab.start_daemon()
    lab.wait_for(lambda: lab.receipt("meanwhile.pem"), 30, "the receipt of the file from before the start")
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "its certificate to be served")
    assert sorted(os.listdir(drop)) == sorted([*HARMLESS, "a folder", "accepted", "rejected"]), os.listdir(drop)


def test_stranger_in_parts(lab):
    """A leaf whose chain turns out to end in an untrusted root is not installed, and people hear at once that the root
    is not trusted; when an administrator trusts it, everything goes on by itself."""
    lab.start()
    lab.add()
    csr = lab.renew()
    old, files = lab.served(), lab.fingerprint()
    other = Authority(lab.path("stranger"), name="Stranger")
    leaf = other.sign(csr, lab.lifetime)
    lab.drop("leaf.cer", leaf)
    lab.wait_for(lambda: lab.receipt("leaf.cer"), 30, "the leaf's receipt")
    lab.drop("chain.p7b", other.chain())
    receipt = lab.wait_for(lambda: lab.receipt("chain.p7b"), 30, "the receipt of its chain")
    assert 'not trusted: "CN=Stranger Root"' in receipt, receipt
    lab.wait_for(lambda: "Stranger Root" in lab.receipt("leaf.cer"), 10, "the leaf's receipt to say it too")
    lab.wait_for(lambda: "Stranger Root" in lab.explain(), 10, "explain to name the root")
    mail = lab.wait_for(lambda: lab.mails("waiting-chain"), 20, "the mail that names the root")[0]
    assert "Stranger Root" in lab.text_of(mail) and "anchors.files" in lab.text_of(mail), lab.text_of(mail)
    lab.drop("chain again.p7b", other.chain())
    lab.wait_for(lambda: lab.receipt("chain again.p7b"), 30, "the receipt of the repeated chain")
    assert lab.served() == old and lab.fingerprint() == files and lab.nothing_left(), "the service was touched"

    lab.anchors.append(other.root)
    lab.write_config()
    lab.reload_daemon()
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the certificate to be served once trusted")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    assert len(lab.mails("waiting-chain")) == 1, "people were told twice"


if __name__ == "__main__":
    run_tests((test_wrong_deliveries, make_lab), (test_unfinished, make_lab), (test_stranger_in_parts, make_lab))

#!/usr/bin/env python3
"""The happy road: due, CSR by mail, leaf before its chain, completed, deployed, verified, told."""
from tap import run_tests
from lab import Lab, NAME, PEOPLE, serial_of


def test_leaf_first(lab):
    """A DER leaf that arrives before its root-first PKCS#7 waits, and the road is then finished."""
    lab.start()
    old = lab.served()
    lab.authority.rotate()
    lab.start_clients()
    lab.add()
    csr = lab.wait_for_csr()
    mail = lab.mails("csr-ready")[0]
    assert mail["X-Envelope-To"] == PEOPLE, mail["X-Envelope-To"]
    assert any((part.get_filename() or "").endswith(".csr") for part in mail.iter_attachments()), "no CSR attached"
    with open(lab.path("state/requests/www.csr"), "rb") as written:
        assert written.read().split() == csr.split(), "the written CSR is not the mailed one"
    assert lab.served() == old and lab.pair_fits(), "the live pair was touched"

    leaf = lab.authority.sign(csr, 86400)
    lab.drop("certificate.cer", leaf)
    lab.wait_for(lambda: lab.receipt("certificate.cer"), 20, "the receipt of the leaf")
    lab.wait_for(lambda: lab.state() == "waiting chain", 20, "the leaf to wait for its chain")
    assert lab.served() == old, "a leaf without its chain was installed"

    lab.drop("chain.p7b", lab.authority.chain())
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the new certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    lab.wait_for(lambda: lab.mails("deployed"), 20, "the mail that says so")
    verified, sent = lab.served_chain()
    assert verified and len(sent) == 2, f"wanted leaf and intermediate, got {sent}"
    assert lab.pair_fits() and lab.nothing_left()
    lab.end("clients")
    seen = lab.clients()
    assert seen["failures"] == 0, seen
    assert [int(serial, 16) for serial in seen["order"]] == [int(old.serial, 16), int(serial_of(leaf), 16)], seen
    kinds = [mail["X-Unlapsed-Kind"] for mail in lab.mails()]
    assert len(kinds) == len(set(kinds)), f"a mail was sent twice: {kinds}"


def test_names(lab):
    """The names of the CSR are those that were asked for."""
    lab.start()
    lab.add()
    csr = lab.wait_for_csr()
    text = lab.read_csr(csr)
    assert f"DNS:{NAME}" in text and "shop.example.test" in text, text


if __name__ == "__main__":
    run_tests((test_leaf_first, Lab), (test_names, lambda: Lab(names=(NAME, "shop.example.test"), key_type="rsa-2048")))

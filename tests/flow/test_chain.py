#!/usr/bin/env python3
"""Chains that end before their certificates, and intermediates that an authority publishes on the web."""
import http.server
import os
import threading
import time

from tap import run_tests
from authority import run, stamp, to_pem
from lab import Lab, free_port, serial_of

CHAIN = 60  # seconds that the first intermediate has left


class Web(threading.Thread):
    """What an authority publishes: path to bytes, on loopback; `asked` is every path that was asked for."""

    def __init__(self):
        super().__init__(daemon=True)
        web = self
        self.pages, self.asked = {}, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                web.asked.append(self.path)
                body = web.pages.get(self.path)
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self.port = self.server.server_address[1]
        self.start()

    def run(self):
        self.server.serve_forever()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"


def reissue(lab, seconds):
    """The same intermediate (name and key), good from yesterday for so many seconds from now; in DER."""
    authority = lab.authority
    template = [f'cn = "Example Issuing CA {authority.generation}"', "ca", "cert_signing_key", "path_len = 0",
                f'activation_date = "{stamp(time.time() - 86400)}"', f'expiration_date = "{stamp(time.time() + seconds)}"']
    with open(lab.path("reissue.tpl"), "w", encoding="ascii") as out:
        out.write("\n".join(template) + "\n")
    run("certtool", "--generate-certificate", "--load-privkey", authority.path("intermediate.key"),
        "--load-ca-certificate", authority.root, "--load-ca-privkey", authority.path("root.key"),
        "--template", lab.path("reissue.tpl"), "--outfile", lab.path("reissue.pem"))
    return run("openssl", "x509", "-in", lab.path("reissue.pem"), "-outform", "DER")


def sent_chain(lab):
    """Serials of what nginx sends after the leaf, by a fresh handshake of openssl's."""
    text = run("openssl", "s_client", "-connect", f"127.0.0.1:{lab.https_port}", "-servername", lab.names[0], "-showcerts",
               stdin=b"").decode()
    blocks = [part.split("-----END")[0] for part in text.split("-----BEGIN CERTIFICATE-----")[1:]]
    pems = [f"-----BEGIN CERTIFICATE-----{block}-----END CERTIFICATE-----\n".encode() for block in blocks]
    return [run("openssl", "x509", "-outform", "DER", stdin=pem) for pem in pems]


def test_intermediate_ends_first(lab):
    """An intermediate in use ends before its certificate: people hear of it, its next one is dropped, and nginx sends that
    one with the same certificate, without one failed connection."""
    lab.start()
    lab.start_clients()
    lab.add()
    csr = lab.wait_for_csr()
    lab.authority.rotate()  # what was adopted with nginx's first chain is of no use
    ending = reissue(lab, CHAIN)
    leaf = lab.authority.sign(csr, 86400)
    lab.drop("bundle.pem", to_pem(leaf) + to_pem(ending))
    lab.wait_for(lambda: sent_chain(lab) == [leaf, ending], 40, "nginx to send the chain that ends")
    lab.wait_for(lambda: lab.state() == "chain ends", 40, "the chain to be near its end")
    lab.wait_for(lambda: lab.mails("chain-ends"), 20, "the mail that says so")
    text = lab.text_of(lab.mails("chain-ends")[0])
    assert "Example Issuing CA 2" in text and lab.path("state/drop") in text, text
    explained = lab.explain()
    assert "before the certificate itself" in explained and "waiting for a person" in explained, explained
    assert lab.show()["accepted"]["chain_not_after"] < lab.show()["accepted"]["not_after"]

    lasting = reissue(lab, 86400 * 300)
    lab.drop("new-ca.cer", lasting)
    lab.wait_for(lambda: sent_chain(lab) == [leaf, lasting], 40, "nginx to send the new chain")
    assert lab.served_chain()[0], lab.served_chain()
    lab.wait_for(lambda: lab.mails("rechained"), 20, "the mail that says so")
    lab.wait_for(lambda: lab.state() == "ok" and lab.nothing_left(), 20, "it to be ok")
    assert lab.pair_fits()
    receipt = lab.wait_for(lambda: lab.receipt("new-ca.cer"), 20, "the receipt")
    assert "1 are looked at again because of this" in receipt, receipt
    lab.end("clients")
    seen = lab.clients()
    assert seen["failures"] == 0, seen
    assert int(seen["order"][-1], 16) == int(serial_of(leaf), 16) and len(seen["order"]) == 2, seen
    kinds = [event["kind"] for event in lab.history()]
    assert [kinds.count(kind) for kind in ("accepted", "rechained", "chain-ends")] == [1, 1, 1], kinds
    told = [mail["X-Unlapsed-Kind"] for mail in lab.mails()]
    assert sorted(told) == ["accepted", "chain-ends", "csr-ready", "deployed", "rechained"], told


def fetching(lab, web, allow):
    """A leaf that names the web server as the place of its issuer's certificate, dropped alone."""
    lab.start_nginx()
    lab.start_smtp()
    lab.write_config(f"aia:\n  ports: [{web.port}]\n" + (f"  allow: [{allow}]\n" if allow else ""))
    lab.start_daemon()
    lab.add()
    csr = lab.wait_for_csr()
    lab.authority.rotate()
    web.pages["/ca.cer"] = run("openssl", "x509", "-in", lab.authority.intermediate, "-outform", "DER")
    leaf = lab.authority.sign(csr, 86400, names=["honor_crq_ext = 2.5.29.17", f'ca_issuers_uri = "{web.url("/ca.cer")}"'])
    lab.drop("leaf.cer", leaf)
    return leaf


def test_intermediate_is_published(lab):
    """With "aia: on" a leaf that comes alone gets its intermediate from the authority's web server."""
    web = Web()
    leaf = fetching(lab, web, "127.0.0.0/8")
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 60, "the new certificate to be served")
    assert lab.served_chain()[0], lab.served_chain()
    assert web.asked == ["/ca.cer"], web.asked
    receipt = lab.wait_for(lambda: "chain is complete" in (lab.receipt("leaf.cer") or "") and lab.receipt("leaf.cer"), 20,
                           "the receipt to go on")
    assert web.url("/ca.cer") in receipt, receipt
    kinds = [event["kind"] for event in lab.history()]
    assert kinds.count("fetched") == 1 and kinds.count("accepted") == 1, kinds


def test_inside_is_not_asked(lab):
    """The same without an exception for loopback: the URL leads inside, and nobody is asked."""
    web = Web()
    fetching(lab, web, "")
    lab.wait_for(lambda: [event for event in lab.history() if event["kind"] == "not-fetched"], 40, "the refusal")
    text = [event["text"] for event in lab.history() if event["kind"] == "not-fetched"][0]
    assert "is a loopback address" in text, text
    assert web.asked == [] and lab.state() == "waiting chain", (web.asked, lab.state())


if __name__ == "__main__":
    os.environ["http_proxy"] = "http://127.0.0.1:1"
    AIA = "    aia: on\n"
    run_tests((test_intermediate_ends_first, lambda: Lab(scan="1s")),
              (test_intermediate_is_published, lambda: Lab(scan="1s", policy=AIA)),
              (test_inside_is_not_asked, lambda: Lab(scan="1s", policy=AIA)))

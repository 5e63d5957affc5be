#!/usr/bin/env python3
"""The trust anchors of the administrator: an authority nobody knows, trusted by a command, and distrusted again."""
import json
import os
import socket

from tap import Skip, run_tests
from authority import to_pem
from lab import Lab, serial_of

STORE = "/etc/ssl/certs/ca-certificates.crt"
NOBODY = 65534


class SystemLab(Lab):
    """Trusts the system's store and nothing else: the authority of the lab is a stranger's."""

    def write_config(self, extra=""):
        super().write_config(extra)
        path = self.path("policies/demo.yaml")
        with open(path, encoding="utf-8") as text:
            policy = text.read()
        ours = f"system: false\n      files: [{', '.join(self.anchors)}]"
        assert ours in policy, policy
        with open(path, "w", encoding="utf-8") as out:
            out.write(policy.replace(ours, "system: true\n      files: []"))


def make_lab():
    return SystemLab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400)


def root_of(lab):
    return lab.authority.pem(lab.authority.root)


def test_unknown_root(lab):
    """A delivery whose root nobody trusts waits, and its receipt names the command; after it the certificate is
    accepted and served. Once the root is removed nothing changes on the service, and the next delivery is refused."""
    if not os.path.exists(STORE):
        raise Skip(f"there is no {STORE}")
    lab.start()
    lab.add()
    old, files = lab.served(), lab.fingerprint()
    leaf = lab.deliver(lab.renew())
    lab.wait_for(lambda: lab.receipt("delivery.pem"), 30, "the receipt")
    lab.drop("root.pem", root_of(lab))
    receipt = lab.wait_for(lambda: lab.receipt("root.pem"), 30, "the root's receipt")
    assert "not trusted" in receipt and '"unlapse trust add' in receipt, receipt
    lab.wait_for(lambda: "unlapse trust add" in lab.receipt("delivery.pem"), 20, "the leaf's receipt to name the command")
    assert "unlapse trust add" in lab.explain(), lab.explain()
    assert lab.served() == old and lab.fingerprint() == files, "the service was touched"

    lab.must("trust", "add", lab.authority.root, "--comment", "of the lab")
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the certificate to be served once trusted")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    assert lab.unlapse("trust", "add", lab.authority.root)[0] == 3
    anchors = lab.unlapse("trust", "list", "--json")[2]["anchors"]
    assert len(anchors) == 1 and anchors[0]["comment"] == "of the lab", anchors
    pool = lab.unlapse("trust", "list", "--pool", "--json")[2]["authorities"]
    assert [one["anchored"] for one in pool if one["used_at"]] == [True], pool

    lab.must("trust", "remove", anchors[0]["sha256"][:16])
    served, files = lab.served(), lab.fingerprint()
    csr = lab.renew()
    lab.drop("next.pem", to_pem(lab.authority.sign(csr, 95 * 86400)) + lab.authority.pem(lab.authority.intermediate))
    receipt = lab.wait_for(lambda: lab.receipt("next.pem", accepted=False), 30, "the receipt of the next delivery")
    assert "not trusted" in receipt and "unlapse trust add" in receipt, receipt
    assert lab.served() == served and lab.fingerprint() == files and lab.nothing_left(), "the service was touched"
    kinds = [event["kind"] for event in lab.unlapse("history", "--json")[2]["events"]]
    assert kinds.count("trust-added") == 1 and kinds.count("trust-removed") == 1, kinds


def ask_as_nobody(path, request):
    """The first line of the answer to a process of user nobody."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            with socket.socket(socket.AF_UNIX) as api:
                api.connect(path)
                api.sendall(request)
                theirs.sendall(api.recv(4096))
        finally:
            os._exit(0)
    theirs.close()
    answer = ours.recv(4096)
    ours.close()
    os.waitpid(child, 0)
    return answer.split(b"\r\n")[0].decode()


def test_others_may_not(lab):
    """Who is neither root nor in the admin group is refused, and nothing is trusted because of them."""
    if os.geteuid() != 0:
        raise Skip("needs root to become somebody else")
    if not os.path.exists(STORE):
        raise Skip(f"there is no {STORE}")
    lab.start()
    os.chmod(lab.folder, 0o711)
    body = json.dumps({"pem": root_of(lab).decode()}).encode()
    for method, path, sent in (("POST", "/v1/trust", body), ("DELETE", "/v1/trust/0123456789", b""),
                               ("GET", "/v1/trust", b"")):
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(sent)}\r\n\r\n"
        answer = ask_as_nobody(lab.socket, head.encode() + sent)
        assert " 403 " in answer, f"{method} {path}: {answer!r}"
    assert lab.unlapse("trust", "list", "--json")[2]["anchors"] == []


if __name__ == "__main__":
    run_tests((test_unknown_root, make_lab), (test_others_may_not, make_lab))

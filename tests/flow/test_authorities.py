#!/usr/bin/env python3
"""The road with authorities that are not ours, with every key type, in the forms and orders in which they deliver.

Each row is a certificate, a policy, an authority with roots of its own and a server of its own in one nginx; all
roads are walked at the same time, by one daemon. Arguments choose rows by name.
"""
import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
import traceback

import wrappings as form
from authorities import Certtool, Cfssl, EasyRsa, OpensslCa, PssCa, read
from authority import make_csr, make_key, run, to_pem
from lab import Lab, free_port, listens

KEY_TEXTS = {"ec-p256": "id-ecPublicKey 256", "ec-p384": "id-ecPublicKey 384", "rsa-2048": "rsaEncryption 2048",
             "rsa-3072": "rsaEncryption 3072", "rsa-4096": "rsaEncryption 4096", "ed25519": "ED25519"}
LINGER = 2       # seconds between a file that was taken and the next one
ROADS_SECONDS = 240

# authority: (class, key, intermediates). key: the daemon's. send(leaf, intermediates, root), all PEM as the tools
# wrote them: [(file name, bytes)], dropped one after the other, each when the one before was taken. waits: a leaf
# comes before its chain.
Row = collections.namedtuple("Row", "name authority key send waits names", defaults=(False, ()))


def text_then_chain(leaf, intermediates, root):
    return [("newcert.pem", leaf), ("cacert.pem", b"".join(intermediates) + root)]


def chain_then_leaf(leaf, intermediates, root):
    return [("sub-ca.crt", b"".join(intermediates)), ("issued.crt", leaf)]


def bundle(wrapping=bytes, name="bundle.pem", order="leaf first", with_root=True):
    """Everything in one file."""
    def send(leaf, intermediates, root):
        parts = [form.blocks(part)[0] for part in [leaf, *intermediates]] + ([root] if with_root else [])
        if order == "root first":
            parts.reverse()
        elif order == "leaf last":
            parts = parts[1:] + parts[:1]
        return [(name, wrapping(b"".join(parts)))]
    return send


def one_by_one(leaf, intermediates, root):
    """The leaf in DER under a wrong ending, then each intermediate, the most distant first."""
    files = [("certificate.txt", form.der(leaf))]
    return files + [(f"intermediate {number}.PFX", part) for number, part in enumerate(reversed(intermediates))]


ODD_NAMES = ("-rf.cer", "Zertifikat f\u00fcr \u201ewww\u201c (1).CRT.docx", "a b\t'$(id)'\"\n;.p7b",
             os.fsdecode(b"\xff\xfe latin-\xe4.cer"), "x" * 230 + ".pem", "www")


def odd_names(leaf, intermediates, root):
    """Nothing of a name says what is in the file; all of them are taken."""
    files = [root, form.pkcs7_der(intermediates[0]), form.dump(root), form.adcs(intermediates[0]), form.der(root),
             form.der(leaf)]
    return list(zip(ODD_NAMES, files))


MANY_NAMES = ("dns:many.example.test", "dns:*.many.example.test", "ip:127.0.0.1", "ip:2001:db8::1",
              "email:post@example.test", "uri:https://many.example.test/id")
MANY_TEXTS = ("DNS:many.example.test", "DNS:*.many.example.test", "IP Address:127.0.0.1",
              "IP Address:2001:DB8:0:0:0:0:0:1", "email:post@example.test", "URI:https://many.example.test/id")

ROWS = (
    Row("openssl-text", (OpensslCa, "rsa-2048", 1), "ec-p256", text_then_chain, waits=True),
    Row("openssl-ec", (OpensslCa, "ec-p384", 2), "rsa-2048", bundle(form.dump, "all.txt", "root first")),
    Row("easyrsa-root", (EasyRsa, "rsa-2048", 0), "ec-p384", lambda leaf, between, root: [("issued.crt", leaf)]),
    Row("easyrsa-sub", (EasyRsa, "ec-p384", 1), "rsa-3072", chain_then_leaf),
    Row("cfssl-ec", (Cfssl, "ec-p256", 1), "ec-p256", bundle(order="leaf last")),
    Row("cfssl-rsa", (Cfssl, "rsa-2048", 2), "rsa-2048", bundle(form.pkcs7_pem, "chain.p7c"),
        names=("dns:cfssl-rsa.example.test", "ip:192.0.2.1", "email:a@example.test")),
    Row("ed25519", (Certtool, "ed25519", 2), "ed25519", bundle(order="root first")),
    Row("ed25519-by-rsa", (Certtool, "rsa-3072", 1), "ed25519", bundle(form.pkcs7_der, "certs.p7b")),
    Row("certtool-p7", (Certtool, "ec-p256", 1), "rsa-2048", bundle(form.pkcs7_certtool, "certs.cer")),
    Row("adcs", (Certtool, "rsa-2048", 1), "rsa-2048", bundle(form.adcs, "certnew.cer")),
    Row("two-between", (Certtool, "ec-p384", 2), "ec-p384", one_by_one, waits=True),
    Row("crlf", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.crlf, "windows.crt")),
    Row("bom", (OpensslCa, "ec-p256", 1), "ec-p256", bundle(form.byte_order_mark, "notepad.txt", "leaf last")),
    Row("prose", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.prose, "mail.txt")),
    Row("bags", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.bag_attributes, "export.pem", "root first")),
    Row("quoted", (OpensslCa, "ec-p256", 1), "ec-p256", bundle(form.quoted, "answer.eml")),
    Row("twice-quoted", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.twice_quoted, "answer.msg")),
    Row("utf16", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.utf16, "notepad.txt", "root first")),
    Row("typographic", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.typographic, "letter.txt")),
    Row("json", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.json_string, "answer.json", "leaf last")),
    Row("web-page", (OpensslCa, "ec-p256", 1), "ec-p256", bundle(form.web_page, "download.htm")),
    Row("printable", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.quoted_printable, "body.txt")),
    Row("bare", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.bare, "form.txt", "root first")),
    Row("mail", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.mail, "order.eml")),
    Row("mail-text", (OpensslCa, "ec-p256", 1), "ec-p256", bundle(form.mail_text, "forwarded.eml", "leaf last")),
    Row("indented", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.indented, "values.yaml")),
    Row("glued", (Certtool, "ec-p256", 2), "ec-p256", bundle(form.glued, "glued", "root first")),
    Row("one-line", (Cfssl, "ec-p256", 1), "ec-p256", bundle(form.one_line, "form.html", with_root=False)),
    Row("trusted", (OpensslCa, "rsa-2048", 1), "ec-p256", bundle(form.trusted, "trusted.key")),
    Row("odd-names", (Certtool, "ec-p256", 1), "ec-p256", odd_names),
    Row("many", (OpensslCa, "ec-p256", 1), "ec-p256", text_then_chain, waits=True, names=MANY_NAMES),
    Row("pss", (PssCa, "rsa-3072", 1), "rsa-2048", bundle(form.pkcs7_der, "certnew.p7b")),
    Row("p521", (OpensslCa, "ec-p521", 1), "ec-p384", chain_then_leaf),
    Row("ber", (Certtool, "ec-p256", 1), "ec-p256", bundle(form.pkcs7_ber, "bouncy.p7b")),
    Row("rsa-4096", (Certtool, "rsa-2048", 1), "rsa-4096", bundle()),
)


class Road:
    """One row on its way."""

    def __init__(self, row, lab):
        self.row, self.lab = row, lab
        self.port = free_port()
        self.names = row.names or ("dns:" + row.name + ".example.test",)
        self.host = self.names[0].partition(":")[2]
        self.files, self.csr, self.leaf = None, None, None
        self.dropped, self.pause_until = [], 0
        kind, key, depth = row.authority
        self.authority = kind(lab.path("authority-" + row.name), key, depth)

    def path(self, ending):
        return self.lab.path(f"nginx/{self.row.name}.{ending}")

    def prepare(self):
        """What the server starts with, made without unlapsed by an authority that is left behind."""
        make_key(self.path("key"))
        leaf = self.lab.authority.sign(make_csr(self.path("key"), self.host), self.lab.remaining, backdate=3600)
        with open(self.path("crt"), "wb") as out:
            out.write(to_pem(leaf) + self.lab.authority.pem(self.lab.authority.intermediate))

    def server(self):
        return (f"server {{ listen 127.0.0.1:{self.port} ssl; server_name {self.host};"
                f" ssl_certificate {self.path('crt')}; ssl_certificate_key {self.path('key')}; }}\n")

    def policy(self):
        return (f"  {self.row.name}:\n    extends: demo\n    key: {self.row.key}\n"
                f"    anchors: {{system: false, files: [{self.authority.root}]}}\n")

    def add(self):
        words = [word for name in self.names for word in ("--name", name)]
        target = (f"demo-nginx,key={self.path('key')},fullchain={self.path('crt')},"
                  f"endpoint=127.0.0.1:{self.port}/{self.host}")
        status, text, _ = self.lab.unlapse("add", self.row.name, *words, "--policy", self.row.name, "--target", target)
        if status != 0:
            raise AssertionError(f"add {self.row.name}: exit {status}: {text}{self.lab.complaint}")

    def step(self):
        """Whatever is next; true at the end of the road."""
        if self.csr is None:
            found = [mail for mail in self.lab.mails("csr-ready") if mail["X-Unlapsed-Certificate"] == self.row.name]
            if not found:
                return False
            self.csr = self.lab.csr_of(found[0])
            raw = self.authority.sign(self.csr)
            self.leaf = form.der(raw)
            sent = self.row.send(raw, self.authority.intermediates, read(self.authority.root))
            # Names that no other row has, but for those whose oddity is the point.
            odd = self.row.send is odd_names
            self.files = [(name if odd else f"{self.row.name} {name}", data) for name, data in sent]
        if self.dropped and not self.lab.receipt(self.dropped[-1]):
            if self.lab.receipt(self.dropped[-1], accepted=False):
                raise AssertionError(f"refused: {self.lab.receipt(self.dropped[-1], accepted=False)}")
            self.pause_until = time.monotonic() + LINGER
            return False
        if self.files:
            if time.monotonic() > self.pause_until:
                name, data = self.files.pop(0)
                self.lab.drop(name, data)
                self.dropped.append(name)
            return False
        return self.lab.state(self.row.name) == "ok" and form.der(self.sent()[0]) == self.leaf

    def sent(self):
        """The certificates that the server sends, in order, in PEM; verified against this root alone."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-servername", self.host,
                               "-verify_hostname", self.host, "-CAfile", self.authority.root, "-no-CAstore",
                               "-no-CApath", "-verify_return_error", "-showcerts"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20, check=False)
        self.verified = done.returncode == 0
        return form.blocks(done.stdout)

    def judge(self):
        row, lab = self.row, self.lab
        sent = [form.der(pem) for pem in self.sent()]
        wanted = [self.leaf] + [form.der(pem) for pem in self.authority.intermediates]
        assert sent == wanted, f"wanted leaf and {len(wanted) - 1} intermediates in order, got {len(sent)} certificates"
        assert self.verified, "openssl does not verify what is served"
        assert form.key_text(self.csr) == KEY_TEXTS[row.key], form.key_text(self.csr)
        with open(self.path("key"), "rb") as key:
            public = run("openssl", "pkey", "-pubout", stdin=key.read())
        assert public == run("openssl", "req", "-noout", "-pubkey", stdin=self.csr), "another key is installed"
        text = lab.read_csr(self.csr)
        found = re.search(r"X509v3 Subject Alternative Name:[^\n]*\n\s*([^\n]*)", text)[1].split(", ")
        texts = MANY_TEXTS if self.names is MANY_NAMES else [
            {"dns": "DNS:", "ip": "IP Address:", "email": "email:"}[kind] + name
            for kind, _, name in (full.partition(":") for full in self.names)]
        assert sorted(found) == sorted(texts), found
        kinds = collections.Counter(event["kind"] for event in lab.history(row.name))
        for kind in ("requested", "accepted", "verified"):
            assert kinds[kind] == 1, kinds
        assert bool(kinds["received"]) == row.waits, f"waits: wanted {row.waits}, got events {kinds}"
        assert not kinds["rejected"] and not kinds["rolled-back"], kinds


class Town(Lab):
    """One nginx with a server for each row."""

    def __init__(self, rows):
        super().__init__(remaining=900, lead="20m", settle="1s", scan="1s")
        self.policy = "    verify: {handshakes: 2, patience: 15s}\n"
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.roads = list(pool.map(lambda row: Road(row, self), rows))

    def start_nginx(self):
        for road in self.roads:
            road.prepare()
        nginx = self.path("nginx")
        with open(self.path("nginx/nginx.conf"), "w", encoding="ascii") as out:
            out.write(f"daemon off;\npid {nginx}/nginx.pid;\nworker_processes 1;\nevents {{ }}\n"
                      f"http {{\naccess_log off;\nserver_names_hash_bucket_size 128;\n"
                      + "".join(f"{word}_temp_path {nginx}/{word};\n" for word in
                                ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
                      + "".join(road.server() for road in self.roads) + "}\n")
        self.spawn("nginx", shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nginx",
                   "-e", self.path("nginx/error.log"), "-c", self.path("nginx/nginx.conf"))
        self.wait_for(lambda: all(listens(road.port) for road in self.roads), 20, "nginx to listen")

    def write_config(self, extra=""):
        super().write_config(extra)
        with open(self.path("policies/rows.yaml"), "w", encoding="ascii") as out:
            out.write("policies:\n" + "".join(road.policy() for road in self.roads))

    def walk(self):
        """All roads at once: {road: what went wrong}."""
        wrong, left, deadline = {}, [], time.monotonic() + ROADS_SECONDS
        for road in self.roads:
            try:
                road.add()
                left.append(road)
            except AssertionError as problem:
                wrong[road] = str(problem)
        while left and time.monotonic() < deadline:
            for road in list(left):
                try:
                    if road.step():
                        left.remove(road)
                        road.judge()
                except (AssertionError, RuntimeError):
                    wrong[road] = traceback.format_exc()
                    left = [one for one in left if one is not road]
            time.sleep(0.1)
        for road in left:
            wrong[road] = f"the road did not end within {ROADS_SECONDS} s: {self.state(road.row.name)}\n{self.tail()}"
        return wrong


def main():
    rows = [row for row in ROWS if len(sys.argv) == 1 or row.name in sys.argv[1:]]
    print(f"1..{len(rows) + 1}", flush=True)
    with Town(rows) as lab:
        lab.start()
        wrong = lab.walk()
        for number, road in enumerate(lab.roads, 1):
            kind, key, depth = road.row.authority
            print(f"{'not ok' if road in wrong else 'ok'} {number} {road.row.name}: {kind.__name__} {key},"
                  f" {depth} intermediates, our key {road.row.key}", flush=True)
            for line in wrong.get(road, "").splitlines():
                print(f"# {line}", flush=True)
        left = [name for name in os.listdir(lab.path("nginx")) if ".unlapsed-" in name]
        left += [name for name in os.listdir(lab.path("state/drop")) if name not in ("accepted", "rejected")]
        print(f"{'not ok' if left else 'ok'} {len(rows) + 1} nothing is left over: {left}", flush=True)
    sys.exit(1 if wrong or left else 0)


if __name__ == "__main__":
    main()

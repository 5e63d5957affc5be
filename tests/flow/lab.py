"""A laboratory on loopback for flow tests and the demo: nginx, an SMTP server, an authority, clients, the daemon.

    with Lab() as lab:
        lab.start()
        lab.add()
        csr = lab.wait_for_csr()
        lab.drop("leaf.cer", lab.authority.sign(csr, 3600))
        lab.wait_for(lambda: lab.served().serial != old, 30, "the new certificate to be served")

Everything stands in one temporary folder, on free ports, and ends with the `with` block, by process id. Needs nothing
but python3's own library; the SMTP server runs under Debian's python3 with python3-aiosmtpd. A failing wait says what
the daemon logged last.
"""
import collections
import ctypes
import email
import email.policy
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from authority import Authority, drop, make_csr, make_key, run, to_pem  # noqa: E402  pylint: disable=wrong-import-position

DEBIAN_PYTHON = "/usr/bin/python3"
NAME = "www.example.test"
PEOPLE = "webmaster@example.test"

Served = collections.namedtuple("Served", "serial sha256 der")


def free_port():
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def serial_of(der):
    """The serial number of a certificate in hexadecimal (RFC 5280 4.1: the first INTEGER of tbsCertificate)."""

    def header(at):
        length, at = der[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(der[at:at + octets], "big"), at + octets
        return at, length

    at, _ = header(header(0)[0])
    if der[at] == 0xA0:
        start, length = header(at)
        at = start + length
    start, length = header(at)
    return f"{int.from_bytes(der[start:start + length], 'big'):x}"


def tie_to_parent():
    """In the child: end when the parent ends, however it ends (prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Lab:
    """See the head of this file. Everything that differs between tests is a keyword."""

    def __init__(self, build=None, keep=False, remaining=150, lead="140s", lifetime=86400, key_type="ec-p256",
                 authority_key="ec-p256", names=(NAME,), policy="", services="", settle="1s", scan="2s",
                 recipients=(PEOPLE,), drop=""):
        self.build = build or os.environ.get("BUILD_ROOT") or os.path.join(HERE, "..", "..", "build")
        self.keep = keep
        self.remaining, self.lead, self.lifetime, self.key_type = remaining, lead, lifetime, key_type
        self.names, self.policy, self.services = names, policy, services
        self.recipients, self.drop_lines = recipients, drop
        self.complaint = ""
        self.unwell = set()
        self.settle, self.scan = settle, scan
        self.running = collections.OrderedDict()
        self.folder = tempfile.mkdtemp(prefix="unlapsed-", dir=os.environ.get("LAB_TMPDIR", "/tmp"))
        for name in ("nginx", "mails", "state", "policies", "services"):
            os.mkdir(self.path(name))
        self.authority = Authority(self.path("authority"), authority_key)
        self.anchors = [self.authority.root]
        with os.fdopen(os.open(self.path("smtp.password"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            out.write("correct horse battery staple\n")
        self.https_port, self.smtp_port = free_port(), free_port()
        self.config = self.path("unlapsed.yaml")
        self.socket = self.path("state/api.sock")
        self.log = self.path("unlapsed.log")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.examine()
        finally:
            if not self.keep:
                self.stop()

    def examine(self):
        """No flow leaves a daemon behind that finds fault with itself, but for the checks named in `unwell`."""
        child = self.running.get("unlapsed")
        if child is None or child.poll() is not None or not os.path.exists(self.socket):
            return
        _, text, data = self.unlapse("doctor", "--json", deadline=60)
        bad = [check for check in (data or {}).get("checks", ())
               if check["result"] != "good" and check["check"] not in self.unwell]
        if bad or not data or not data["checks"]:
            raise AssertionError(f"the doctor found: {json.dumps(bad, indent=1)}{self.complaint}\n{self.tail()}")

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        return os.path.join(self.build, "daemon", "cli" if name == "unlapse" else "", name)

    # Processes: every one is ours, and ended by its id.

    def spawn(self, what, *argv):
        tie = None if self.keep else tie_to_parent
        with open(self.log if what == "unlapsed" else self.path(what + ".log"), "ab") as log:
            self.running[what] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                                  preexec_fn=tie, start_new_session=self.keep)

    def end(self, what, number=signal.SIGTERM, patience=10):
        """Ends one process and returns its exit status."""
        child = self.running.pop(what, None)
        if child is None:
            return None
        if child.poll() is None:
            child.send_signal(number)
        try:
            return child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise RuntimeError(f"{what} did not end within {patience} s and was killed") from None

    def stop(self):
        """Ends everything and removes the folder."""
        try:
            for what in reversed(list(self.running)):
                self.end(what)
        finally:
            for child in self.running.values():
                child.kill()
            if os.environ.get("LAB_KEEP"):
                print(f"# kept: {self.folder}", file=sys.stderr)
            else:
                shutil.rmtree(self.folder, ignore_errors=True)

    # The parts.

    def start(self):
        """All parts but the clients; returns when each answers."""
        self.start_nginx()
        self.start_smtp()
        self.write_config()
        self.start_daemon()

    def start_nginx(self, what="nginx", port=None, names=None):
        """nginx with a certificate that was made without unlapsed and ends in `remaining` seconds. Another `what`
        is one more server, in a folder of that name, which needs a port."""
        nginx, port, names = self.path(what), port or self.https_port, names or self.names
        os.makedirs(nginx, exist_ok=True)
        key, crt = self.path(f"{what}/www.key"), self.path(f"{what}/www.crt")
        make_key(key)
        leaf = self.authority.sign(make_csr(key, *names), self.remaining, backdate=3600)
        with open(crt, "wb") as out:
            out.write(to_pem(leaf) + self.authority.pem(self.authority.intermediate))
        with open(self.path(f"{what}/nginx.conf"), "w", encoding="ascii") as out:
            out.write(f"""# made by tests/flow/lab.py
daemon off;
pid {nginx}/nginx.pid;
error_log {nginx}/error.log notice;
worker_processes 2;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {nginx}/body;
    proxy_temp_path {nginx}/proxy;
    fastcgi_temp_path {nginx}/fastcgi;
    uwsgi_temp_path {nginx}/uwsgi;
    scgi_temp_path {nginx}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {' '.join(names)};
        ssl_certificate {crt};
        ssl_certificate_key {key};
        location / {{ return 200 "this is {names[0]}\\n"; }}
    }}
}}
""")
        self.run_nginx(what, port)

    def run_nginx(self, what="nginx", port=None):
        """Starts nginx as it was configured before."""
        self.spawn(what, shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin") or "nginx",
                   "-e", self.path(f"{what}/error.log"), "-c", self.path(f"{what}/nginx.conf"))
        self.wait_for(lambda: listens(port or self.https_port), 10, "nginx to listen")

    def start_smtp(self):
        """The SMTP server, with a certificate of its own making and a password. The same port each time."""
        key, crt, password = self.path("smtp.key"), self.path("smtp.pem"), self.path("smtp.password")
        if not os.path.exists(crt):
            make_key(key)
            with open(crt, "wb") as out:
                out.write(self.authority.self_sign(key, 86400, ['cn = "mail.example.test"', 'dns_name = "localhost"',
                                                                'ip_address = "127.0.0.1"']))
        self.spawn("smtp", DEBIAN_PYTHON, os.path.join(HERE, "smtp_sink.py"), self.path("mails"), str(self.smtp_port),
                   crt, key, "unlapsed", password)
        self.wait_for(lambda: listens(self.smtp_port), 15, "the SMTP server to listen")

    def write_config(self, extra=""):
        """unlapsed.yaml, one policy ("demo") and one service ("demo-nginx")."""
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(f"""# made by tests/flow/lab.py
host: demo.example.test
inventory: {self.path('state/inventory.db')}
sealing-key: {self.path('state/sealing.key')}
socket: {self.socket}
requests: {self.path('state/requests')}
drop:
  folder: {self.path('state/drop')}
  settle: {self.settle}
  scan: {self.scan}
{self.drop_lines}mail:
  server: 127.0.0.1
  port: {self.smtp_port}
  tls: required
  ca-file: {self.path('smtp.pem')}
  user: unlapsed
  password-file: {self.path('smtp.password')}
  from: unlapsed@demo.example.test
  retry: [1s, 2s]
recipients: [{', '.join(self.recipients)}]
policies: {self.path('policies')}
services: {self.path('services')}
{extra}""")
        with open(self.path("policies/demo.yaml"), "w", encoding="utf-8") as out:
            out.write(f"""policies:
  demo:
    extends: short-lived
    key: {self.key_type}
    lead: {self.lead}
    chain-wait: 30s
    retry: [2s]
    anchors:
      system: false
      files: [{', '.join(self.anchors)}]
{self.policy}""")
        with open(self.path("services/demo.yaml"), "w", encoding="utf-8") as out:
            out.write(f"""services:
  demo-nginx:
    extends: nginx
    parameters:
      config: {self.path('nginx/nginx.conf')}
      pid-file: {self.path('nginx/nginx.pid')}
{self.services}""")

    def start_daemon(self, *argv):
        self.spawn("unlapsed", self.program("unlapsed"), "-c", self.config, *argv)
        self.wait_for(self.answers, 20, "the daemon to answer")

    def answers(self):
        """True when the daemon answers; a daemon that ended is an error at once."""
        status = self.running["unlapsed"].poll()
        if status is not None:
            raise AssertionError(f"the daemon ended with status {status}\n{self.tail()}")
        return os.path.exists(self.socket) and self.unlapse("status")[0] == 0

    def kill9(self):
        """kill -9, and nothing else."""
        child = self.running.pop("unlapsed")
        child.kill()
        child.wait()

    def restart(self):
        """An orderly stop (when it runs) and a start."""
        self.end("unlapsed")
        self.start_daemon()

    def start_clients(self, threads=3):
        self.spawn("clients", sys.executable, os.path.join(HERE, "client.py"), "127.0.0.1", str(self.https_port),
                   self.names[0], self.authority.root, self.path("clients.json"), str(threads))
        self.wait_for(lambda: self.clients()["requests"] > 0, 10, "the clients to start")

    def clients(self):
        """What the clients have seen so far (see client.py)."""
        try:
            with open(self.path("clients.json"), encoding="ascii") as text:
                return json.load(text)
        except FileNotFoundError:
            return {"requests": 0, "failures": 0, "reasons": [], "served": {}, "order": []}

    # What one does in it.

    def unlapse(self, *argv, deadline=30):
        """Runs the command line: (exit status, standard output, its JSON with --json else None)."""
        done = subprocess.run([self.program("unlapse"), "--socket", self.socket, *argv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=deadline, check=False)
        text = done.stdout.decode("utf-8", "replace")
        self.complaint = done.stderr.decode("utf-8", "replace")
        data = json.loads(text) if "--json" in argv and text.strip() else None
        return done.returncode, text, data

    def target(self, service="demo-nginx", what="nginx", port=None, name=None):
        """The value of --target for a nginx of the lab."""
        return (f"{service},key={self.path(what + '/www.key')},fullchain={self.path(what + '/www.crt')},"
                f"endpoint=127.0.0.1:{port or self.https_port}/{name or self.names[0]}")

    def must(self, *argv):
        """Runs the command line, which must succeed; its output."""
        status, text, _ = self.unlapse(*argv)
        if status != 0:
            raise AssertionError(f"unlapse {' '.join(argv)}: exit {status}: {text}{self.complaint}\n{self.tail()}")
        return text

    def add(self, name="www", policy="demo", service="demo-nginx", names=None, targets=None):
        """Puts nginx's certificate under care; fails when the command fails."""
        return self.must("add", name, *[word for dns in names or self.names for word in ("--name", "dns:" + dns)],
                         "--policy", policy,
                         *[word for one in targets or [self.target(service)] for word in ("--target", one)])

    def renew(self, name="www", seconds=40):
        """Asks for a renewal now and returns its CSR, out of the requests folder."""
        request = self.path(f"state/requests/{name}.csr")
        before = os.stat(request).st_ino if os.path.exists(request) else None
        self.must("renew", name)
        self.wait_for(lambda: os.path.exists(request) and os.stat(request).st_ino != before, seconds,
                      "the CSR to be written")
        with open(request, "rb") as csr:
            return csr.read()

    def deliver(self, csr, seconds=None, name="delivery.pem", **how):
        """What a careful authority sends for a CSR, in one file: leaf and intermediate. Returns the leaf in DER."""
        leaf = self.authority.sign(csr, seconds or self.lifetime, **how)
        self.drop(name, to_pem(leaf) + self.authority.pem(self.authority.intermediate))
        return leaf

    def explain(self, name="www"):
        """What `unlapse explain` prints, for people."""
        return self.must("explain", name)

    def reload_daemon(self):
        """SIGHUP."""
        self.running["unlapsed"].send_signal(signal.SIGHUP)

    def logged(self, text):
        """True when the daemon has logged the text."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return text in log.read()

    def fingerprint(self, *paths):
        """What must be the same before and after: content, owner, group and mode of files."""
        found = []
        for path in paths or ("nginx/www.key", "nginx/www.crt"):
            with open(self.path(path), "rb") as data:
                st = os.fstat(data.fileno())
                found.append((path, hashlib.sha256(data.read()).hexdigest(), st.st_uid, st.st_gid, oct(st.st_mode)))
        return found

    def drop(self, name, data):
        drop(self.path("state/drop"), name, data)

    def receipt(self, name, accepted=True):
        """The receipt beside a filed delivery; None when it is not there yet."""
        try:
            with open(self.path(f"state/drop/{'accepted' if accepted else 'rejected'}/{name}.txt"),
                      encoding="utf-8") as text:
                return text.read()
        except FileNotFoundError:
            return None

    def history(self, name="www"):
        """The events of a certificate, oldest first: [{"at", "kind", "text", ...}]."""
        status, _, data = self.unlapse("history", name, "--json")
        return data["events"] if status == 0 else []

    def show(self, name="www"):
        """Everything about a certificate: {"state", "accepted", "open", "targets", ...}; empty when there is none."""
        status, _, data = self.unlapse("show", name, "--json")
        return data if status == 0 else {}

    def state(self, name="www"):
        return self.show(name).get("state")

    def nothing_left(self, what="nginx"):
        """True when no file of an unfinished deployment lies beside nginx's."""
        return not [name for name in os.listdir(self.path(what)) if ".unlapsed-" in name]

    def mails(self, kind=None):
        """Every mail that arrived (of one kind), oldest first, as email.message.EmailMessage."""
        found = []
        for name in sorted(os.listdir(self.path("mails"))):
            if name.endswith(".eml"):
                with open(self.path("mails/" + name), "rb") as data:
                    found.append(email.message_from_binary_file(data, policy=email.policy.default))
        return [mail for mail in found if kind in (None, mail["X-Unlapsed-Kind"])]

    @staticmethod
    def text_of(mail):
        part = mail.get_body(preferencelist=("plain",))
        return part.get_content() if part else ""

    def csr_of(self, mail):
        """The CSR (PEM bytes) a mail carries inline; None when it has none."""
        begin, end = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
        _, mark, rest = self.text_of(mail).partition(begin)
        body, closed, _ = rest.partition(end)
        return f"{begin}{body}{end}\n".encode() if mark and closed else None

    @staticmethod
    def read_csr(csr):
        """A CSR as openssl prints it."""
        return run("openssl", "req", "-noout", "-text", "-verify", stdin=csr).decode()

    @staticmethod
    def public_key(csr):
        """The public key of a CSR, in PEM."""
        return run("openssl", "req", "-noout", "-pubkey", stdin=csr)

    def wait_for_csr(self, seconds=40):
        """The CSR out of the newest mail that holds one."""
        def newest():
            found = [csr for csr in map(self.csr_of, self.mails()) if csr]
            return found[-1] if found else None
        return self.wait_for(newest, seconds, "a mail with a CSR")

    def served(self, name=None, port=None):
        """What nginx serves now, asked by a fresh handshake, judged by nobody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port or self.https_port), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=name or self.names[0]) as tls:
                der = tls.getpeercert(binary_form=True)
        return Served(serial_of(der), hashlib.sha256(der).hexdigest(), der)

    def served_serial(self):
        return self.served().serial

    def served_chain(self):
        """openssl's view: (verified against the root alone, [subjects in the order they were sent])."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.https_port}", "-servername",
                               self.names[0], "-verify_hostname", self.names[0], "-CAfile", self.authority.root,
                               "-no-CAstore", "-no-CApath", "-verify_return_error", "-showcerts"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20,
                              check=False)
        lines = done.stdout.decode("utf-8", "replace").splitlines()
        subjects = [line.split("s:", 1)[1] for line in lines if line.lstrip()[:1].isdigit() and " s:" in line]
        return done.returncode == 0, subjects

    def pair_fits(self, what="nginx"):
        """True when the installed key is the private half of the installed certificate."""
        public = [run("openssl", "x509", "-in", self.path(what + "/www.crt"), "-noout", "-pubkey"),
                  run("openssl", "pkey", "-in", self.path(what + "/www.key"), "-pubout")]
        return public[0] == public[1]

    def tail(self, lines=25):
        """The end of the daemon's log, for messages."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as text:
                return "the daemon's log ends with:\n" + "".join(text.readlines()[-lines:])
        except FileNotFoundError:
            return "the daemon has logged nothing"

    def wait_for(self, predicate, seconds, what="it"):
        """Asks until the answer is true and returns it."""
        deadline = time.monotonic() + seconds
        while True:
            answer = predicate()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds} s in vain for {what}\n{self.tail()}")
            time.sleep(0.05)

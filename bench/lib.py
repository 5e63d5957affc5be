"""What the benches share: a real daemon on a folder of its own, and what can be counted of a process."""
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("BUILD_ROOT") or os.path.join(HERE, "..", "build")
sys.path.insert(0, os.path.join(HERE, "..", "tests", "flow"))
from authority import Authority, make_csr, make_key  # noqa: E402,F401  pylint: disable=wrong-import-position

CACHE = os.environ.get("BENCH_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                                                      "unlapsed-bench")


def program(*parts):
    path = os.path.join(BUILD, *parts)
    if not os.path.exists(path):
        sys.exit(f"{path} is not there: meson setup build -Dbench=true && ninja -C build (or set BUILD_ROOT)")
    return path


def scratch():
    """A folder on the file system that is measured."""
    return tempfile.mkdtemp(prefix="unlapsed-bench-", dir=os.environ.get("BENCH_TMPDIR", "/tmp"))


def materials():
    """(leaf.der, issuer.der) of an authority made once, in the cache."""
    leaf, issuer = os.path.join(CACHE, "leaf.der"), os.path.join(CACHE, "issuer.der")
    if not os.path.exists(issuer):
        os.makedirs(CACHE, exist_ok=True)
        authority = Authority(os.path.join(CACHE, "authority"))
        make_key(os.path.join(CACHE, "leaf.key"))
        with open(leaf, "wb") as out:
            out.write(authority.sign(make_csr(os.path.join(CACHE, "leaf.key"), "host.example.test"), 90 * 86400))
        with open(issuer, "wb") as out:
            out.write(ssl.PEM_cert_to_DER_cert(authority.pem(authority.intermediate).decode()))
    return leaf, issuer


def schema_stamp():
    """Changes whenever a filled inventory would: what is in the cache is for one schema and one generator."""
    newest = 0
    for path in (os.path.join(HERE, "..", "store", "schema"), os.path.join(HERE, "fill.c")):
        names = [os.path.join(path, name) for name in os.listdir(path)] if os.path.isdir(path) else [path]
        newest = max([newest] + [int(os.stat(name).st_mtime) for name in names])
    return newest


def filled(count, due=0):
    """The path of an inventory with so many certificates, made when the cache has none. Its dates are of the day when it
    was made: one that is older than two days is made again."""
    path = os.path.join(CACHE, f"{count}-{due}-{schema_stamp()}.db")
    if os.path.exists(path) and time.time() - os.stat(path).st_mtime < 2 * 86400:
        return path
    leaf, issuer = materials()
    part = path + ".part"
    for end in ("", "-wal", "-shm"):
        if os.path.exists(part + end):
            os.unlink(part + end)
    argv = [program("bench", "fill"), "--inventory", part, "--count", str(count), "--leaf", leaf, "--issuer", issuer]
    began = time.monotonic()
    subprocess.run(argv + (["--due", str(due)] if due else []), check=True)
    os.rename(part, path)
    note(f"filled {count} certificates in {time.monotonic() - began:.0f} s")
    return path


def note(text):
    print(text, file=sys.stderr, flush=True)


def median(numbers):
    return sorted(numbers)[len(numbers) // 2]


class Daemon:
    """`with Daemon(inventory) as daemon:`; the inventory is copied unless `own`."""

    def __init__(self, inventory=None, config="", scan="1h", wrap=(), recipients="[people@example.test]"):
        self.folder = scratch()
        self.socket = os.path.join(self.folder, "api.sock")
        self.inventory = os.path.join(self.folder, "inventory.db")
        self.wrap = list(wrap)
        self.child = None
        if inventory:
            copy(inventory, self.inventory)
        with open(os.path.join(self.folder, "unlapsed.yaml"), "w", encoding="ascii") as out:
            out.write(f"""host: bench.example.test
inventory: {self.inventory}
sealing-key: {self.folder}/sealing.key
socket: {self.socket}
requests: {self.folder}/requests
drop:
  folder: {self.folder}/drop
  settle: 1s
  scan: {scan}
recipients: {recipients}
{config}""")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()
        shutil.rmtree(self.folder)

    def start(self):
        """Seconds until the API answers."""
        began = time.monotonic()
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.child = subprocess.Popen(self.wrap + [program("daemon", "unlapsed"), "-c",
                                                       os.path.join(self.folder, "unlapsed.yaml"), "--log-level", "3"],
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not os.path.exists(self.socket):
            if self.child.poll() is not None:
                sys.exit("the daemon ended: " + self.tail())
            time.sleep(0.0005)
        while True:
            try:
                self.session().get("/v1/keys/none")
                break
            except ConnectionRefusedError:  # bound, and not listening yet
                time.sleep(0.0005)
        return time.monotonic() - began

    def tail(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as text:
            return text.read()[-2000:]

    def stop(self):
        if self.child and self.child.poll() is None:
            os.kill(self.pid(), signal.SIGTERM)
            self.child.wait(60)
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def pid(self):
        """strace is its parent when it is wrapped."""
        return tree_of(self.child.pid)[1] if self.wrap else self.child.pid

    def session(self):
        return Session(self.socket)

    def unlapse(self, *argv):
        """Seconds of one command."""
        began = time.monotonic()
        subprocess.run([program("daemon", "cli", "unlapse"), "--socket", self.socket, *argv], check=True,
                       stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def quiet(self, seconds=2):
        """Waits until nothing has run for a while: background work of the start has ended."""
        last, since = None, time.monotonic()
        while time.monotonic() - since < seconds:
            now = cpu(self.pid())
            if now != last:
                last, since = now, time.monotonic()
            time.sleep(0.1)


class Session:
    """One kept connection to the API."""

    def __init__(self, path):
        import http.client  # pylint: disable=import-outside-toplevel
        import socket  # pylint: disable=import-outside-toplevel

        self.connection = http.client.HTTPConnection("unlapsed")
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.connect(path)

    def ask(self, method, path, body=None):
        """(seconds, reply)"""
        began = time.monotonic()
        self.connection.request(method, path, body)
        data = self.connection.getresponse().read()
        return time.monotonic() - began, json.loads(data)

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, body):
        return self.ask("POST", path, json.dumps(body))


def copy(source, target):
    """A copy that shares its blocks where the file system can."""
    subprocess.run(["cp", "--reflink=auto", source, target], check=True)
    os.chmod(target, 0o600)


def tree_of(pid):
    """A process and its descendants."""
    found = [pid]
    for one in found:
        for task in os.listdir(f"/proc/{one}/task") if os.path.exists(f"/proc/{one}/task") else []:
            try:
                with open(f"/proc/{one}/task/{task}/children", encoding="ascii") as text:
                    found += [int(word) for word in text.read().split()]
            except OSError:
                pass
    return found


def status(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return int(re.search(key + r":\s+(\d+)", text.read()).group(1))


def rss(pid):
    """MiB resident, of the process alone: what it shares with files is in it."""
    return status(pid, "VmRSS") / 1024


def peak(pid):
    return status(pid, "VmHWM") / 1024


def switches(pid):
    """How often any thread of the process went to sleep: each is a wake-up."""
    return sum(status(f"{pid}/task/{task}", "voluntary_ctxt_switches") for task in os.listdir(f"/proc/{pid}/task"))


def cpu(pid):
    """Seconds of processor time of the process and of its children that ended."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as text:
        words = text.read().rpartition(")")[2].split()
    return sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")


def cpu_tree(pid):
    total = 0
    for one in tree_of(pid):
        try:
            total += cpu(one)
        except OSError:
            pass
    return total

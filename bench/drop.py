#!/usr/bin/env python3
"""Drops thousands of files into the folder of a real daemon at once and waits until each has its receipt.

    drop.py [--files N] [--small N] [--daemon FILE] [--what mixed|authorities] [--passwords] [--syncs] [--baseline]

Prints one line for each run: files, seconds from the first file to the last receipt, files a second, processor time and
the greatest memory of the daemon and its children (VmHWM, summed), and with --syncs, in a run of its own since strace is
slow, how many times it asked the disk to keep something. --what authorities drops certificates of authorities that
nobody here trusts, each another one: the most that a stranger can make the daemon look for. --passwords configures one,
for which each file is read by a process of its own. --small is the smaller run that the large one is compared with: work
for one file must not grow with their number. --baseline adds what people do without a daemon, a shell loop that looks at each
file with openssl, writes a note beside it, moves it and syncs. Everything is under one temporary folder
(BENCH_TMPDIR, else /tmp).
"""
import argparse
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "flow"))
from authority import Authority, make_csr, make_key, to_pem  # noqa: E402  pylint: disable=wrong-import-position

SYNCS = "fsync,fdatasync,sync,syncfs,sync_file_range"


def materials(folder):
    """A few real certificates, to make many files of."""
    authority = Authority(os.path.join(folder, "authority"))
    key = os.path.join(folder, "leaf.key")
    make_key(key)
    leaves = [authority.sign(make_csr(key, f"host{number}.example.test"), 86400) for number in range(8)]
    chain = authority.chain()
    issuing = authority.pem(authority.intermediate)
    root = authority.pem(authority.root)
    return leaves, chain, issuing, root


def mixed(number, source, parts):
    """Ending and content of one file: what people drop, most of it not wanted."""
    leaves, chain, issuing, _ = parts
    leaf = leaves[number % len(leaves)]
    kinds = [
        lambda: ("cer", leaf),
        lambda: ("pem", b"Your certificate, order %d:\r\n" % number + to_pem_kept(leaf)),
        lambda: ("p7b", chain),
        lambda: ("crt", b"# %d\n" % number + to_pem_kept(leaf) + issuing),
        lambda: ("txt", b"Dear customer,\nyour order %d is on its way.\n" % number * 20),
        lambda: ("html", b"<!DOCTYPE html><html><body>Please log in %d</body></html>" % number),
        lambda: ("bin", source.randbytes(source.choice((10, 3000, 40000)))),
        lambda: ("pem", to_pem_kept(leaf)[:200 + number % 300]),
    ]
    return kinds[number % len(kinds)]()


def strangers(number, _source, parts):
    """A certificate of an authority: one of a name of its own, one of a name that all share, one root. Made of a real
    one by other bytes of the same length, so that its signature holds no more: its issuer must be tried to see that."""
    _, _, issuing, root = parts
    kind = number % 3
    der = ssl.PEM_cert_to_DER_cert((issuing if kind < 2 else root).decode())
    number = b"%07d" % number
    if kind == 1:  # in the public key: another certificate, the same names
        at = der.rindex(bytes.fromhex("0342 0004")) + 4
        return "crt", der[:at] + number + der[at + 7:]
    return "crt", der.replace(b"Example", number) if kind == 2 else number.join(der.rsplit(b"Example", 1))


KEPT = {}


def to_pem_kept(der):
    if der not in KEPT:
        KEPT[der] = to_pem(der)
    return KEPT[der]


def prepare(folder, count, parts, make=mixed):
    """The files, outside of the drop folder but on its file system."""
    os.makedirs(folder)
    source = random.Random(count)
    names = []
    for number in range(count):
        ending, data = make(number, source, parts)
        name = f"delivery {number:06d}.{ending}"
        with open(os.path.join(folder, name), "wb") as out:
            out.write(data)
        names.append(name)
    return names


def tree_of(pid):
    """A process and its descendants."""
    found = [pid]
    for one in found:
        try:
            with open(f"/proc/{one}/task/{one}/children", encoding="ascii") as text:
                found += [int(word) for word in text.read().split()]
        except OSError:
            pass
    return found


def root_of(started, trace):
    """The daemon's process id: strace is its parent."""
    return tree_of(started.pid)[1] if trace else started.pid


def memory(pid):
    """KiB of the peak resident memory, summed over the process tree."""
    total = 0
    for one in tree_of(pid):
        try:
            with open(f"/proc/{one}/status", encoding="ascii") as text:
                total += int(re.search(r"VmHWM:\s+(\d+)", text.read()).group(1))
        except (OSError, AttributeError):
            pass
    return total


def busy(pid):
    """Seconds of processor time of the process tree and of those of it that ended."""
    total = 0
    for one in tree_of(pid):
        try:
            with open(f"/proc/{one}/stat", encoding="ascii", errors="replace") as text:
                words = text.read().rpartition(")")[2].split()
            total += sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            pass
    return total


def configure(folder, passwords):
    path = os.path.join(folder, "unlapsed.yaml")
    with open(path, "w", encoding="ascii") as out:
        out.write(f"""host: bench.example.test
inventory: {folder}/inventory.db
sealing-key: {folder}/sealing.key
socket: {folder}/api.sock
requests: {folder}/requests
drop:
  folder: {folder}/drop
  settle: 1s
  scan: 5s
{"  passwords: " + folder + "/passwords" if passwords else ""}
recipients: [people@example.test]
""")
    if passwords:
        with open(os.open(os.path.join(folder, "passwords"), os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as out:
            out.write("secret\n")
    return path


def answered(folder):
    return sum(1 for sub in ("accepted", "rejected") for name in os.listdir(os.path.join(folder, "drop", sub))
               if name.endswith(".txt") and os.path.exists(os.path.join(folder, "drop", sub, name[:-4])))


def left(folder):
    return sum(1 for entry in os.scandir(os.path.join(folder, "drop")) if entry.is_file())


def run_daemon(program, count, parts, make=mixed, passwords=False, trace=False, patience=600):
    """One run: (seconds, KiB, syncs or None, seconds of processor time)."""
    folder = tempfile.mkdtemp(prefix="unlapsed-bench-", dir=os.environ.get("BENCH_TMPDIR", "/tmp"))
    counts = os.path.join(folder, "strace")
    argv = [program, "-c", configure(folder, passwords), "--log-level", "5"]
    if trace:
        argv = ["strace", "-f", "--seccomp-bpf", "-c", "-e", "trace=" + SYNCS, "-o", counts] + argv
    names = prepare(os.path.join(folder, "ready"), count, parts, make)
    with open(os.path.join(folder, "log"), "wb") as log:
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    kib = 0
    try:
        while not os.path.exists(os.path.join(folder, "api.sock")):
            if daemon.poll() is not None:
                with open(os.path.join(folder, "log"), encoding="utf-8", errors="replace") as text:
                    sys.exit("the daemon ended: " + text.read()[-2000:])
            time.sleep(0.05)
        os.sync()
        began = time.monotonic()
        for name in names:
            os.rename(os.path.join(folder, "ready", name), os.path.join(folder, "drop", name))
        while left(folder) > 0 or answered(folder) < count:
            if time.monotonic() - began > patience:
                sys.exit(f"{answered(folder)} of {count} answered after {patience} s: {folder}/log")
            time.sleep(0.1)
            kib = max(kib, memory(root_of(daemon, trace)))
        seconds = time.monotonic() - began
        cpu = busy(daemon.pid)
    finally:
        if daemon.poll() is None:
            os.kill(root_of(daemon, trace), signal.SIGTERM)
        daemon.wait(60)
    syncs = None
    if trace:
        with open(counts, encoding="ascii") as text:
            syncs = sum(int(line.split()[3]) for line in text if re.search(r" (f\w*sync|sync\w*)$", line.rstrip()))
    shutil.rmtree(folder)
    return seconds, kib, syncs, cpu


LOOP = r"""cd "$1" && mkdir accepted rejected && for f in *.*; do
  to=rejected
  if said=$(openssl x509 -in "$f" -noout -subject -enddate 2>/dev/null); then to=accepted; fi
  { sha256sum "$f"; echo "$said"; } >"$to/$f.txt"
  sync "$to/$f.txt"; mv -n "$f" "$to/$f"; sync "$to"
done"""


def run_loop(count, parts):
    folder = tempfile.mkdtemp(prefix="unlapsed-bench-", dir=os.environ.get("BENCH_TMPDIR", "/tmp"))
    prepare(os.path.join(folder, "drop"), count, parts)
    os.sync()
    began = time.monotonic()
    subprocess.run(["sh", "-c", LOOP, "sh", os.path.join(folder, "drop")], check=True)
    seconds = time.monotonic() - began
    shutil.rmtree(folder)
    return seconds


KINDS = {"mixed": mixed, "authorities": strangers}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=10000)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--daemon", default=os.path.join(os.environ.get("BUILD_ROOT", os.path.join(HERE, "..", "build")),
                                                         "daemon", "unlapsed"))
    parser.add_argument("--what", choices=KINDS, default="mixed")
    parser.add_argument("--passwords", action="store_true")
    parser.add_argument("--syncs", action="store_true")
    parser.add_argument("--baseline", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="unlapsed-bench-") as folder:
        parts = materials(folder)
        for count in (options.small, options.files):
            if count > 0:
                seconds, kib, _, cpu = run_daemon(options.daemon, count, parts, KINDS[options.what],
                                                   options.passwords)
                print(f"daemon: {count} files in {seconds:.1f} s, {count / seconds:.0f} files/s, "
                      f"{cpu:.1f} s of processor time, peak {kib / 1024:.1f} MiB",
                      flush=True)
        if options.syncs:
            _, _, syncs, _ = run_daemon(options.daemon, options.small, parts, KINDS[options.what], options.passwords, trace=True)
            print(f"daemon: {options.small} files with {syncs} syncs, {syncs / options.small:.2f} a file", flush=True)
        if options.baseline:
            seconds = run_loop(options.small, parts)
            print(f"shell loop: {options.small} files in {seconds:.1f} s, {options.small / seconds:.0f} files/s", flush=True)


if __name__ == "__main__":
    main()

"""What others need for the same number of certificates, where they are installed (bench/README.md says from where)."""
import os
import shutil
import subprocess
import time

import lib


def timed(argv, **more):
    began = time.monotonic()
    done = subprocess.run(argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    return time.monotonic() - began, done.returncode


def failed(code):
    return {"skipped": f"ended with status {code}"}


def certbot(count):
    """`certbot renew` with so many lineages, none of them due."""
    folder = lib.scratch()
    leaf, issuer = lib.materials()
    pems = {}
    for name, path in (("cert", leaf), ("chain", issuer)):
        pems[name] = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", path], check=True, stdout=subprocess.PIPE).stdout
    pems["fullchain"] = pems["cert"] + pems["chain"]
    with open(os.path.join(lib.CACHE, "leaf.key"), "rb") as text:
        pems["privkey"] = text.read()
    try:
        for number in range(count):
            name = f"host{number}.example.test"
            archive, live = (os.path.join(folder, "config", kind, name) for kind in ("archive", "live"))
            os.makedirs(archive)
            os.makedirs(live)
            os.makedirs(os.path.join(folder, "config", "renewal"), exist_ok=True)
            lines = ["version = 2.1.0", f"archive_dir = {archive}"]
            for kind, data in pems.items():
                with open(os.path.join(archive, kind + "1.pem"), "wb") as out:
                    out.write(data)
                os.symlink(os.path.join(archive, kind + "1.pem"), os.path.join(live, kind + ".pem"))
                lines.append(f"{kind} = {os.path.join(live, kind)}.pem")
            lines += ["[renewalparams]", "account = none", "authenticator = manual", "server = https://127.0.0.1/none"]
            with open(os.path.join(folder, "config", "renewal", name + ".conf"), "w", encoding="ascii") as out:
                out.write("\n".join(lines) + "\n")
        argv = ["certbot", "renew", "--config-dir", os.path.join(folder, "config"), "--work-dir", os.path.join(folder, "work"),
                "--logs-dir", os.path.join(folder, "logs"), "--no-random-sleep-on-renew", "-n"]
        seconds, code = timed(argv)
        return {"certificates": count, "seconds": seconds, "each": seconds / count} if code == 0 else failed(code)
    finally:
        shutil.rmtree(folder)


def lego(count):
    """`lego list` of so many."""
    folder = lib.scratch()
    leaf, _ = lib.materials()
    pem = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", leaf], check=True, stdout=subprocess.PIPE).stdout
    try:
        os.makedirs(os.path.join(folder, "certificates"))
        for number in range(count):
            name = f"host{number}.example.test"
            with open(os.path.join(folder, "certificates", name + ".crt"), "wb") as out:
                out.write(pem)
            with open(os.path.join(folder, "certificates", name + ".json"), "w", encoding="ascii") as out:
                out.write(f'{{"domain": "{name}"}}')
        seconds, code = timed(["lego", "--path", folder, "list"])
        return {"certificates": count, "seconds": seconds} if code == 0 else failed(code)
    finally:
        shutil.rmtree(folder)


def certmonger(count):
    """Its start with so many tracked, until it lists them. A private bus and folder; needs root, as it does itself."""
    if not shutil.which("dbus-run-session"):
        return {"skipped": "dbus-run-session is not installed"}
    folder = lib.scratch()
    leaf, _ = lib.materials()
    pem = subprocess.run(["openssl", "x509", "-inform", "DER", "-in", leaf], check=True, stdout=subprocess.PIPE).stdout
    script = """set -e
cd "$1"; mkdir -p requests cas tmp
export CERTMONGER_CONFIG_DIR=$1 CERTMONGER_REQUESTS_DIR=$1/requests CERTMONGER_CAS_DIR=$1/cas CERTMONGER_TMPDIR=$1/tmp
certmonger -n -S -p "$1/pid" & one=$!
until getcert list -s >/dev/null 2>&1; do kill -0 $one; sleep 0.1; done
i=0; while [ $i -lt "$2" ]; do getcert start-tracking -s -f "$1/$i.crt" -k "$1/$i.key" -c SelfSign >/dev/null; i=$((i+1)); done
kill $one; wait $one || true
date +%s.%N > began
certmonger -n -S -p "$1/pid" & one=$!
until [ "$(getcert list -s 2>/dev/null | grep -c '^Request ID')" = "$2" ]; do kill -0 $one; sleep 0.1; done
date +%s.%N > ended
kill $one; wait $one || true
"""
    try:
        for number in range(count):
            with open(os.path.join(folder, f"{number}.crt"), "wb") as out:
                out.write(pem)
            shutil.copy(os.path.join(lib.CACHE, "leaf.key"), os.path.join(folder, f"{number}.key"))
        seconds, code = timed(["timeout", "600", "dbus-run-session", "--", "sh", "-c", script, "sh", folder, str(count)])
        try:
            began, ended = (float(open(os.path.join(folder, name), encoding="ascii").read()) for name in ("began", "ended"))
        except OSError:
            return {"skipped": f"did not list {count} (exit {code}, {seconds:.0f} s)"}
        return {"certificates": count, "start": ended - began}
    finally:
        shutil.rmtree(folder)


PEERS = {"certbot": certbot, "lego": lego, "certmonger": certmonger}


def all_of_them(count):
    return {name: measure(count) if shutil.which(name) else {"skipped": "not installed"} for name, measure in PEERS.items()}

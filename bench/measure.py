"""The pieces of `bench/run`: each measures one thing and returns a plain dict."""
import json
import os
import re
import shutil
import subprocess
import time

import lib

SYSTEM_CALLS_OF_A_WAKE_UP = "epoll_wait,epoll_pwait"


def raw():
    """Seconds of single pieces of work, without us."""
    folder = lib.scratch()
    try:
        return json.loads(subprocess.run([lib.program("bench", "raw"), folder], check=True, stdout=subprocess.PIPE).stdout)
    finally:
        shutil.rmtree(folder)


def size(count):
    """One inventory of a size: start, memory, what questions cost."""
    with lib.Daemon(lib.filled(count)) as daemon:
        daemon.start()  # the file is in the page cache from here on, and the folders are made
        daemon.quiet()
        daemon.stop()
        starts = []
        for _ in range(5):
            starts.append(daemon.start())
            daemon.stop()
        daemon.start()
        daemon.quiet()
        pid = daemon.pid()
        idle = lib.rss(pid)
        session = daemon.session()
        name = session.get("/v1/certificates?limit=1")[1]["certificates"][0]["name"]
        found = {
            "certificates": count,
            "start": lib.median(starts),
            "resident_mib": idle,
            "show": lib.median([session.get(f"/v1/certificates/{name}")[0] for _ in range(21)]),
            "page_of_1000": lib.median([session.get("/v1/certificates?limit=1000")[0] for _ in range(5)]),
            "expired": lib.median([session.get("/v1/certificates?state=expired")[0] for _ in range(5)]),
            "status": lib.median([session.get("/v1/status")[0] for _ in range(5)]),
            "unlapse_list_1000": lib.median([daemon.unlapse("list", "--limit", "1000") for _ in range(5)]),
            "unlapse_show": lib.median([daemon.unlapse("show", name) for _ in range(5)]),
            "unlapse_help": lib.median([daemon.unlapse("version") for _ in range(5)]),
            "resident_after_mib": lib.rss(pid),
        }
        found["disk_bytes_each"] = os.stat(daemon.inventory).st_size / count
        return found


def sleep(count, seconds):
    """How often an idle daemon wakes up: threads that went to sleep again, while nothing is due."""
    with lib.Daemon(lib.filled(count), scan="1d") as daemon:
        daemon.start()
        daemon.quiet()
        time.sleep(35)  # readers that have been idle for half a minute end
        pid = daemon.pid()
        before, busy = lib.switches(pid), lib.cpu(pid)
        time.sleep(seconds)
        return {"seconds": seconds, "wake_ups": lib.switches(pid) - before, "cpu": lib.cpu(pid) - busy}


EVENTS_A_RENEWAL = 3  # started, requested, handed over


def renewals(due, count):
    """`due` of `count` certificates are due at once: from the start of the daemon until all CSRs are handed over."""
    with lib.Daemon(lib.filled(count, due), recipients="[]") as daemon:
        daemon.start()
        began = time.monotonic()
        pid, session = daemon.pid(), daemon.session()
        wanted = count + EVENTS_A_RENEWAL * due
        while session.get("/v1/history?limit=1")[1]["events"][0]["id"] < wanted:
            if time.monotonic() - began > 600:
                raise SystemExit(f"not handed over after 600 s: {daemon.tail()}")
            time.sleep(0.02)
        took = time.monotonic() - began
        return {"due": due, "certificates": count, "seconds": took, "each": took / due,
                "cpu_each": lib.cpu_tree(pid) / due, "peak_mib": lib.peak(pid)}


def single(count):
    """One renewal at a time: from `POST .../renewals` until its CSR is handed over."""
    with lib.Daemon(lib.filled(1000), recipients="[]") as daemon:
        daemon.start()
        daemon.quiet()
        session = daemon.session()
        names = [one["name"] for one in session.get(f"/v1/certificates?limit={count}")[1]["certificates"]]
        took = []
        for name in names:
            began = time.monotonic()
            session.post(f"/v1/certificates/{name}/renewals", {})
            while session.get(f"/v1/certificates/{name}")[1]["state"] != "handed over":
                time.sleep(0.0005)
            took.append(time.monotonic() - began)
        return {"each": lib.median(took)}


def deliveries(files):
    """bench/drop.py on its own mixture of files: seconds from the first file to the last receipt."""
    done = subprocess.run(["python3", os.path.join(lib.HERE, "drop.py"), "--small", "0", "--files", str(files)], check=True,
                          stdout=subprocess.PIPE, encoding="ascii",
                          env={**os.environ, "BUILD_ROOT": lib.BUILD})
    seconds = float(re.search(r"files in ([0-9.]+) s", done.stdout).group(1))
    return {"files": files, "seconds": seconds, "each": seconds / files}


def shell_checks(count):
    """What people do without a daemon: openssl x509 -checkend in a loop, with the system's CA bundle and an empty one."""
    leaf, _ = lib.materials()
    folder = lib.scratch()
    try:
        for number in range(count):
            shutil.copy(leaf, os.path.join(folder, f"{number}.der"))
        loop = 'for f in "$1"/*.der; do openssl x509 -in "$f" -inform DER -noout -checkend 2592000; done'
        began = time.monotonic()
        subprocess.run(["sh", "-c", loop, "sh", folder], check=False, stdout=subprocess.DEVNULL)
        return {"files": count, "seconds": time.monotonic() - began, "each": (time.monotonic() - began) / count}
    finally:
        shutil.rmtree(folder)

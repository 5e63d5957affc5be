"""Roads under fire: renewals of one certificate, the daemon killed in each at an instant of its own, and what must be
true afterwards whatever the instant was.

A run is made of labs, a lab of rounds, a round of one road: renewal, CSR by mail, delivery in one or two files,
deployment. The first round of a lab starts on an empty inventory; in some rounds the new pair is refused at first, so
that a roll-back is under way when the daemon dies. Instants come from a generator with a seed, and so do the order,
form and pauses of the deliveries.
"""
import collections
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from authority import run, to_pem
from killer import Instant, Killer
from lab import Lab, NAME, serial_of

ROAD_SECONDS = 90   # a road that has not ended by then never will
LIFETIME = 86400
# Lines of the log that a road passes, and those of a roll-back.
POINTS = ("plan", "requested", "handed-over", "mailed", "received", "accepted", "staged", "swapped",
          "reloaded", "verified")
UNDO_POINTS = ("deployment-failed", "undo", "rolled-back")
# System calls that leave something behind or tell somebody, and how many of each one thread makes on a road, or more.
CALLS = {"renameat": 14, "renameat2": 3, "unlinkat": 30, "openat": 90, "fsync": 40, "fdatasync": 30, "pwrite64": 150,
         "connect": 8, "sendto": 30}
# What the daemon never has a reason to say here.
COMPLAINTS = ("stuck", "lane-failed", "event-lost", "not-restored", "not-cleaned", "not-planned", "no-receipt",
              "not-taken", "key-not-adopted", "mail-failed", "failed", "needs-restart")


def has_strace():
    """There, and allowed to trace."""
    return shutil.which("strace") is not None and subprocess.run(["strace", "-o", "/dev/null", "true"],
                                                                 stderr=subprocess.DEVNULL, check=False).returncode == 0


HAS_STRACE = has_strace()

# fresh: on an empty inventory. undo: "" or what refuses the new pair at first, "test" or "reload". restarts: seconds
# after which each of so many further starts is killed too. delivery: how the authority sends. rotate: by a new
# intermediate.
Plan = collections.namedtuple("Plan", "kind fresh undo instant restarts delivery rotate", defaults=(False,))
Delivery = collections.namedtuple("Delivery", "form first pause")


def draw_delivery(random):
    return Delivery(random.choice(("parts", "parts", "whole")), random.choice(("leaf", "chain")),
                    random.choice((0, random.uniform(0, 2.5))))


def make_plan(number, random, measured):
    """Round `number` (from 0): the kinds take turns, the rest is drawn. `measured` is what the first road took; it
    changes what is drawn only in proportion, so that a seed keeps its meaning."""
    def one_of(count):
        return 1 + int(random.random() * count)

    kind = ("start", "log", "undo", "swap", "again", "call" if HAS_STRACE and number % 12 < 6 else "file")[number % 6]
    undo = random.choice(("test", "reload")) if kind == "undo" else ""
    delay = random.choice((0, 0, random.uniform(0, 0.005), random.uniform(0, 0.05)))
    instant = Instant("time", "", random.uniform(0, measured["seconds"]), 0)
    if kind == "log":
        instant = Instant("log", random.choice(POINTS), 1, delay)
    elif kind == "undo":
        # Changes of the pair itself: 1 and 2 are its swap, 3 and 4 its return.
        instant = random.choice((Instant("log", random.choice(UNDO_POINTS), 1, delay),
                                 Instant("file", "live", one_of(2 * measured["live"]), delay),
                                 Instant("file", "pair", one_of(4), delay),
                                 Instant("log", "swapped", 1, random.uniform(0, 1)) if undo == "reload" else
                                 Instant("file", "pair", 2, delay)))
    elif kind == "swap":
        instant = Instant("file", "live", one_of(measured["live"]), delay)
    elif kind == "call":
        what = random.choice(list(CALLS))
        instant = Instant("call", what, one_of(CALLS[what]), 0)
    elif kind == "file":
        what = random.choice(("state", "state", "drop", "requests"))
        instant = Instant("file", what, one_of(measured[what]), delay)
    elif kind == "start" and random.random() < 0.5:
        instant = Instant("time", "", random.uniform(0, measured["start"]), 0)
    restarts = []
    if kind in ("again", "start"):
        restarts = [random.uniform(0, 1.2 * measured["start"]) for _ in range(one_of(2))]
    return Plan(kind, kind == "start", undo, instant, tuple(restarts), draw_delivery(random),
                random.random() < 0.7)


def words_of(plan):
    instant = plan.instant
    if instant is None:
        return "no kill"
    when = {"time": f"{instant.at:.3f} s after its beginning", "log": f"at log line {instant.what}",
            "file": f"at change {instant.at} of {instant.what}",
            "call": f"before call {instant.at} of {instant.what}"}[instant.when]
    more = f" + {instant.delay * 1000:.1f} ms" if instant.delay else ""
    more += f", and {len(plan.restarts)} starts killed" if plan.restarts else ""
    return f"{plan.kind}{'-' + plan.undo if plan.undo else ''}: {when}{more}"


class Inventory:
    """A look at the inventory: at a copy while no daemon runs, for the daemon itself must find it as it died."""

    def __init__(self, path, copy):
        self.folder = None
        if copy:
            self.folder = tempfile.mkdtemp(prefix="look-", dir=os.path.dirname(os.path.dirname(path)))
            for ending in ("", "-wal"):
                if os.path.exists(path + ending):
                    shutil.copy(path + ending, self.folder)
            path = os.path.join(self.folder, os.path.basename(path))
        self.there = os.path.exists(path) and os.path.getsize(path) > 0
        self.database = sqlite3.connect(path) if self.there else None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.database:
            self.database.close()
        if self.folder:
            shutil.rmtree(self.folder)

    def rows(self, sql, *values):
        """Rows, or none when there is no such table yet."""
        if not self.there:
            return []
        try:
            return self.database.execute(sql, values).fetchall()
        except sqlite3.OperationalError as problem:
            if "no such table" in str(problem):
                return []
            raise

    def check(self):
        assert self.rows("PRAGMA integrity_check") in ([], [("ok",)]), self.rows("PRAGMA integrity_check")
        assert not self.rows("PRAGMA foreign_key_check"), self.rows("PRAGMA foreign_key_check")

    def newest_renewal(self):
        return (self.rows("SELECT max(id) FROM renewals") or [(0,)])[0][0] or 0


class SoakLab(Lab):
    """A lab with a service that can be made to refuse the new pair."""

    def __init__(self, build=None):
        super().__init__(build=build, remaining=900, lead="20m", settle="1s", scan="1s",
                         policy="    verify: {handshakes: 2, patience: 4s}\n")
        nginx, config = self.path("nginx"), self.path("nginx/nginx.conf")
        self.script("test", f'[ -e {nginx}/refuse-test ] && ! cmp -s {nginx}/www.crt {nginx}/old.crt &&'
                            f' {{ echo "refused on purpose"; exit 1; }}\n'
                            f'exec /usr/sbin/nginx -t -q -c {config}\n')
        self.script("reload", f'[ -e {nginx}/refuse-reload ] || kill -HUP "$(cat {nginx}/nginx.pid)"\n')
        self.services = (f"  shaky-nginx:\n    extends: demo-nginx\n    test: [{nginx}/test]\n"
                         f"    reload: [{nginx}/reload]\n")

    def script(self, name, text):
        path = self.path("nginx/" + name)
        with open(path, "w", encoding="ascii") as out:
            out.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)

    def refuse(self, how, on=True):
        flag = self.path("nginx/refuse-" + how)
        if on:
            shutil.copyfile(self.path("nginx/www.crt"), self.path("nginx/old.crt"))
            with open(flag, "w", encoding="ascii"):
                pass
        elif os.path.exists(flag):
            os.unlink(flag)

    def begin(self):
        self.start_nginx()
        self.start_smtp()
        self.write_config()
        self.start_clients(2)

    def spawn_daemon(self, call=None):
        """With a call, strace kills the daemon before its n-th of that name; one worker thread, since strace counts
        each thread alone; not what it runs (-b)."""
        words = [self.program("unlapsed"), "-c", self.config]
        if call:
            words = ["env", "UV_THREADPOOL_SIZE=1", "strace", "-D", "-f", "-b", "execve", "-qqq", "-o", "/dev/null",
                     "-e", "trace=" + call.what, "-e", f"inject={call.what}:signal=KILL:when={call.at}", *words]
        self.spawn("unlapsed", *words)

    def is_dead(self):
        child = self.running.get("unlapsed")
        return child is None or child.poll() is not None

    def inventory(self):
        return Inventory(self.path("state/inventory.db"), self.is_dead())


class Round:
    """One road and one kill. Raises what is wrong."""

    def __init__(self, lab, plan):
        self.lab, self.plan = lab, plan
        self.old = lab.served_serial()
        self.served_before = lab.clients()["served"]
        self.filed_before = self.filed()
        self.log_before = os.path.getsize(lab.log) if os.path.exists(lab.log) else 0
        self.mails_before = len(lab.mails())
        self.kills = 0
        self.sent_at_kill = {}   # Message-ID: copies, of what the inventory knew as sent when the daemon died
        self.dropped = {}        # SHA-256 of a delivery: its name
        self.pending = []
        self.leaf = self.csr = self.killer = None
        self.begun = self.relented = False
        self.last_renewal = self.deliveries_before = 0
        self.hit = ""

    # The road.

    def drive(self):
        lab, plan = self.lab, self.plan
        with lab.inventory() as inventory:
            self.last_renewal = inventory.newest_renewal()
            self.deliveries_before = len(inventory.rows("SELECT id FROM deliveries"))
        if plan.undo:
            lab.refuse(plan.undo)
        self.killer = Killer(lab, plan.instant)
        try:
            call = plan.instant if plan.instant and plan.instant.when == "call" else None
            if call and not lab.is_dead():
                lab.end("unlapsed")
            if lab.is_dead():
                lab.spawn_daemon(call)
            began = time.monotonic()
            while not self.step():
                if time.monotonic() > began + ROAD_SECONDS:
                    raise AssertionError(f"the road did not end within {ROAD_SECONDS} s\n{lab.tail()}")
                time.sleep(0.02)
            seconds = time.monotonic() - began
        finally:
            self.killer.end()
        return seconds

    def step(self):
        """Whatever is next; true when all is done."""
        if self.lab.is_dead():
            self.died()
            self.lab.spawn_daemon()
        if not self.lab.unlapse("status")[0] == 0:
            return False
        if not self.begun:
            self.ask()
        self.sign()
        while self.pending and self.pending[0][0] <= time.monotonic():
            _, name, data = self.pending.pop(0)
            self.lab.drop(name, data)
        if self.plan.undo and not self.relented:
            self.relent()
        return self.is_done()

    def died(self):
        """The daemon is gone: by us, with its inventory whole. Further starts are killed too, if so planned."""
        lab = self.lab
        status = lab.running.pop("unlapsed").wait()
        if self.plan.instant and self.plan.instant.when == "call" and status == -signal.SIGKILL:
            self.killer.fired.set()
        if not self.killer.fired.wait(1):
            raise AssertionError(f"the daemon ended by itself, with status {status}\n{lab.tail()}")
        if self.kills == 0:
            self.hit = f"hit after {self.killer.last}, {self.progress()}"
        delays = self.plan.restarts if self.kills == 0 else ()
        self.look_after_kill(status)
        for delay in delays:
            lab.spawn_daemon()
            time.sleep(delay)
            lab.running["unlapsed"].send_signal(signal.SIGKILL)
            self.look_after_kill(lab.running.pop("unlapsed").wait())

    def look_after_kill(self, status):
        self.kills += 1
        assert status == -signal.SIGKILL, f"the daemon ended with status {status}\n{self.lab.tail()}"
        copies = collections.Counter(mail["Message-ID"] for mail in self.lab.mails())
        with self.lab.inventory() as inventory:
            inventory.check()
            for number, created in inventory.rows("SELECT id, created_at FROM notices WHERE sent_at IS NOT NULL"):
                self.sent_at_kill.setdefault(f"<notice-{number}-{created}@demo.example.test>", None)
        for message in self.sent_at_kill:
            if self.sent_at_kill[message] is None:
                self.sent_at_kill[message] = copies[message]

    def progress(self):
        """How far the road had come, by the facts of the inventory."""
        with self.lab.inventory() as inventory:
            facts = inventory.rows("SELECT requested_at, handed_over_at, received_at, accepted_at, staged_at,"
                                   " undo_begun_at, swapped_at, reloaded_at, verified_at, cleaned_at FROM renewals AS r"
                                   " LEFT JOIN deployments AS d ON d.renewal_id = r.id WHERE r.id > ?"
                                   " AND r.reason NOT LIKE 'adopted%' ORDER BY r.id DESC LIMIT 1", self.last_renewal)
        words = ("requested", "handed over", "received", "accepted", "staged", "undo begun", "swapped", "reloaded",
                 "verified", "cleaned")
        so = [word for word, at in zip(words, facts[0] if facts else ()) if at is not None]
        return so[-1] if so else "started" if facts else "nothing begun"

    def ask(self):
        """Has the renewal begin; what was asked for before a kill is not asked for twice."""
        lab = self.lab
        if self.plan.fresh:
            if not lab.show():
                lab.unlapse("add", "www", "--name", "dns:" + NAME, "--policy", "demo", "--target",
                            lab.target("shaky-nginx"))
            self.begun = bool(lab.show())
            return
        with lab.inventory() as inventory:
            begun = inventory.newest_renewal() > self.last_renewal
        self.begun = begun or lab.unlapse("renew", "www")[0] == 0

    def new_mails(self):
        return self.lab.mails()[self.mails_before:]

    def sign(self):
        """Takes the CSR out of the mail, signs it, and plans the delivery."""
        if self.leaf:
            return
        found = [csr for csr in map(self.lab.csr_of, self.new_mails()) if csr]
        if not found:
            return
        authority, how, now = self.lab.authority, self.plan.delivery, time.monotonic()
        self.csr = found[0]
        self.leaf = authority.sign(self.csr, LIFETIME)
        files = [("certificate.cer", self.leaf), ("chain.p7b", authority.chain())]
        if how.form == "whole":
            files = [("certificate.pem", to_pem(self.leaf) + authority.pem(authority.intermediate))]
        elif how.first == "chain":
            files.reverse()
        for number, (name, data) in enumerate(files):
            self.dropped[hashlib.sha256(data).hexdigest()] = name
            self.pending.append((now + number * how.pause, name, data))

    def relent(self):
        """The roll-back is done and said: the old pair is in place, whole. From now on the new one is welcome."""
        lab = self.lab
        if not self.leaf or not [event for event in self.events() if event["kind"] == "rolled-back"]:
            return
        if self.plan.instant and not self.killer.fired.is_set():
            return
        lab.wait_for(self.is_as_before, 60, "the old pair to be back between two attempts")
        lab.refuse(self.plan.undo, False)
        self.relented = True

    def is_as_before(self):
        """No attempt is under way, and the live files are those from before all attempts."""
        lab = self.lab
        with lab.inventory() as inventory:
            under_way = inventory.rows("SELECT 1 FROM deployments WHERE staged_at IS NOT NULL AND verified_at IS NULL")
        with open(lab.path("nginx/www.crt"), "rb") as live, open(lab.path("nginx/old.crt"), "rb") as old:
            same = live.read() == old.read()
        return not under_way and same and lab.nothing_left() and lab.pair_fits()

    def events(self):
        return [event for event in self.lab.history() if (event["renewal"] or 0) > self.last_renewal]

    def is_done(self):
        lab = self.lab
        if not self.leaf or self.pending or lab.served_serial() != serial_of(self.leaf) or lab.state() != "ok":
            return False
        if self.plan.instant and not self.killer.fired.is_set():
            self.killer.fire()   # the instant never came: the end of the road will do
            return False
        with lab.inventory() as inventory:
            busy = (inventory.rows("SELECT 1 FROM notices WHERE sent_at IS NULL AND dropped_at IS NULL")
                    or inventory.rows("SELECT 1 FROM deliveries WHERE receipt_written = 0 OR filed_at IS NULL"))
        return not busy and lab.nothing_left() and not self.in_drop_folder()

    # The judgement.

    def filed(self):
        """{(folder, name): SHA-256} of everything in accepted/ and rejected/ but the receipts."""
        found = {}
        for folder in ("accepted", "rejected"):
            path = self.lab.path("state/drop/" + folder)
            for name in os.listdir(path) if os.path.isdir(path) else []:
                if not name.endswith(".txt") and not name.startswith("."):
                    with open(os.path.join(path, name), "rb") as data:
                        found[(folder, name)] = hashlib.sha256(data.read()).hexdigest()
        return found

    def in_drop_folder(self):
        return [name for name in os.listdir(self.lab.path("state/drop")) if name not in ("accepted", "rejected")]

    def judge(self):
        """What must be so after every road, whatever the instant of the kill. Changes nothing."""
        self.judge_service()
        self.judge_inventory()
        self.judge_mails()
        self.judge_folder()
        self.judge_log()

    def judge_service(self):
        lab = self.lab
        new = serial_of(self.leaf)
        assert lab.pair_fits(), "the installed key does not fit the installed certificate"
        assert lab.nothing_left(), os.listdir(lab.path("nginx"))
        modes = [oct(os.stat(lab.path("nginx/" + name)).st_mode & 0o7777) for name in ("www.key", "www.crt")]
        assert modes == ["0o600", "0o644"], modes
        verified, sent = lab.served_chain()
        assert verified and len(sent) == 2, f"wanted leaf and intermediate, got {sent}"
        seen = lab.wait_for(lambda: self.clients_saw(new), 60, "the clients to see the new certificate")
        assert seen["failures"] == 0, seen
        served = {int(serial, 16) for serial, count in seen["served"].items()
                  if count > self.served_before.get(serial, 0)}
        assert served <= {int(self.old, 16), int(new, 16)}, f"served {served}, old {self.old}, new {new}"
        with open(lab.path("nginx/error.log"), encoding="utf-8", errors="replace") as log:
            bad = [line for line in log if re.search(r"\[(emerg|alert|crit)\]", line)]
        assert not bad, bad[:3]
        assert lab.running["nginx"].poll() is None

    def clients_saw(self, serial):
        seen = self.lab.clients()
        return seen if int(serial, 16) in [int(one, 16) for one in seen["served"]] else None

    def judge_inventory(self):
        with self.lab.inventory() as inventory:
            inventory.check()
            made = inventory.rows("SELECT id, csr, key_sealed IS NOT NULL, accepted_at IS NOT NULL, leaf FROM renewals"
                                  " WHERE id > ? AND reason NOT LIKE 'adopted%'", self.last_renewal)
            assert len(made) == 1, f"wanted one renewal, got {made}"
            number, csr, has_key, accepted, leaf = made[0]
            assert has_key and accepted and leaf == self.leaf, made
            assert csr == run("openssl", "req", "-outform", "DER", stdin=self.csr), "the mailed CSR is not the kept one"
            lost = inventory.rows("SELECT id FROM renewals WHERE key_sealed IS NULL")
            assert not lost, f"renewals without a key: {lost}"
            count = collections.Counter(kind for (kind,) in inventory.rows(
                "SELECT kind FROM events WHERE renewal_id = ?", number))
            for kind in ("started", "requested", "handed-over", "accepted", "verified"):
                assert count[kind] == 1, f"event {kind}: {count}"
            assert bool(count["rolled-back"]) == bool(self.plan.undo), count
            row = inventory.rows("SELECT verified_at, cleaned_at, undo_begun_at FROM deployments WHERE renewal_id = ?",
                                 number)
            assert len(row) == 1 and row[0][0] and row[0][1] and row[0][2] is None, row
            taken = len(inventory.rows("SELECT id FROM deliveries")) - self.deliveries_before
            assert taken == len(self.dropped), f"{len(self.dropped)} files were dropped, {taken} deliveries taken"
            twice = inventory.rows("SELECT certificate_id, renewal_id, stage, recipient FROM notices"
                                   " GROUP BY 1, 2, 3, 4 HAVING count(*) > 1")
            assert not twice, twice

    def judge_mails(self):
        """Each once; twice only what was on its way in the instant of a kill."""
        mails = self.new_mails()
        ids = {}
        for mail in mails:
            ids.setdefault(mail["X-Unlapsed-Kind"], set()).add(mail["Message-ID"])
        wanted = {"csr-ready", "accepted", "deployed"}
        assert set(ids) - {"rolled-back"} == wanted, f"mails {ids}"
        assert ("rolled-back" in ids) <= bool(self.plan.undo), ids
        for kind in wanted:
            assert len(ids[kind]) == 1, f"{kind} was told {len(ids[kind])} times: {ids[kind]}"
        copies = collections.Counter(mail["Message-ID"] for mail in mails)
        again = sum(copies.values()) - len(copies)
        assert again <= self.kills, f"{again} mails twice after {self.kills} kills: {copies}"
        everything = collections.Counter(mail["Message-ID"] for mail in self.lab.mails())
        for message, count in self.sent_at_kill.items():
            assert everything[message] == count, f"{message} was known as sent, and was sent again"

    def judge_folder(self):
        """Every delivery lies in accepted/ once, with a receipt that speaks of it."""
        filed = {place: sha256 for place, sha256 in self.filed().items() if place not in self.filed_before}
        assert sorted(filed.values()) == sorted(self.dropped), f"filed {filed}, dropped {self.dropped}"
        for (folder, name), sha256 in self.filed().items():
            assert folder == "accepted", (folder, name)
            receipt = self.lab.receipt(name)
            assert receipt and sha256 in receipt, f"the receipt of {name} speaks of another file: {receipt}"
        assert not self.in_drop_folder(), self.in_drop_folder()
        left = [name for folder in ("state/drop/accepted", "state/drop/rejected", "state/requests")
                for name in os.listdir(self.lab.path(folder)) if ".unlapsed-" in name]
        assert not left, left
        with open(self.lab.path("state/requests/www.csr"), "rb") as written:
            assert written.read().split() == self.csr.split(), "the written CSR is not the mailed one"

    def judge_log(self):
        with open(self.lab.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.log_before)
            lines = log.read().splitlines()
        bad = [line for line in lines if len(line.split()) > 1 and line.split()[1].rstrip(":") in COMPLAINTS]
        assert not bad, bad[:3]
        assert self.plan.undo or not [line for line in lines if " deployment-failed:" in line], lines


class Soak:
    """Rounds until there were enough kills, in as many labs as it takes."""

    def __init__(self, build=None):
        self.build = build
        self.lab = None
        self.measured = None
        self.hits = collections.Counter()

    def new_lab(self):
        self.end()
        self.lab = SoakLab(self.build)
        self.lab.begin()

    def end(self):
        if self.lab:
            self.lab.stop()
        self.lab = None

    def measure(self):
        """A road without a kill: what it takes, and how many instants it has."""
        self.new_lab()
        plan = Plan("measure", True, "", None, (), Delivery("parts", "leaf", 1.2))
        began = time.monotonic()
        self.lab.spawn_daemon()
        self.lab.wait_for(self.lab.answers, 60, "the daemon to answer")
        start = time.monotonic() - began
        one = Round(self.lab, plan)
        seconds = one.drive()
        one.judge()
        count = one.killer.count
        self.measured = {"seconds": seconds, "start": start,
                         **{group: count[("file", group)] for group in ("live", "state", "drop", "requests")}}
        return self.measured

    def round(self, plan):
        """One kill; returns what it hit."""
        if plan.fresh or self.lab is None:
            self.new_lab()
            plan = plan._replace(fresh=True)
        elif plan.rotate:
            self.lab.authority.rotate()
        one = Round(self.lab, plan)
        try:
            seconds = one.drive()
            one.judge()
        except BaseException:
            self.lab.refuse("test", False)
            raise
        self.hits[one.hit.rsplit(", ", 1)[-1]] += 1
        return f"{one.hit}; {one.kills} kill{'s' * (one.kills > 1)}, {seconds:.1f} s"

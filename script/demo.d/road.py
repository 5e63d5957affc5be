"""The demo: the whole road of one certificate, told as it happens. Started by script/demo."""
import argparse
import os
import signal
import sys
import textwrap
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "flow"))
from lab import Lab, NAME, PEOPLE, serial_of  # noqa: E402  pylint: disable=wrong-import-position

USAGE = """script/demo [--keep] [--quiet] [--key TYPE]

  --keep      leave everything running afterwards, and say where to drop files and what to try
  --quiet     only the result
  --key TYPE  ec-p256 (default), ec-p384, rsa-2048, rsa-3072, rsa-4096, ed25519

Exits 0 only when nginx serves the new certificate and no client saw a failed request.
"""

REMAINING = 150  # seconds of life left of the certificate nginx starts with
LEAD = 140       # seconds before its end at which the policy has a renewal begin
LIFETIME = 86400


class Story:
    """Tells what happens when it happens: our own steps, the daemon's events, the mails."""

    def __init__(self, lab, quiet):
        self.lab, self.quiet = lab, quiet
        self.began = time.monotonic()
        self.events_told = 0
        self.mails_told = 0
        self.receipts_told = set()

    def say(self, who, text):
        if self.quiet:
            return
        head = f"{time.monotonic() - self.began:5.1f} s  {who:<10}"
        width = max(40, int(os.environ.get("COLUMNS", 110)) - len(head))
        for line in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False):
            print(head + line, flush=True)
            head = " " * len(head)

    def catch_up(self):
        """Tells the receipts, events and mails that are new."""
        for kind in ("accepted", "rejected"):
            folder = self.lab.path(f"state/drop/{kind}")
            for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
                if name.endswith(".txt") and name not in self.receipts_told:
                    self.receipts_told.add(name)
                    with open(os.path.join(folder, name), encoding="utf-8") as text:
                        said = text.read()
                    # Its middle: what each object in the file was, and what became of it.
                    said = " ".join(said.split("\n\n", 1)[-1].split())
                    self.say("receipt", f"{kind}/{name}: {textwrap.shorten(said, 400)}")
        for event in self.lab.history()[self.events_told:]:
            self.events_told += 1
            self.say("unlapsed", f"{event['kind']}: {event['text']}")
        for mail in self.lab.mails()[self.mails_told:]:
            self.mails_told += 1
            names = [part.get_filename() for part in mail.iter_attachments()]
            attached = f" [attached: {', '.join(filter(None, names))}]" if any(names) else ""
            self.say("mail", f"to {mail['To']}: {mail['Subject']}{attached}")

    def until(self, predicate, seconds, what):
        """Waits, telling meanwhile."""
        def look():
            self.catch_up()
            return predicate()
        return self.lab.wait_for(look, seconds, what)

    def pause(self, seconds):
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, seconds + 5, "time to pass")


def road(lab, story):
    """The road; returns the serial number that must be served at its end."""
    lab.start_nginx()
    old = lab.served_serial()
    story.say("nginx", f"serves https://127.0.0.1:{lab.https_port}/ as {NAME}; its certificate ends in {REMAINING} s"
                       f" (serial {old[:16]}...)")
    lab.start_smtp()
    story.say("mail", f"an SMTP server with STARTTLS and AUTH listens on port {lab.smtp_port}")
    lab.authority.rotate()
    story.say("authority", "GnuTLS certtool with a root and a new intermediate is ready; it knows nothing of unlapsed")
    lab.start_clients()
    story.say("clients", "three of them open fresh TLS connections to nginx from now on, and verify each")
    lab.write_config()
    lab.start_daemon()
    story.say("unlapsed", f"runs as process {lab.running['unlapsed'].pid}")
    story.say("you", f"unlapse add www --name dns:{NAME} --policy demo --target demo-nginx,...")
    lab.add()
    story.say("unlapsed", f"by the policy a renewal begins {LEAD} s before the end: the live key is not touched")

    story.until(lambda: any(map(lab.csr_of, lab.mails())), 40, "the mail with the CSR")
    csr = lab.wait_for_csr(1)
    story.say("authority", f"takes the CSR out of the mail to {PEOPLE} and signs it for a day")
    leaf = lab.authority.sign(csr, LIFETIME)
    story.pause(1)
    story.say("authority", "drops chain.p7b: PKCS#7 with the root first, then the intermediate; no leaf yet")
    lab.drop("chain.p7b", lab.authority.chain())
    story.pause(4)
    story.say("authority", "drops certificate.cer: the leaf alone, in DER")
    lab.drop("certificate.cer", leaf)

    new = serial_of(leaf)
    story.until(lambda: lab.served_serial() == new, 40, "nginx to serve the new certificate")
    story.say("nginx", f"serves the new certificate (serial {new[:16]}...)")
    story.until(lambda: lab.state() == "ok" and lab.mails("deployed"), 40, "the confirmation by mail")
    story.catch_up()
    return new


def judge(lab, new):
    """What is wrong at the end, as sentences: judged by openssl and the clients, not by unlapsed."""
    lab.end("clients")
    wrong, seen = [], lab.clients()
    verified, sent = lab.served_chain()
    if lab.served_serial() != new:
        wrong.append("nginx does not serve the certificate that the authority made")
    if not verified:
        wrong.append("openssl s_client does not verify what is served against the authority's root")
    if len(sent) != 2:
        wrong.append(f"wanted leaf and intermediate to be served, got {sent}")
    if not lab.pair_fits():
        wrong.append("the installed key does not fit the installed certificate")
    if seen["failures"]:
        wrong.append(f"{seen['failures']} of {seen['requests']} requests failed: {seen['reasons'][:3]}")
    if int(new, 16) not in [int(serial, 16) for serial in seen["served"]]:
        wrong.append("no client has seen the new certificate")
    return wrong, seen


def write_helper(lab, name, text):
    path = lab.path(name)
    with open(path, "w", encoding="utf-8") as out:
        out.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def keep(lab):
    """Says how to go on with what runs."""
    pids = " ".join(str(child.pid) for child in lab.running.values())
    unlapse = write_helper(lab, "unlapse", f'exec {lab.program("unlapse")} --socket {lab.socket} "$@"\n')
    deliver = write_helper(lab, "authority-delivers",
                           f"# Signs the newest CSR for a day (or $1 seconds) and drops leaf and chain.\n"
                           f"exec /usr/bin/python3 {ROOT}/tests/flow/authority.py {lab.path('authority')} deliver "
                           f"{lab.path('state/requests/www.csr')} {lab.path('state/drop')} ${{1:-{LIFETIME}}}\n")
    stop = write_helper(lab, "stop",
                        f"# Ends what the demo started, by process id, and removes its folder.\n"
                        f"for pid in {pids}; do\n"
                        f"    grep -aqF {lab.folder} /proc/$pid/cmdline 2>/dev/null && kill $pid\n"
                        f"done\nsleep 2\nexec rm -rf {lab.folder}\n")
    print(f"""
Everything is left running in {lab.folder}

  drop files into   {lab.path('state/drop')}
                    they end up in accepted/ or rejected/ below it, each with a receipt beside it
  CSRs are in       {lab.path('state/requests')}
  mails are in      {lab.path('mails')}
  the daemon's log  {lab.log}
  nginx             https://127.0.0.1:{lab.https_port}/  (curl --cacert {lab.authority.root} \\
                    --connect-to {NAME}:443:127.0.0.1:{lab.https_port} https://{NAME}/)

  try               {unlapse} explain www
                    {unlapse} renew www
                    {deliver}
                    {unlapse} history www
                    echo hello > {lab.path('state/drop/hello.txt')}

  to stop           {stop}
""")


def main():
    parser = argparse.ArgumentParser(usage=USAGE, add_help=False)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--key", default="ec-p256")
    options = parser.parse_args()
    lab = Lab(build=os.path.join(ROOT, "build"), keep=options.keep, remaining=REMAINING, lead=f"{LEAD}s",
              lifetime=LIFETIME, key_type=options.key)
    story = Story(lab, options.quiet)
    kept = False
    try:
        new = road(lab, story)
        wrong, seen = judge(lab, new)
        if not options.quiet:
            for argv in (["list"], ["history", "www"]):
                print(f"\n$ unlapse {' '.join(argv)}\n{lab.unlapse(*argv)[1]}", end="")
        for sentence in wrong:
            print(f"WRONG: {sentence}", file=sys.stderr)
        if wrong:
            print(lab.tail(), file=sys.stderr)
            return 1
        print(f"\nThe new certificate is served and verified; {seen['requests']} requests by clients, none failed.")
        if options.keep:
            keep(lab)
            kept = True
        return 0
    except AssertionError as problem:
        print(f"\nWRONG: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the story has left: the exit status still says that it was not finished.
        sys.stdout = open(os.devnull, "w", encoding="ascii")  # pylint: disable=consider-using-with
        return 1
    finally:
        if not kept:
            # What ends here must not be ended half by an impatient second Ctrl-C.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            lab.stop()


if __name__ == "__main__":
    sys.exit(main())

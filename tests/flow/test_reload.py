#!/usr/bin/env python3
"""Signals and the configuration: SIGHUP takes a good one and keeps the old one when it is broken, SIGTERM ends orderly,
one inventory has one daemon, check-config lists every mistake."""
import calendar
import json
import re
import signal
import socket
import subprocess
import time

from tap import run_tests
from lab import Lab, free_port, listens, serial_of

SLOW = """  slow-files:
    extends: files
    reload: [/bin/sleep, "2"]
"""


def make_lab(**how):
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, **how)


def edit(path, old, new):
    with open(path, encoding="utf-8") as text:
        before = text.read()
    assert old in before, f"{old!r} is not in {path}"
    with open(path, "w", encoding="utf-8") as text:
        text.write(before.replace(old, new, 1))


def seconds_of(at):
    """Seconds since 1970 of a time in the API's form."""
    return calendar.timegm(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ"))


def due(lab):
    return seconds_of(lab.show()["due_at"])


def logged_lines(lab, piece):
    with open(lab.log, encoding="utf-8", errors="replace") as log:
        return [line for line in log if piece in line]


def hup(lab, wanted):
    """SIGHUP, and waits for the new line in the log."""
    before = len(logged_lines(lab, wanted))
    lab.reload_daemon()
    lab.wait_for(lambda: len(logged_lines(lab, wanted)) > before, 20, f"{wanted!r} in the log")


def test_good_and_broken(lab):
    """A broken configuration, in any of its files, leaves the old one in force and its mistakes stand in the log by
    file, line and column; a good one counts from then on."""
    lab.start()
    lab.add()
    lab.wait_for(lambda: lab.show().get("due_at"), 10, "the due time")
    old, ends = due(lab), seconds_of(lab.show()["not_after"])
    assert ends - old == 86400, (ends, old)
    broken = ((lab.config, "recipients:", "recipents:", r"unlapsed\.yaml:\d+:1: .*did you mean recipients"),
              (lab.path("policies/demo.yaml"), "lead: 1d", "lead: 2dd", r"policies/demo\.yaml:5:11: .*2dd"),
              (lab.path("services/demo.yaml"), "extends: nginx", "extends: ngnix", r"demo\.yaml:3:14: .*ngnix"),
              (lab.path("policies/demo.yaml"), "extends: short-lived", "extends: [", r"policies/demo\.yaml:\d+:\d+: "))
    for path, good, bad, line in broken:
        edit(path, good, bad)
        hup(lab, "config-refused")
        found = [text for text in logged_lines(lab, "config:") if re.search(line, text)]
        assert found, f"wanted {line} in:\n{lab.tail()}"
        assert due(lab) == old and lab.state() == "ok", lab.show()
        edit(path, bad, good)
    assert not lab.logged("the new configuration is in force")

    edit(lab.path("policies/demo.yaml"), "lead: 1d", "lead: 10d")
    hup(lab, "the new configuration is in force")
    assert ends - due(lab) == 10 * 86400, lab.show()
    assert seconds_of(lab.show()["next"]["at"]) == due(lab), lab.show()["next"]
    edit(lab.path("policies/demo.yaml"), "lead: 10d", "lead: 19d")
    edit(lab.config, lab.socket, lab.socket + ".new")
    hup(lab, "the new configuration is in force")
    assert ends - due(lab) == 19 * 86400 and logged_lines(lab, "needs-restart"), lab.tail()
    assert lab.state() == "ok"


def test_new_values_count(lab):
    """What the daemon does after a reload follows the new configuration: mail server, recipients, how long a file
    settles; and a lead time that has passed meanwhile starts a renewal at once."""
    lab.start()
    lab.add()
    lab.end("smtp")
    lab.smtp_port = free_port()
    lab.start_smtp()
    lab.recipients = ("second@example.test",)
    lab.write_config()
    edit(lab.path("policies/demo.yaml"), "lead: 1d", "lead: {fraction: 50%}")
    edit(lab.config, "settle: 1s", "settle: 1h")
    hup(lab, "the new configuration is in force")
    assert lab.state() == "ok", "half of the life is not over yet"
    edit(lab.path("policies/demo.yaml"), "fraction: 50%", "fraction: 100%, never-more-than: 100%")
    hup(lab, "the new configuration is in force")
    mail = lab.wait_for(lambda: lab.mails("csr-ready"), 30, "the CSR at the new server")[0]
    assert mail["X-Envelope-To"] == "second@example.test", mail["X-Envelope-To"]
    leaf = lab.deliver(lab.csr_of(mail), name="unsettled.pem")
    time.sleep(5)
    assert not lab.receipt("unsettled.pem"), "a file was taken before it had settled"
    edit(lab.config, "settle: 1h", "settle: 1s")
    hup(lab, "the new configuration is in force")
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the file to be taken")


def add_slow(lab, count):
    """Certificates without a service whose installation takes seconds each, and their deliveries."""
    names = [f"slow-{number}" for number in range(count)]
    for name in names:
        lab.must("add", name, "--name", f"dns:{name}.example.test", "--policy", "demo", "--target",
                 f"slow-files,key={lab.path(name + '.key')},fullchain={lab.path(name + '.crt')}")
    for name in names:
        request = lab.path(f"state/requests/{name}.csr")
        lab.wait_for(lambda n=name: lab.state(n) == "handed over", 20, f"the CSR of {name}")
        with open(request, "rb") as csr:
            lab.deliver(csr.read(), name=name + ".pem")
    lab.wait_for(lambda: any(lab.state(name) == "ok" for name in names), 30, "the first one to be installed")
    return names


def installed(lab, names):
    return [name for name in names if lab.state(name) == "ok"]


def test_term_in_the_middle(lab):
    """SIGTERM ends the daemon after the work in hand, not after all the work there is, with status 0; SIGHUP does not
    wait for all the work either. The next start finishes what was begun."""
    lab.services = SLOW
    lab.start()
    names = add_slow(lab, 5)
    edit(lab.path("policies/demo.yaml"), "lead: 1d", "lead: 2d")
    hup(lab, "the new configuration is in force")
    done = installed(lab, names)
    assert len(done) < 5, "the reload waited for everything there was to do"
    assert lab.end("unlapsed", patience=20) == 0
    assert logged_lines(lab, "stopping: ") and logged_lines(lab, "stopped: "), lab.tail()
    verified = [line for line in logged_lines(lab, " verified: ") if "slow-" in line]
    assert len(verified) < 5, "the end waited for everything there was to do"
    lab.start_daemon()
    lab.wait_for(lambda: len(installed(lab, names)) == 5, 60, "all to be installed after the next start")
    for name in names:
        kinds = [event["kind"] for event in lab.history(name)]
        assert kinds.count("verified") == 1 and kinds.count("rolled-back") == 0, (name, kinds)


def test_idle_ends(lab):
    """SIGTERM and SIGINT end an idle daemon with status 0; its socket is of no harm to the next one."""
    lab.start()
    lab.add()
    for number in (signal.SIGTERM, signal.SIGINT):
        assert lab.end("unlapsed", number) == 0, lab.tail()
        assert lab.unlapse("status")[0] == 7, "the socket of a daemon that ended still answers"
        lab.start_daemon()
        assert lab.state() == "ok"
    lab.kill9()
    lab.start_daemon()
    assert lab.state() == "ok"


def test_silent_server(lab):
    """A mail server that accepts connections and says nothing keeps neither the commands nor the renewals waiting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        lab.start_nginx()
        lab.start_smtp()
        lab.smtp_port = silent.getsockname()[1]
        lab.write_config()
        edit(lab.config, "  retry: [1s, 2s]\n", "  retry: [1s, 2s]\n  timeout: 5s\n")
        lab.start_daemon()
        lab.add()
        csr = lab.renew()
        leaf = lab.deliver(csr)
        lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the new certificate to be served")
        lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
        assert not lab.mails()
        lab.wait_for(lambda: "imed out" in lab.explain() or "imeout" in lab.explain(), 30, "explain to say why")
        assert lab.end("unlapsed", patience=30) == 0


def test_second_daemon(lab):
    """A second daemon on the same inventory refuses, names the first one, and does it no harm."""
    lab.start()
    lab.add()
    first = lab.running["unlapsed"].pid
    other = lab.path("other.yaml")
    with open(lab.config, encoding="utf-8") as text:
        config = text.read()
    with open(other, "w", encoding="utf-8") as out:
        out.write(config.replace(lab.socket, lab.path("other.sock")))
    for path in (lab.config, other):
        done = subprocess.run([lab.program("unlapsed"), "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=30, check=False)
        said = done.stdout.decode()
        assert done.returncode == 1, (done.returncode, said)
        assert f"process {first}" in said and "inventory.db" in said, said
    assert lab.running["unlapsed"].poll() is None and lab.state() == "ok"


def test_check_config(lab):
    """check-config lists every mistake of every file by file, line and column, and exits with 4; it needs no daemon."""
    lab.write_config()
    status, text, _ = lab.unlapse("check-config", lab.config)
    assert status == 0 and "fine" in text, (status, text, lab.complaint)
    edit(lab.config, "scan: 2s", "scan: soon")
    edit(lab.config, "tls: required", "tls: maybe")
    edit(lab.config, "host: demo", "hots: demo")
    edit(lab.path("policies/demo.yaml"), "key: ec-p256", "key: ec-p257")
    edit(lab.path("policies/demo.yaml"), lab.authority.root, "root.pem")
    edit(lab.path("services/demo.yaml"), "extends: nginx", "extends: ngnix")
    wanted = (r"unlapsed\.yaml:2:\d+: .*did you mean host", r'unlapsed\.yaml:\d+:\d+: .*"soon"',
              r'unlapsed\.yaml:\d+:\d+: .*"maybe"', r'demo\.yaml:4:10: .*"ec-p257".*did you mean ec-p256',
              r"policies/demo\.yaml:\d+:\d+: .*root\.pem", r"services/demo\.yaml:3:14: .*did you mean nginx")
    for options in ((), ("--json",)):
        status, text, data = lab.unlapse("check-config", *options, lab.config)
        assert status == 4, (status, text)
        for line in wanted:
            assert re.search(line, lab.complaint), f"wanted {line} in:\n{lab.complaint}"
        assert "PRIVATE" not in lab.complaint
    assert data["fine"] is False and len(data["complaints"]) >= len(wanted), json.dumps(data)
    done = subprocess.run([lab.program("unlapsed"), "-c", lab.config], stdin=subprocess.DEVNULL, timeout=30,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 4 and all(re.search(line, done.stdout.decode()) for line in wanted), done
    assert not listens(lab.smtp_port)
    status, text, _ = lab.unlapse("check-config", lab.path("nothing.yaml"))
    assert status != 0 and "nothing.yaml" in lab.complaint, (status, lab.complaint)


if __name__ == "__main__":
    run_tests((test_good_and_broken, make_lab), (test_new_values_count, make_lab), (test_term_in_the_middle, make_lab),
              (test_idle_ends, make_lab), (test_silent_server, make_lab), (test_second_daemon, make_lab),
              (test_check_config, make_lab))

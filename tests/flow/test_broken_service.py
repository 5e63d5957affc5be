#!/usr/bin/env python3
"""A service that cannot take its new certificate: what was there before comes back, people are told, it is tried
again by itself, and `unlapse explain` says all that."""
import contextlib
import os
import shutil
import subprocess

from tap import Skip, run_tests
from lab import Lab, NAME, free_port, serial_of

SHOP = "shop.example.test"
PATIENCE = "    verify: {handshakes: 2, patience: 2s}\n"
SECOND = """  second-nginx:
    extends: nginx
    parameters:
      config: {folder}/second/nginx.conf
      pid-file: {folder}/second/nginx.pid
"""


def make_lab(**how):
    return Lab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, policy=PATIENCE, **how)


def wait_rolled_back(lab, name="www"):
    """Waits until the failure is recorded and told; the text of the mail."""
    lab.wait_for(lambda: lab.state(name) == "rolled back", 30, "the deployment to be rolled back")
    mail = lab.wait_for(lambda: [one for one in lab.mails("rolled-back") if one["X-Unlapsed-Certificate"] == name], 20,
                        "the mail that tells it")[0]
    return lab.text_of(mail)


def deployment(lab, index=0, name="www"):
    return lab.show(name)["targets"][index]["deployment"]


def check_explained(lab, *words):
    """explain says what is so, why, what happens next, when and by whom, and who was told."""
    lab.wait_for(lambda: "rolled-back, sent" in lab.explain(), 10, "explain to name the mail that was sent")
    explained = lab.explain()
    for word in ("rolled back", "install on a target", "by the daemon", "Last errors", *words):
        assert word in explained, f"wanted {word!r} in:\n{explained}"


def check_finished(lab, leaf, seconds=30):
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), seconds, "the new certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    lab.wait_for(lambda: len(lab.mails("deployed")) == 1, 20, "the mail that says so")
    assert lab.pair_fits() and lab.nothing_left()


def test_broken_configuration(lab):
    """nginx.conf is broken by hand before the certificate arrives: nothing is swapped and nginx is left alone; after
    the repair the certificate is installed without anybody's help."""
    lab.start()
    lab.add()
    csr = lab.renew()
    old, files = lab.served(), lab.fingerprint()
    lab.start_clients()
    with open(lab.path("nginx/nginx.conf"), encoding="ascii") as conf:
        good = conf.read()
    with open(lab.path("nginx/nginx.conf"), "a", encoding="ascii") as conf:
        conf.write("serverr_tokens off;\n")
    leaf = lab.deliver(csr)
    told = wait_rolled_back(lab)
    assert "serverr_tokens" in told and "Nothing was changed" in told, told
    check_explained(lab, "serverr_tokens")
    lab.wait_for(lambda: deployment(lab)["failures"] >= 2, 30, "a second attempt")
    assert not [event for event in lab.history() if event["kind"] in ("staged", "swapped", "reloaded")], lab.history()
    with open(lab.path("nginx/error.log"), encoding="utf-8") as log:
        assert "reconfiguring" not in log.read(), "nginx was told to read a broken configuration"
    assert lab.served() == old and lab.fingerprint() == files and lab.nothing_left()
    assert len(lab.mails("rolled-back")) == 1, "the same failure was told twice"

    with open(lab.path("nginx/nginx.conf"), "w", encoding="ascii") as conf:
        conf.write(good)
    check_finished(lab, leaf)
    lab.end("clients")
    assert lab.clients()["failures"] == 0, lab.clients()


def test_deaf_service(lab):
    """A service that goes on serving the old certificate after its reload: the old files come back byte for byte with
    owner, group and mode; it is told and tried again, and goes through once the preset is right."""
    lab.services = "    reload: [/bin/true]\n"
    lab.start()
    lab.add()
    os.chown(lab.path("nginx/www.crt"), 0, 33)
    os.chmod(lab.path("nginx/www.crt"), 0o640)
    os.chown(lab.path("nginx/www.key"), 33, 33)
    os.chmod(lab.path("nginx/www.key"), 0o440)
    csr = lab.renew()
    old, files = lab.served(), lab.fingerprint()
    leaf = lab.deliver(csr)
    told = wait_rolled_back(lab)
    assert old.serial in told.replace("\n", "") and "previous files are back" in told, told
    assert lab.fingerprint() == files, f"wanted {files}, got {lab.fingerprint()}"
    check_explained(lab, "previous files are back and served")
    lab.wait_for(lambda: deployment(lab)["failures"] >= 2, 40, "a second attempt")
    kinds = [event["kind"] for event in lab.history()]
    assert kinds.count("swapped") >= 2 and kinds.count("verified") == 0, kinds
    assert len(lab.mails("rolled-back")) == 1, "the same failure was told twice"
    assert lab.served() == old

    lab.services = ""
    lab.write_config()
    lab.reload_daemon()
    check_finished(lab, leaf, 40)
    assert [one[4] for one in lab.fingerprint()] == ["0o100600", "0o100644"], "modes are not as the preset declares"
    assert [one[2:4] for one in lab.fingerprint()] == [(33, 33), (0, 33)], "owner and group were not kept"


def test_no_service(lab):
    """nginx is not running: the certificate is not put there on trust; when nginx runs again it is installed."""
    lab.start()
    lab.add()
    csr = lab.renew()
    files = lab.fingerprint()
    lab.end("nginx")
    leaf = lab.deliver(csr)
    told = wait_rolled_back(lab)
    assert "not running" in told, told
    check_explained(lab, "not running")
    assert lab.fingerprint() == files
    lab.run_nginx()
    check_finished(lab, leaf)


def mount(lab, folder, *options):
    done = subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise Skip("no file system can be mounted here")
    lab.mounted = folder


class MountLab(Lab):
    """A lab that takes down what was mounted in it."""
    mounted = None

    def stop(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.mounted], check=False)
        super().stop()


def test_no_room(lab):
    """The target's folder can only be read, then is full: nothing changes, the reason is told; with room again it goes
    on by itself."""
    lab.start_nginx()
    os.mkdir(lab.path("nginx/tls"))
    mount(lab, lab.path("nginx/tls"), "-o", "size=96k,mode=0755")
    for name in ("www.key", "www.crt"):
        shutil.copy2(lab.path("nginx/" + name), lab.path("nginx/tls"))
    with open(lab.path("nginx/nginx.conf"), encoding="ascii") as conf:
        text = conf.read()
    with open(lab.path("nginx/nginx.conf"), "w", encoding="ascii") as conf:
        conf.write(text.replace("/nginx/www.", "/nginx/tls/www."))
    lab.end("nginx")
    lab.run_nginx()
    lab.start_smtp()
    lab.write_config()
    lab.start_daemon()
    lab.add(targets=[lab.target(what="nginx/tls")])
    csr = lab.renew()
    paths = ("nginx/tls/www.key", "nginx/tls/www.crt")
    old, files = lab.served(), lab.fingerprint(*paths)
    subprocess.run(["mount", "-o", "remount,ro", lab.path("nginx/tls")], check=True)
    leaf = lab.deliver(csr)
    told = wait_rolled_back(lab)
    assert "Read-only file system" in told and "www.key" in told, told
    assert lab.served() == old and lab.fingerprint(*paths) == files

    subprocess.run(["mount", "-o", "remount,rw", lab.path("nginx/tls")], check=True)
    with open(lab.path("nginx/tls/ballast"), "wb", buffering=0) as out:
        with contextlib.suppress(OSError):
            while True:
                out.write(b"x" * 4096)
    lab.wait_for(lambda: "room" in (deployment(lab)["reason"] or ""), 20, "the reason to name the missing room")
    assert lab.served() == old and lab.fingerprint(*paths) == files
    assert lab.nothing_left("nginx/tls"), os.listdir(lab.path("nginx/tls"))

    os.unlink(lab.path("nginx/tls/ballast"))
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 30, "the new certificate to be served")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    assert lab.pair_fits("nginx/tls") and lab.nothing_left("nginx/tls")


def test_one_of_two(lab):
    """One of two targets fails: the other is verified, the certificate stays rolled back until both are, and the
    failing one keeps nobody else's certificate waiting."""
    other_port = free_port()
    lab.services = SECOND.format(folder=lab.folder)
    lab.start()
    lab.start_nginx("second", other_port, (NAME, SHOP))
    lab.add(targets=[lab.target("second-nginx", "second", other_port), lab.target()])
    csr = lab.renew()
    with open(lab.path("second/nginx.conf"), encoding="ascii") as conf:
        good = conf.read()
    with open(lab.path("second/nginx.conf"), "w", encoding="ascii") as conf:
        conf.write(good.replace("http {", "httpp {"))
    before = lab.fingerprint("second/www.key", "second/www.crt")
    leaf = lab.deliver(csr)
    lab.wait_for(lambda: lab.served_serial() == serial_of(leaf), 40, "the other target to serve it")
    told = wait_rolled_back(lab)
    assert "httpp" in told and "second-nginx" in told, told
    lab.wait_for(lambda: deployment(lab, 1)["verified_at"], 30, "the good target to be verified")
    assert lab.state() == "rolled back" and deployment(lab, 0)["verified_at"] is None
    assert not lab.mails("deployed"), "told as done while one target is missing"
    explained = lab.explain()
    assert "is verified since" in explained and "httpp" in explained, explained

    lab.must("add", "shop", "--name", "dns:" + SHOP, "--policy", "demo",
             "--target", f"files,key={lab.path('shop.key')},fullchain={lab.path('shop.crt')}")
    request = lab.path("state/requests/shop.csr")
    lab.wait_for(lambda: os.path.exists(request), 20, "the CSR of the other certificate")
    with open(request, "rb") as data:
        lab.deliver(data.read(), name="shop.pem")
    lab.wait_for(lambda: lab.state("shop") == "ok", 30, "the other certificate to be installed")
    assert lab.state() == "rolled back"
    assert lab.fingerprint("second/www.key", "second/www.crt") == before

    with open(lab.path("second/nginx.conf"), "w", encoding="ascii") as conf:
        conf.write(good)
    lab.wait_for(lambda: lab.served(port=other_port).serial == serial_of(leaf), 30, "the repaired target to serve it")
    lab.wait_for(lambda: lab.state() == "ok", 20, "the certificate to be ok")
    lab.wait_for(lambda: [one for one in lab.mails("deployed") if one["X-Unlapsed-Certificate"] == "www"], 20,
                 "the mail that says so")
    assert lab.pair_fits("second") and lab.nothing_left("second")


if __name__ == "__main__":
    run_tests((test_broken_configuration, make_lab), (test_deaf_service, make_lab), (test_no_service, make_lab),
              (test_no_room, lambda: MountLab(remaining=40 * 86400, lead="1d", lifetime=90 * 86400, policy=PATIENCE)),
              (test_one_of_two, make_lab))

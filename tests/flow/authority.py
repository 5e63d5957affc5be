#!/usr/bin/env python3
"""A certificate authority that is not ours: GnuTLS certtool, a root and an intermediate.

As a library: Authority(folder).sign(csr, seconds). As a program:
    authority.py FOLDER init
    authority.py FOLDER sign CSR OUTPUT.der SECONDS       the leaf, in DER
    authority.py FOLDER chain OUTPUT.p7b                  root and intermediate as PKCS#7, root first
    authority.py FOLDER deliver CSR DROPFOLDER SECONDS    both, as an authority sends them: in separate files

The PKCS#7 file holds the root before the intermediate, as many authorities send it. In DER the members of
a SET are sorted by their bytes, the shorter one first, so root first is a property of the names chosen here;
chain() looks at its own result.
"""
import os
import subprocess
import sys
import time

KEYS = {
    "ec-p256": ["--key-type", "ecdsa", "--curve", "secp256r1"],
    "ec-p384": ["--key-type", "ecdsa", "--curve", "secp384r1"],
    "rsa-2048": ["--key-type", "rsa", "--bits", "2048"],
    "rsa-3072": ["--key-type", "rsa", "--bits", "3072"],
    "ed25519": ["--key-type", "ed25519"],
}


def run(*argv, stdin=None):
    """Runs a program; its output, or an exception that holds what it said."""
    done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {' / '.join(said[-3:])}")
    return done.stdout


def stamp(seconds):
    """A time as certtool's templates want it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


SINCE = f'activation_date = "{stamp(time.time() - 86400)}"'


class Authority:
    """Root and intermediate in a folder of its own; made when they are not there."""

    def __init__(self, folder, key="ec-p256", name="Example"):
        self.folder = folder
        self.key = key
        self.name = name
        self.root = self.path("root.pem")
        self.intermediate = self.path("intermediate.pem")
        self.count = 0
        self.generation = 0
        if not os.path.exists(self.intermediate):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            self._make()

    def path(self, name):
        return os.path.join(self.folder, name)

    def _template(self, name, *lines):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        return self.path(name)

    def _make(self):
        make_key(self.path("root.key"), self.key)
        run("certtool", "--generate-self-signed", "--load-privkey", self.path("root.key"),
            "--template", self._template("root.tpl", f'cn = "{self.name} Root"', "ca", "cert_signing_key", SINCE,
                                         "expiration_days = 3650"),
            "--outfile", self.root)
        self.rotate()

    def rotate(self):
        """A new intermediate, as authorities take one every now and then: what was pooled before is of no use."""
        self.generation += 1
        make_key(self.path("intermediate.key"), self.key)
        run("certtool", "--generate-certificate", "--load-privkey", self.path("intermediate.key"),
            "--load-ca-certificate", self.root, "--load-ca-privkey", self.path("root.key"),
            "--template", self._template("intermediate.tpl", "ca", "cert_signing_key", "path_len = 0", SINCE,
                                         f'cn = "{self.name} Issuing CA {self.generation}"', "expiration_days = 1000"),
            "--outfile", self.intermediate)

    def sign(self, csr, seconds, backdate=60, names=None, usage="tls_www_server"):
        """Signs a CSR (PEM bytes) for so many seconds from now and returns the leaf in DER. `names` (template
        lines such as 'dns_name = "x"') replace what the CSR asks for: an authority that makes mistakes."""
        self.count += 1
        base = self.path(f"leaf-{os.getpid()}-{self.count}")
        with open(base + ".csr", "wb") as out:
            out.write(csr)
        now = time.time()
        lines = [f'activation_date = "{stamp(now - backdate)}"', f'expiration_date = "{stamp(now + seconds)}"',
                 "signing_key"]
        lines += [usage] if usage else []
        lines += names if names is not None else ["honor_crq_ext = 2.5.29.17"]
        run("certtool", "--generate-certificate", "--load-request", base + ".csr",
            "--load-ca-certificate", self.intermediate, "--load-ca-privkey", self.path("intermediate.key"),
            "--template", self._template(os.path.basename(base) + ".tpl", *lines),
            "--outder", "--outfile", base + ".der")
        with open(base + ".der", "rb") as der:
            return der.read()

    def self_sign(self, key, seconds, names):
        """A certificate that signs itself, in PEM: what some tools make when nobody looks."""
        template = self._template("self.tpl", *names, f'expiration_date = "{stamp(time.time() + seconds)}"',
                                  "signing_key", "tls_www_server")
        return run("certtool", "--generate-self-signed", "--load-privkey", key, "--template", template)

    def chain(self):
        """Root and intermediate as PKCS#7 in DER, root first."""
        both = self.path("both.pem")
        with open(both, "wb") as out:
            for part in (self.root, self.intermediate):
                out.write(self.pem(part))
        out = self.path("chain.p7b")
        run("certtool", "--p7-generate", "--load-certificate", both, "--outder", "--outfile", out)
        listing = run("openssl", "pkcs7", "-inform", "DER", "-in", out, "-print_certs", "-noout").decode()
        subjects = [line for line in listing.splitlines() if line.startswith("subject")]
        if len(subjects) != 2 or "Root" not in subjects[0]:
            raise RuntimeError(f"the PKCS#7 file is not root first: {subjects}")
        with open(out, "rb") as data:
            return data.read()

    @staticmethod
    def pem(path):
        with open(path, "rb") as data:
            return data.read()


def make_key(path, key="ec-p256"):
    """A private key, 0600 from its first byte."""
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    run("certtool", "--generate-privkey", *KEYS[key], "--outfile", path)


def make_csr(path_key, *dns_names):
    """A CSR in PEM, made without unlapsed: for certificates from before its time."""
    return run("openssl", "req", "-new", "-key", path_key, "-subj", "/CN=" + dns_names[0],
               "-addext", "subjectAltName=" + ",".join("DNS:" + name for name in dns_names))


def to_pem(der):
    return run("openssl", "x509", "-inform", "DER", stdin=der)


def drop(folder, name, data):
    """Puts a file into a drop folder the way a careful program does: under another name, then renamed."""
    part = os.path.join(folder, name + ".part")
    with open(part, "wb") as out:
        out.write(data)
    os.rename(part, os.path.join(folder, name))


def main(argv):
    if len(argv) < 3:
        sys.exit(__doc__)
    authority, verb, rest = Authority(argv[1]), argv[2], argv[3:]
    if verb == "init" and not rest:
        return
    if verb == "sign" and len(rest) == 3:
        with open(rest[1], "wb") as out:
            out.write(authority.sign(authority.pem(rest[0]), int(rest[2])))
    elif verb == "chain" and len(rest) == 1:
        with open(rest[0], "wb") as out:
            out.write(authority.chain())
    elif verb == "deliver" and len(rest) == 3:
        number = time.strftime("%H%M%S")
        drop(rest[1], f"ca-bundle-{number}.p7b", authority.chain())
        drop(rest[1], f"certificate-{number}.cer", authority.sign(authority.pem(rest[0]), int(rest[2])))
        print(f"dropped ca-bundle-{number}.p7b and certificate-{number}.cer into {rest[1]}")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv)

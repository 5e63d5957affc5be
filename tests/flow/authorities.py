"""Certificate authorities that are not ours, each with its own tool: what they have in common is only this.

    authority = OpensslCa(folder, "rsa-2048", depth=1)
    authority.root             PEM file
    authority.intermediates    PEM, the leaf's issuer first; depth of them
    authority.sign(csr)        what the tool wrote, as it wrote it: PEM, with a dump in front where the tool makes one

Each lives in a folder of its own, signs for a day, and knows nothing of unlapsed.
"""
import json
import os
import shutil
import subprocess

from authority import SINCE, make_key, run

DAYS = 1


def write(path, text, mode=0o644):
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, mode), "wb") as out:
        out.write(text if isinstance(text, bytes) else text.encode())
    return path


def read(path):
    with open(path, "rb") as data:
        return data.read()


class Foreign:
    """Root and `depth` intermediates, made by make_root() and make_intermediate(); level 0 is the root."""

    def __init__(self, folder, key, depth=1):
        self.folder, self.key, self.depth = folder, key, depth
        self.name = os.path.basename(folder)
        os.makedirs(folder, mode=0o700)
        self.count = 0
        self.make_root()
        for level in range(1, depth + 1):
            self.make_intermediate(level)
        self.root = self.path("0.pem")
        self.intermediates = [read(self.path(f"{level}.pem")) for level in range(depth, 0, -1)]

    def path(self, name):
        return os.path.join(self.folder, name)

    def subject(self, level):
        return f"{self.name} {'Root' if level == 0 else 'Issuing CA' if level == self.depth else 'Policy CA'}"

    def write_csr(self, csr):
        self.count += 1
        return write(self.path(f"leaf-{self.count}.csr"), csr)


class Certtool(Foreign):
    """GnuTLS."""

    def template(self, *lines):
        return write(self.path("template"), "\n".join(lines) + "\n")

    def make_root(self):
        make_key(self.path("0.key"), self.key)
        run("certtool", "--generate-self-signed", "--load-privkey", self.path("0.key"), "--outfile", self.path("0.pem"),
            "--template", self.template(f'cn = "{self.subject(0)}"', "ca", "cert_signing_key", SINCE,
                                        "expiration_days = 3650"))

    def make_intermediate(self, level):
        make_key(self.path(f"{level}.key"), self.key)
        run("certtool", "--generate-certificate", "--load-privkey", self.path(f"{level}.key"),
            "--load-ca-certificate", self.path(f"{level - 1}.pem"), "--load-ca-privkey", self.path(f"{level - 1}.key"),
            "--template", self.template(f'cn = "{self.subject(level)}"', "ca", "cert_signing_key", SINCE,
                                        "expiration_days = 1000"), "--outfile", self.path(f"{level}.pem"))

    def sign(self, csr):
        out = self.path("leaf.pem")
        run("certtool", "--generate-certificate", "--load-request", self.write_csr(csr), "--outfile", out,
            "--load-ca-certificate", self.path(f"{self.depth}.pem"),
            "--load-ca-privkey", self.path(f"{self.depth}.key"),
            "--template", self.template("signing_key", "tls_www_server", "honor_crq_ext = 2.5.29.17",
                                        f"expiration_days = {DAYS}"))
        return read(out)


def openssl_key(path, key):
    """A key by OpenSSL, for authorities built on it."""
    kind, _, size = key.partition("-")
    options = {"ec": ["EC", "-pkeyopt", f"ec_paramgen_curve:{size.upper().replace('P', 'P-')}"],
               "rsa": ["RSA", "-pkeyopt", f"rsa_keygen_bits:{size}"]}[kind]
    run("openssl", "genpkey", "-out", path, "-algorithm", *options)


class OpensslCa(Foreign):
    """`openssl ca`, with the index file, the serial numbers and the dump in front of each certificate. Its
    intermediates carry what those of companies carry: constraints, policies, addresses that nobody answers."""

    signature = ()

    def config(self, level):
        for name, text in ((f"{level}.index", ""), (f"{level}.serial", "1000\n")):
            if not os.path.exists(self.path(name)):
                write(self.path(name), text)
        return write(self.path(f"{level}.cnf"), f"""[ca]
default_ca = this
[this]
database = {self.path(f'{level}.index')}
serial = {self.path(f'{level}.serial')}
new_certs_dir = {self.folder}
certificate = {self.path(f'{level}.pem')}
private_key = {self.path(f'{level}.key')}
default_md = sha256
default_days = {DAYS}
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = optional
[req]
distinguished_name = none
[none]
[v3_root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[v3_ca]
basicConstraints = critical, CA:TRUE, pathlen:1
keyUsage = critical, keyCertSign, cRLSign
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
nameConstraints = critical, permitted;DNS:example.test, excluded;DNS:forbidden.example.test
certificatePolicies = 2.5.29.32.0
crlDistributionPoints = URI:http://127.0.0.1:9/ca.crl
authorityInfoAccess = caIssuers;URI:http://127.0.0.1:9/ca.cer, OCSP;URI:http://127.0.0.1:9/
[v3_server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
""")

    def make_root(self):
        openssl_key(self.path("0.key"), self.key)
        run("openssl", "req", "-x509", "-new", "-key", self.path("0.key"), "-subj", "/CN=" + self.subject(0),
            "-days", "3650", "-config", self.config(0), "-extensions", "v3_root", *self.signature,
            "-out", self.path("0.pem"))

    def make_intermediate(self, level):
        openssl_key(self.path(f"{level}.key"), self.key)
        csr = run("openssl", "req", "-new", "-key", self.path(f"{level}.key"), "-subj", "/CN=" + self.subject(level),
                  "-config", self.config(level))
        self.issue(level - 1, csr, "v3_ca", self.path(f"{level}.pem"), 1000)

    def issue(self, level, csr, extensions, out, days):
        run("openssl", "ca", "-batch", "-config", self.config(level), "-extensions", extensions,
            "-in", self.write_csr(csr), "-out", out, "-days", str(days), *self.signature)

    def sign(self, csr):
        self.issue(self.depth, csr, "v3_server", self.path("leaf.pem"), DAYS)
        return read(self.path("leaf.pem"))


class PssCa(OpensslCa):
    """RSASSA-PSS, which AD CS calls the alternate signature format."""

    signature = ("-md", "sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")

    def make_root(self):
        openssl_key(self.path("0.key"), self.key)
        run("openssl", "req", "-x509", "-new", "-key", self.path("0.key"), "-subj", "/CN=" + self.subject(0),
            "-days", "3650", "-config", self.config(0), "-extensions", "v3_root", "-sha512", *self.signature[2:],
            "-out", self.path("0.pem"))


class Cfssl(Foreign):
    """CloudFlare's, whose answers are JSON."""

    KEYS = {"ec-p256": {"algo": "ecdsa", "size": 256}, "ec-p384": {"algo": "ecdsa", "size": 384},
            "rsa-2048": {"algo": "rsa", "size": 2048}}

    def cfssl(self, *argv):
        done = subprocess.run(["cfssl", *argv], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"cfssl {' '.join(argv)}: {done.stderr.decode()}")
        return json.loads(done.stdout)

    def request(self, level, **more):
        return write(self.path("request.json"),
                     json.dumps({"CN": self.subject(level), "key": self.KEYS[self.key], **more}))

    def keep(self, level, made):
        write(self.path(f"{level}.pem"), made["cert"])
        write(self.path(f"{level}.key"), made["key"], 0o600)

    def make_root(self):
        profiles = {"ca": {"usages": ["cert sign", "crl sign"], "expiry": "8760h", "ca_constraint": {"is_ca": True}},
                    "server": {"usages": ["digital signature", "server auth"], "expiry": f"{24 * DAYS}h"}}
        write(self.path("config.json"), json.dumps({"signing": {"profiles": profiles, "default": profiles["server"]}}))
        self.keep(0, self.cfssl("gencert", "-initca", self.request(0, ca={"expiry": "87600h"})))

    def by(self, level, profile):
        return ["-ca", self.path(f"{level}.pem"), "-ca-key", self.path(f"{level}.key"), "-config",
                self.path("config.json"), "-profile", profile]

    def make_intermediate(self, level):
        self.keep(level, self.cfssl("gencert", *self.by(level - 1, "ca"), self.request(level)))

    def sign(self, csr):
        return self.cfssl("sign", *self.by(self.depth, "server"), self.write_csr(csr))["cert"].encode()


class EasyRsa(Foreign):
    """OpenVPN's scripts around `openssl ca`: one PKI folder for each level."""

    def easyrsa(self, level, *argv, days=DAYS):
        kind, _, size = self.key.partition("-")
        algorithm = {"EASYRSA_ALGO": "ec", "EASYRSA_CURVE": {"p256": "prime256v1", "p384": "secp384r1"}[size]} \
            if kind == "ec" else {"EASYRSA_ALGO": "rsa", "EASYRSA_KEY_SIZE": size}
        done = subprocess.run(["/usr/share/easy-rsa/easyrsa", *argv], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                              env={**os.environ, **algorithm, "EASYRSA_BATCH": "1", "EASYRSA_PKI": self.pki(level),
                                   "EASYRSA_REQ_CN": self.subject(level), "EASYRSA_CERT_EXPIRE": str(days)})
        if done.returncode != 0:
            raise RuntimeError(f"easyrsa {' '.join(argv)}: {done.stdout.decode()}")

    def pki(self, level):
        return self.path(f"pki-{level}")

    def make_root(self):
        self.easyrsa(0, "init-pki")
        self.easyrsa(0, "build-ca", "nopass")
        shutil.copyfile(self.pki(0) + "/ca.crt", self.path("0.pem"))

    def make_intermediate(self, level):
        self.easyrsa(level, "init-pki")
        self.easyrsa(level, "build-ca", "nopass", "subca")
        self.easyrsa(level - 1, "import-req", self.pki(level) + "/reqs/ca.req", f"sub-{level}")
        self.easyrsa(level - 1, "sign-req", "ca", f"sub-{level}", days=1000)
        shutil.copyfile(self.pki(level - 1) + f"/issued/sub-{level}.crt", self.pki(level) + "/ca.crt")
        shutil.copyfile(self.pki(level) + "/ca.crt", self.path(f"{level}.pem"))

    def sign(self, csr):
        name = f"leaf-{self.count + 1}"
        self.easyrsa(self.depth, "import-req", self.write_csr(csr), name)
        self.easyrsa(self.depth, "--copy-ext", "sign-req", "server", name)
        return read(self.pki(self.depth) + f"/issued/{name}.crt")

#!/usr/bin/env python3
"""`unlapse check` on servers and files that others made: good, incomplete, expired, in the wrong order, before TLS."""
import json
import os
import subprocess

from tap import Skip, run_tests
from lab import Lab, NAME, listens, free_port
from authority import make_csr, make_key, to_pem
import servers


def check(lab, *words, anchored=True):
    """Exit status, and the JSON document; nothing may stand on standard error."""
    anchor = ["--anchor", lab.authority.root] if anchored else []
    done = subprocess.run([lab.program("unlapse"), "check", "--json", *anchor, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, check=False)
    document = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, document


def codes(document, severity):
    """The codes of a severity, of the host and of every look."""
    found = [finding["code"] for finding in document["findings"] if finding["severity"] == severity]
    for look in document["looks"]:
        found += [finding["code"] for finding in look["findings"] if finding["severity"] == severity]
    return sorted(set(found))


def leaf_of(lab, seconds=86400 * 80, backdate=3600, name=NAME):
    """(path of the leaf in PEM, path of its key)"""
    key, crt = lab.path("leaf.key"), lab.path("leaf.pem")
    make_key(key)
    with open(crt, "wb") as out:
        out.write(to_pem(lab.authority.sign(make_csr(key, name), seconds, backdate=backdate)))
    return crt, key


def served(lab, *pems):
    """nginx serves these files one after the other; the target for check."""
    with open(lab.path("nginx/www.crt"), "wb") as out:
        for pem in pems:
            out.write(lab.authority.pem(pem))
    lab.end("nginx")
    lab.run_nginx()
    return f"127.0.0.1:{lab.https_port}"


def start_nginx(lab):
    lab.start_nginx()
    crt, key = leaf_of(lab)
    os.replace(key, lab.path("nginx/www.key"))
    return crt


def test_good_server(lab):
    """A server with a whole chain is good, the report names every link, and a missing HSTS header is a warning."""
    crt = start_nginx(lab)
    target = served(lab, crt, lab.authority.intermediate)
    status, document = check(lab, "--host", NAME, target)
    assert status == 0, document
    assert codes(document, "warning") == ["no-hsts"], document
    look = document["looks"][0]
    assert look["origin"] == target and look["protocol"].startswith("TLSv1.") and look["complete"], look
    assert [link["from"] for link in look["chain"]] == ["sent", "sent", "anchor"], look
    assert look["chain"][0]["names"] == ["dns:" + NAME] and 78 <= look["chain"][0]["days_left"] <= 80, look
    assert len(look["chain"][0]["fingerprint_sha256"]) == 64
    # The system's store knows nothing of this authority.
    status, document = check(lab, "--host", NAME, target, anchored=False)
    assert status == 1 and codes(document, "bad") == ["chain-incomplete"], document
    # By its address, for which it has no name.
    status, document = check(lab, target)
    assert status == 1 and codes(document, "bad") == ["host-mismatch"], document
    conf = lab.authority.pem(lab.path("nginx/nginx.conf")).decode()
    with open(lab.path("nginx/nginx.conf"), "w", encoding="ascii") as out:
        out.write(conf.replace("location /", 'add_header Strict-Transport-Security "max-age=9" always; location /'))
    served(lab, crt, lab.authority.intermediate)
    status, document = check(lab, "--host", NAME, target)
    assert status == 0 and codes(document, "warning") == [], document


def test_bad_servers(lab):
    """Incomplete, in the wrong order, with surplus, expired: each has its finding and status 1 where it is bad."""
    crt = start_nginx(lab)
    issuing, root = lab.authority.intermediate, lab.authority.root
    status, document = check(lab, "--host", NAME, served(lab, crt))
    assert status == 1 and codes(document, "bad") == ["chain-incomplete"], document
    assert "Issuing CA" in json.dumps(document), document
    status, document = check(lab, "--host", NAME, "--untrusted", issuing, served(lab, crt))
    assert status == 1 and codes(document, "bad") == ["chain-incomplete"], document
    status, document = check(lab, "--host", NAME, served(lab, crt, root, issuing))
    assert status == 0 and codes(document, "info") == ["root-sent"], document
    lab.authority.rotate()
    status, document = check(lab, "--host", NAME, served(lab, crt, issuing))
    assert status == 1 and "chain-incomplete" in codes(document, "bad"), document
    assert "unrelated-certificate" in codes(document, "warning"), document
    old, key = leaf_of(lab, seconds=-60, backdate=86400)
    os.replace(key, lab.path("nginx/www.key"))
    status, document = check(lab, "--host", NAME, served(lab, old, issuing))
    assert status == 1 and codes(document, "bad") == ["expired"], document
    # What was good then is good at that time.
    status, document = check(lab, "--host", NAME, "--at", "@" + str(int(os.stat(old).st_mtime) - 3600), f"127.0.0.1:{lab.https_port}")
    assert status == 0, document


def test_files(lab):
    """Files in the forms of authorities; the leaf behind its chain is told; standard input works."""
    crt, _ = leaf_of(lab)
    issuing = lab.authority.intermediate
    both = lab.path("both.pem")
    for order, status, bad in (((crt, issuing), 0, []), ((issuing, crt), 1, ["order"])):
        with open(both, "wb") as out:
            out.write(b"".join(lab.authority.pem(part) for part in order))
        got, document = check(lab, "--host", NAME, both)
        assert got == status and codes(document, "bad") == bad, document
    got, document = check(lab, "--untrusted", lab.authority.path("chain.p7b"), crt) if lab.authority.chain() else (1, {})
    assert got == 0 and codes(document, "info") == ["chain-incomplete"], document
    done = subprocess.run([lab.program("unlapse"), "check", "--anchor", lab.authority.root, "-"], input=lab.authority.pem(both),
                          stdout=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1 and b"-: bad" in done.stdout, done.stdout


def test_cannot_look(lab):
    """A host that does not answer, a file that is none, a file without certificates: status 3."""
    for words in ([f"127.0.0.1:{free_port()}"], ["/nowhere/x.pem"], [lab.path("smtp.password")], ["host.invalid:443"]):
        status, document = check(lab, *words)
        assert status == 3 and document["verdict"] == "unknown", (words, document)
        assert document["looks"][0]["error"], document


def looks_through(lab, protocol, port, chain_pem):
    """check passes --starttls and finds the certificate; a protocol that is another's does not hang or crash."""
    assert listens(port)
    status, document = check(lab, "--host", NAME, "--starttls", protocol, f"127.0.0.1:{port}")
    assert status == 0, (protocol, document)
    first = document["looks"][0]["chain"][0]["subject"]
    assert document["looks"][0]["sent"] == 2 and first, (protocol, document, chain_pem)


def start_chain(lab):
    crt, key = leaf_of(lab)
    chain = lab.path("full.pem")
    with open(chain, "wb") as out:
        out.write(lab.authority.pem(crt) + lab.authority.pem(lab.authority.intermediate))
    return chain, key


def before_tls(protocol, start):
    def test(lab):
        chain, key = start_chain(lab)
        looks_through(lab, protocol, start(lab, chain, key), chain)
    test.__name__ = "test_" + protocol
    test.__doc__ = f"A real server of {protocol} is asked for TLS in its own words."
    return test


def test_mail_reading(lab):
    """Dovecot is asked for TLS in IMAP, POP3 and Sieve."""
    chain, key = start_chain(lab)
    for protocol, port in servers.dovecot(lab, chain, key).items():
        looks_through(lab, protocol, port, chain)


def test_wrong_protocol(lab):
    """A server of another protocol is told, and nothing waits for ever: status 3."""
    crt = start_nginx(lab)
    target = served(lab, crt, lab.authority.intermediate)
    for protocol in ("smtp", "ldap", "postgres", "xmpp"):
        status, document = check(lab, "--host", NAME, "--starttls", protocol, target)
        assert status == 3 and document["looks"][0]["error"], document


assert Skip
run_tests((test_good_server, Lab), (test_bad_servers, Lab), (test_files, Lab), (test_cannot_look, Lab),
          (before_tls("smtp", servers.smtp), Lab), (test_mail_reading, Lab), (before_tls("postgres", servers.postgres), Lab),
          (before_tls("ldap", servers.ldap), Lab), (before_tls("ftp", servers.ftp), Lab),
          (before_tls("mysql", servers.mysql), Lab), (before_tls("xmpp", servers.xmpp), Lab), (test_wrong_protocol, Lab))

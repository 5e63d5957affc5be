"""The forms in which certificates arrive, as tools, portals and mail programs make them: PEM in, bytes out."""
import base64
import json
import os
import quopri
import re
import subprocess
import tempfile
from email import policy
from email.message import EmailMessage

from authority import run

BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\r?\n", re.DOTALL)


def blocks(pem):
    """The certificates of a text, each as PEM, without what stands around them."""
    return BLOCK.findall(pem)


def der(pem):
    return base64.b64decode(b"".join(blocks(pem)[0].split(b"\n")[1:-2]))


def dump(pem):
    """What `openssl x509 -text` writes: a dump of the certificate in front of each block."""
    return b"".join(run("openssl", "x509", "-text", stdin=block) for block in blocks(pem))


def crlf(pem):
    return pem.replace(b"\n", b"\r\n")


def byte_order_mark(pem):
    """As Windows Notepad saves "UTF-8 with BOM"."""
    return b"\xef\xbb\xbf" + crlf(pem)


def one_line(pem):
    """As forms of portals show it: the base64 without line breaks."""
    return b"".join(b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(der(block)) + b"\n-----END CERTIFICATE-----\n"
                    for block in blocks(pem))


def indented(pem):
    """Out of a YAML file or a ticket."""
    return b"certificate: |\n" + b"".join(b"    " + line + b"\n" for line in pem.splitlines())


def quoted(pem):
    """Out of the answer to a mail."""
    head = "Hello,\r\nhere is your certificate \u2014 and its chain:\r\n\r\nOn Monday the authority wrote:\r\n"
    return head.encode() + b"".join(b"> " + line + b"\r\n" for line in pem.splitlines()) + b"\r\n-- \r\nRegards\r\n"


def twice_quoted(pem):
    return b"".join(b">> " + line + b"\n" for line in pem.splitlines())


def glued(pem):
    """`cat` of files that do not end with a line break."""
    return b"".join(block.rstrip(b"\n") for block in blocks(pem))


def utf16(pem):
    """What Notepad calls "Unicode", and PowerShell's `>` writes."""
    return b"\xff\xfe" + crlf(pem).decode().encode("utf-16-le")


def typographic(pem):
    """Out of a word processor, or a mail program that means well."""
    return b"Your certificate:\r\n\r\n" + crlf(pem).replace(b"-----", "\u2013\u2014--".encode())


def json_string(pem):
    """The answer of an authority's interface, saved as it came."""
    return json.dumps({"status": "issued", "certificate": pem.decode()}).encode()


def web_page(pem):
    """A portal's page, saved from the browser."""
    return (b"<!DOCTYPE html><html><body><p>Your certificate:</p><pre>"
            + pem.replace(b"+", b"&#43;").replace(b"\n", b"<br>\n") + b"</pre></body></html>\n")


def quoted_printable(pem):
    """A mail's text as it lies on the server, cut out by hand."""
    return quopri.encodestring(pem)


def bare(pem):
    """Base64 without markers, as shown in a form field."""
    return b"\n".join(base64.encodebytes(der(block)) for block in blocks(pem))


def mail(pem):
    """The authority's mail, saved: the certificates attached, and something to read."""
    message = EmailMessage()
    message["From"], message["To"] = "order@authority.example", "admin@example.com"
    message["Subject"] = "Your certificate \u2713"
    message.set_content("Dear customer,\n\nyour certificate is attached \u2014 thank you.\n", cte="quoted-printable")
    message.add_attachment(pkcs7_der(pem), maintype="application", subtype="x-pkcs7-certificates", filename="ce\u00e4rt.p7b")
    return message.as_bytes(policy=policy.SMTP)


def mail_text(pem):
    """The certificates in the text of a mail, forwarded to the administrator."""
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "order@authority.example", "Your order"
    inner.set_content("Dear customer,\n\n" + pem.decode(), cte="base64")
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "boss@example.com", "FW: Your order"
    outer.set_content("please see to it\n")
    outer.add_attachment(inner)
    return outer.as_bytes(policy=policy.SMTP)


def prose(pem):
    """What authorities write around it in one and the same file."""
    return (b"Dear customer,\n\nyour order 4711 ---- thank you! ---- was processed.\n\nCertificate and chain:\n\n"
            + b"\n(next)\n".join(blocks(pem)) + b"\nKind regards\n-- \nThe authority -----\n")


def bag_attributes(pem):
    """What `openssl pkcs12 -nokeys` prints."""
    with tempfile.TemporaryDirectory() as folder:
        p12 = os.path.join(folder, "bag.p12")
        run("openssl", "pkcs12", "-export", "-nokeys", "-passout", "pass:", "-name", "www", "-out", p12, stdin=pem)
        text = run("openssl", "pkcs12", "-in", p12, "-nokeys", "-passin", "pass:")
    if b"Bag Attributes" not in text or len(blocks(text)) != len(blocks(pem)):
        raise RuntimeError("openssl pkcs12 has changed its ways")
    return text


def trusted(pem):
    """`openssl x509 -trustout`: another label, and something behind the certificate."""
    return b"".join(run("openssl", "x509", "-trustout", "-addtrust", "serverAuth", "-setalias", "mine", stdin=block)
                    for block in blocks(pem))


def pkcs7_der(pem):
    with tempfile.NamedTemporaryFile() as bundle:
        bundle.write(pem)
        bundle.flush()
        return run("openssl", "crl2pkcs7", "-nocrl", "-certfile", bundle.name, "-outform", "DER")


def pkcs7_pem(pem):
    """The label that OpenSSL writes: PKCS7."""
    return run("openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout", stdin=pkcs7_der(pem)) \
        + run("openssl", "pkcs7", "-inform", "DER", stdin=pkcs7_der(pem))


def pkcs7_certtool(pem):
    """GnuTLS sorts the set, and has -----BEGIN PKCS7----- too."""
    with tempfile.NamedTemporaryFile() as bundle:
        bundle.write(pem)
        bundle.flush()
        return run("certtool", "--p7-generate", "--load-certificate", bundle.name)


def pkcs7_ber(pem):
    """Lengths left open (BER), as Java's BouncyCastle and everything made with it writes; signed by somebody."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("bundle", "key", "crt", "text")]
        for path, data in ((paths[0], pem), (paths[3], b"certificates")):
            with open(path, "wb") as out:
                out.write(data)
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", paths[1], "-out", paths[2], "-subj",
            "/CN=Signer", "-addext", "basicConstraints=critical,CA:TRUE")
        data = run("openssl", "cms", "-sign", "-stream", "-binary", "-nodetach", "-outform", "DER", "-in", paths[3],
                   "-signer", paths[2], "-inkey", paths[1], "-certfile", paths[0])
    if data[:2] != b"\x30\x80":
        raise RuntimeError("openssl cms has changed its ways")
    return data


def adcs(pem):
    """certnew.p7b of Active Directory Certificate Services: PKCS#7 under the label CERTIFICATE, CRLF."""
    text = base64.encodebytes(pkcs7_der(pem))
    return crlf(b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n")


def key_text(csr):
    """What openssl says of the key of a CSR: "id-ecPublicKey 256", "rsaEncryption 2048", "ED25519"."""
    text = subprocess.run(["openssl", "req", "-noout", "-text"], input=csr, stdout=subprocess.PIPE, check=True).stdout
    algorithm = re.search(rb"Public Key Algorithm: (\S+)", text)[1].decode()
    size = re.search(rb"Public-Key: \((\d+) bit\)", text)
    return f"{algorithm} {size[1].decode()}" if size else algorithm

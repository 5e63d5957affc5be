#!/usr/bin/python3
"""A real SMTP server (aiosmtpd) for tests and the demo: STARTTLS, AUTH, every mail saved as a file.

    smtp_sink.py FOLDER PORT CERTIFICATE KEY USER PASSWORD_FILE

Mails become FOLDER/0001.eml, 0002.eml, ... in the order they were taken; the envelope stands in front of each as
X-Envelope-From and X-Envelope-To. The file FOLDER/answer, when it is there, makes the server misbehave: its first
word is "rcpt" or "data", the rest is the answer given there, as in "rcpt 550 5.1.1 no such user"; "rcpt:bob@x.test"
gives it to that recipient alone.
Runs under Debian's own python3, which is where python3-aiosmtpd is.
"""
import os
import signal
import ssl
import sys
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Sink:
    def __init__(self, folder):
        self.folder = folder
        self.count = len([name for name in os.listdir(folder) if name.endswith(".eml")])

    def _answer(self, *where):
        try:
            with open(os.path.join(self.folder, "answer"), encoding="ascii") as text:
                word, _, answer = text.read().strip().partition(" ")
        except FileNotFoundError:
            return None
        return answer if word in where else None

    async def handle_RCPT(self, server, session, envelope, address, options):  # pylint: disable=invalid-name
        refusal = self._answer("rcpt", "rcpt:" + address)
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # pylint: disable=invalid-name
        refusal = self._answer("data")
        if refusal:
            return refusal
        self.count += 1
        final = os.path.join(self.folder, f"{self.count:04}.eml")
        with open(final + ".part", "wb") as out:
            out.write(f"X-Envelope-From: {envelope.mail_from}\r\n".encode())
            out.write(f"X-Envelope-To: {','.join(envelope.rcpt_tos)}\r\n".encode())
            out.write(envelope.original_content)
        os.rename(final + ".part", final)
        return f"250 taken as {self.count:04}"


def main():
    folder, port, certificate, key, user, password_file = sys.argv[1:]
    with open(password_file, "rb") as data:
        password = data.read().strip()

    def authenticate(server, session, envelope, mechanism, data):
        fine = (isinstance(data, LoginPassword) and data.login == user.encode() and data.password == password)
        return AuthResult(success=fine, handled=False)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    controller = Controller(Sink(folder), hostname="127.0.0.1", port=int(port), tls_context=context,
                            require_starttls=True, authenticator=authenticate, auth_required=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    controller.start()
    ended.wait()
    controller.stop()


if __name__ == "__main__":
    main()

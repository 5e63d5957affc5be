#!/usr/bin/python3
"""A real SMTP server for tests and the demo, on loopback and a free port.

Prints its port when ready, ends at SIGTERM or with --until-eof when its standard input closes. FOLDER gets

  ca.pem         the certificate to trust (made here unless --cert and --key are given)
  commands.log   one line a command: "tls RCPT TO:<a@b.example>", "clear EHLO host", "tls AUTH PLAIN"
  mail-N.eml     the message as it came
  mail-N.txt     what a mail program makes of it: envelope, headers, parts decoded, defects

Needs Debian's python3-aiosmtpd, so run it with /usr/bin/python3.
"""
import argparse
import asyncio
import email
import email.policy
import logging
import os
import ssl
import subprocess
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

options = argparse.ArgumentParser()
options.add_argument("folder", help="where mails go")
options.add_argument("--port", type=int, default=0)
options.add_argument("--tls", choices=["none", "starttls", "implicit"], default="starttls")
options.add_argument("--cert", help="PEM; with --key")
options.add_argument("--key")
options.add_argument("--user", help="AUTH is required, and only over TLS")
options.add_argument("--password")
options.add_argument("--auth-busy", action="store_true", help="454 to AUTH")
options.add_argument("--greylist", type=int, default=0, metavar="N", help="451 to the first N recipients")
options.add_argument("--refuse", action="append", default=[], metavar="ADDRESS", help="550 to this recipient")
options.add_argument("--refuse-sender", action="store_true", help="553 to every sender")
options.add_argument("--refuse-message", action="store_true", help="554 after the message")
options.add_argument("--refuse-all", action="store_true", help="554 instead of a greeting")
options.add_argument("--drop", choices=["data", "message"], help="hang up after DATA, or before the message is answered")
options.add_argument("--stall", choices=["greeting", "message", "quit"], help="never answer")
options.add_argument("--evil-reply", action="store_true", help="550 with control characters to every recipient")
options.add_argument("--until-eof", action="store_true", help="end when standard input closes")
args = options.parse_args()


def make_certificate():
    key, cert = (os.path.join(args.folder, name) for name in ("key.pem", "ca.pem"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-keyout", key, "-out", cert, "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, stderr=subprocess.DEVNULL)
    return cert, key


def tls_context():
    cert, key = (args.cert, args.key) if args.cert else make_certificate()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context


def authenticate(server, session, envelope, mechanism, data):
    if data.login == args.user.encode() and data.password == args.password.encode():
        return AuthResult(success=True)
    return AuthResult(success=False, handled=False)


def over_tls(session):
    return args.tls == "implicit" or session.ssl is not None


def describe(envelope, tls):
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    lines = [f"Envelope: {envelope.mail_from} -> {','.join(envelope.rcpt_tos)} {'tls' if tls else 'clear'}"]
    lines += [f"{name}: {value}" for name, value in message.items()]
    # Header objects note what is wrong with them as they are read; the message's list has the rest.
    for name, value in message.items():
        lines += [f"Defect: {name}: {defect!r}" for defect in getattr(value, "defects", [])]
    for part in message.walk():
        lines += [f"Defect: {defect!r}" for defect in part.defects]
        if not part.is_multipart():
            lines.append(f"Part: {part.get_content_type()} {part.get_filename() or '-'}")
            lines.append(part.get_payload(decode=True).decode("utf-8", "replace").replace("\r\n", "\n"))
    return "\n".join(lines) + "\n"


class Handler:
    greylisted = 0
    mails = 0

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if args.refuse_sender:
            return "553 5.7.1 sender not allowed"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if args.evil_reply:
            return "550 no\x1b[31m such \xe2\x80\xae user"
        if address in args.refuse:
            return "550 5.1.1 no such user here"
        if self.greylisted < args.greylist:
            self.greylisted += 1
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if args.refuse_message:
            return "554 5.6.0 message not wanted"
        if args.stall == "message":
            await asyncio.sleep(3600)
        if args.drop == "message":
            server.transport.abort()
            return "250 never seen"
        self.mails += 1
        self.save(".txt", describe(envelope, over_tls(session)).encode())
        self.save(".eml", envelope.original_content)
        return "250 OK, taken"

    def save(self, ending, data):
        """Whole or not at all, for whoever watches the folder."""
        path = os.path.join(args.folder, f"mail-{self.mails}{ending}")
        with open(path + ".tmp", "wb") as out:
            out.write(data)
        os.rename(path + ".tmp", path)


class Server(SMTP):
    def note(self, line):
        with open(os.path.join(args.folder, "commands.log"), "a", encoding="utf-8") as log:
            log.write(f"{'tls' if over_tls(self.session) else 'clear'} {line}\n")

    async def push(self, status):
        if isinstance(status, str) and status.startswith("220 mail.test"):
            if args.stall == "greeting":
                await asyncio.sleep(3600)
            if args.refuse_all:
                status = "554 5.7.1 no mail from you"
        if isinstance(status, str) and any(ord(char) > 126 for char in status):
            self._writer.write(status.encode("latin-1") + b"\r\n")
            return await self._writer.drain()
        return await super().push(status)

    async def smtp_EHLO(self, hostname):
        self.note(f"EHLO {hostname}")
        await super().smtp_EHLO(hostname)

    async def smtp_AUTH(self, arg):
        self.note(f"AUTH {(arg or '').split(' ')[0]}")
        if args.auth_busy:
            await self.push("454 4.7.0 temporary authentication failure")
        else:
            await super().smtp_AUTH(arg)

    async def smtp_MAIL(self, arg):
        self.note(f"MAIL {arg}")
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg):
        self.note(f"RCPT {arg}")
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg):
        self.note("DATA")
        if args.drop == "data":
            await self.push("354 go on")
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)

    async def smtp_QUIT(self, arg):
        self.note("QUIT")
        if args.stall == "quit":
            await asyncio.sleep(3600)
        await super().smtp_QUIT(arg)


async def main():
    # Of AUTH without TLS and of clients that refuse the certificate, which is what some tests want.
    warnings.simplefilter("ignore")
    logging.disable()
    context = tls_context() if args.tls != "none" else None
    handler = Handler()
    loop = asyncio.get_running_loop()

    def make_session():
        return Server(handler, enable_SMTPUTF8=False, decode_data=False, hostname="mail.test", timeout=600,
                      data_size_limit=64 << 20, tls_context=context if args.tls == "starttls" else None,
                      auth_require_tls=args.tls == "starttls", auth_required=args.user is not None,
                      authenticator=authenticate if args.user else None)

    server = await loop.create_server(make_session, "127.0.0.1", args.port,
                                      ssl=context if args.tls == "implicit" else None)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")  # in one piece even when unbuffered
    sys.stdout.flush()
    if args.until_eof:
        await loop.run_in_executor(None, sys.stdin.read)
        os._exit(0)
    await server.serve_forever()


if __name__ == "__main__":
    os.makedirs(args.folder, exist_ok=True)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass

"""Real servers that begin without TLS, each on a free port of loopback with one certificate, started by a Lab.

start(lab, protocol, chain, key) returns the port; raises tap.Skip when the program is not here. Nothing of them outlives
the lab.
"""
import glob
import os
import pwd
import shutil
import socket
import subprocess
import time

from tap import Skip
from lab import free_port, listens

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def program(name):
    found = shutil.which(name, path=PATH)
    if not found:
        raise Skip(f"{name} is not installed")
    return found


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


def copy(lab, source, name, owner=None):
    """A copy of a file for a server that insists on its owner."""
    path = lab.path(name)
    shutil.copyfile(source, path)
    os.chmod(path, 0o600)
    if owner and os.geteuid() == 0:
        shutil.chown(path, owner)
    return path


def wait(lab, port, what):
    lab.wait_for(lambda: listens(port), 30, f"{what} to listen")
    return port


def dovecot(lab, chain, key):
    """IMAP, POP3 and Sieve in one; their ports."""
    exe = program("dovecot")
    ports = {name: free_port() for name in ("imap", "pop3", "sieve")}
    base, root = lab.path("dovecot"), os.geteuid() == 0
    user = pwd.getpwuid(os.geteuid()).pw_name
    os.makedirs(base, exist_ok=True)
    os.chmod(lab.folder, 0o711)
    sieve = bool(glob.glob("/usr/share/dovecot/protocols.d/managesieved.protocol"))
    conf = write(base + "/dovecot.conf", f"""
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap pop3 {'sieve' if sieve else ''}
listen = 127.0.0.1
default_internal_user = {'dovecot' if root else user}
default_login_user = {'dovenull' if root else user}
ssl = required
ssl_cert = <{chain}
ssl_key = <{key}
mail_location = maildir:{base}/mail
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={os.geteuid()} gid={os.getegid()} home={base}/home
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {ports['imap']}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {ports['pop3']}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
""" + (f"""
service managesieve-login {{
  chroot =
  inet_listener sieve {{
    port = {ports['sieve']}
  }}
}}
""" if sieve else ""))
    lab.spawn("dovecot", exe, "-F", "-c", conf)
    wait(lab, ports["imap"], "dovecot")
    if not sieve:
        del ports["sieve"]
    return ports


def smtp(lab, chain, key):
    port = free_port()
    password = lab.path("smtp.password")
    lab.spawn("smtp2", "/usr/bin/python3", os.path.join(HERE, "smtp_sink.py"), lab.path("mails"), str(port), chain, key,
              "unlapsed", password)
    return wait(lab, port, "the SMTP server")


def postgres(lab, chain, key):
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found:
        raise Skip("postgresql is not installed")
    folder, user = os.path.dirname(found[-1]), "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    base, port = lab.path("postgres"), free_port()
    os.makedirs(base)
    os.chmod(lab.folder, 0o711)
    cert, secret = copy(lab, chain, "postgres/chain.pem", user), copy(lab, key, "postgres/key.pem", user)
    if os.geteuid() == 0:
        shutil.chown(base, user)
    as_user = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if os.geteuid() == 0 else []
    subprocess.run([*as_user, folder + "/initdb", "-D", base + "/data", "-A", "trust", "-N"], check=True,
                   stdout=subprocess.DEVNULL, timeout=120)
    lab.spawn("postgres", *as_user, folder + "/postgres", "-D", base + "/data", "-p", str(port), "-h", "127.0.0.1", "-k", base,
              "-c", "ssl=on", "-c", f"ssl_cert_file={cert}", "-c", f"ssl_key_file={secret}", "-c", "fsync=off")
    return wait(lab, port, "PostgreSQL")


def ldap(lab, chain, key):
    exe = program("slapd")
    base, port = lab.path("ldap"), free_port()
    os.makedirs(base)
    conf = write(base + "/slapd.conf", f"""
pidfile {base}/pid
argsfile {base}/args
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
""")
    lab.spawn("slapd", exe, "-d", "0", "-f", conf, "-h", f"ldap://127.0.0.1:{port}/")
    return wait(lab, port, "slapd")


def ftp(lab, chain, key):
    exe = program("vsftpd")
    if os.geteuid() != 0:
        raise Skip("vsftpd needs root")
    base, port = lab.path("ftp"), free_port()
    os.makedirs(base)
    conf = write(base + "/vsftpd.conf", f"""
listen=YES
background=NO
listen_address=127.0.0.1
listen_port={port}
anonymous_enable=NO
local_enable=YES
ssl_enable=YES
rsa_cert_file={chain}
rsa_private_key_file={key}
secure_chroot_dir={base}
seccomp_sandbox=NO
""")
    lab.spawn("vsftpd", exe, conf)
    return wait(lab, port, "vsftpd")


def mysql(lab, chain, key):
    exe = program("mariadbd")
    base, port = lab.path("mysql"), free_port()
    user = pwd.getpwuid(os.geteuid()).pw_name
    os.makedirs(base + "/mysql")
    lab.spawn("mariadbd", exe, "--no-defaults", "--skip-grant-tables", f"--datadir={base}", f"--user={user}", f"--port={port}",
              "--bind-address=127.0.0.1", f"--socket={base}/sock", f"--ssl-cert={chain}", f"--ssl-key={key}")
    return wait(lab, port, "MariaDB")


def xmpp(lab, chain, key):
    exe = program("prosody")
    base, port = lab.path("xmpp"), free_port()
    os.makedirs(base)
    owner = "prosody" if os.geteuid() == 0 else None
    os.chmod(lab.folder, 0o711)
    cert, secret = copy(lab, chain, "xmpp/chain.pem", owner), copy(lab, key, "xmpp/key.pem", owner)
    if owner:
        shutil.chown(base, owner)
    conf = write(base + "/prosody.cfg.lua", f"""
pidfile = "{base}/pid"
data_path = "{base}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
modules_enabled = {{ "tls"; "saslauth" }}
modules_disabled = {{ "s2s" }}
c2s_require_encryption = true
log = {{ error = "{base}/log" }}
VirtualHost "{lab.names[0]}"
  ssl = {{ certificate = "{cert}"; key = "{secret}" }}
""")
    as_user = ["setpriv", "--reuid", owner, "--regid", owner, "--clear-groups"] if owner else []
    lab.spawn("prosody", *as_user, exe, "-F", "--config", conf)
    return wait(lab, port, "prosody")

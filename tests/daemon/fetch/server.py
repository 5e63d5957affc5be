#!/usr/bin/env python3
"""A web server for tests, on loopback and a free port, that misbehaves by path.

server.py FOLDER [--tls CERT KEY]: prints its port when ready, ends when its standard input closes. FOLDER/body is what
/body answers with; FOLDER/requests.log gets every request as it came.
"""
import gzip
import os
import socket
import ssl
import sys
import threading
import time

FOLDER = sys.argv[1]


def read(name):
    with open(os.path.join(FOLDER, name), "rb") as data:
        return data.read()


def answer(status, body=b"", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def for_ever(connection, piece, pause=0.0):
    while True:
        connection.sendall(piece)
        time.sleep(pause)


def serve(connection, path, port):
    bare = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    if path == "/body":
        connection.sendall(answer("200 OK", read("body")))
    elif path == "/redirect":
        connection.sendall(answer("302 Found", b"", f"Location: http://127.0.0.1:{port}/body"))
    elif path == "/moved-to-file":
        connection.sendall(answer("301 Moved", b"", "Location: file:///etc/passwd"))
    elif path == "/silent":
        time.sleep(30)
    elif path == "/slow":
        connection.sendall(bare + b"\r\n")
        for_ever(connection, b"x", 0.3)
    elif path == "/endless":
        connection.sendall(bare + b"\r\n")
        for_ever(connection, b"x" * 4096)
    elif path == "/endless-headers":
        connection.sendall(bare)
        for_ever(connection, b"X-Header: " + b"x" * 4096 + b"\r\n")
    elif path == "/huge":
        connection.sendall(bare + b"Content-Length: 10000000000\r\n\r\n")
        for_ever(connection, b"x" * 4096)
    elif path == "/chunked":
        body = read("body")
        connection.sendall(bare + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    elif path == "/endless-chunks":
        connection.sendall(bare + b"Transfer-Encoding: chunked\r\n\r\n")
        for_ever(connection, b"1000\r\n" + b"x" * 4096 + b"\r\n")
    elif path == "/gzip":
        connection.sendall(answer("200 OK", gzip.compress(b"\0" * (50 << 20)), "Content-Encoding: gzip"))
    elif path in ("/65536", "/65537"):
        connection.sendall(answer("200 OK", b"x" * int(path[1:])))
    elif path == "/login":
        connection.sendall(answer("401 Unauthorized", b"who?", 'WWW-Authenticate: Basic realm="x"'))
    elif path == "/cut":
        connection.sendall(bare + b"Content-Length: 100\r\n\r\nhalf")
    elif path == "/rubbish":
        connection.sendall(b"\0\x1b[2Jnothing like HTTP\r\n\r\n")
    elif path == "/cookie":
        connection.sendall(answer("200 OK", read("body"), "Set-Cookie: a=b"))
    else:
        connection.sendall(answer("404 Not Found", b"nothing"))


def talk(plain, context, port):
    try:
        with (context.wrap_socket(plain, server_side=True) if context else plain) as connection:
            request = b""
            while b"\r\n\r\n" not in request:
                piece = connection.recv(4096)
                if not piece:
                    return
                request += piece
            with open(os.path.join(FOLDER, "requests.log"), "ab") as log:
                log.write(request)
            serve(connection, request.split()[1].decode(), port)
    except OSError:
        pass


def main():
    context = None
    if "--tls" in sys.argv:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sys.argv[sys.argv.index("--tls") + 1:])
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=talk, args=(connection, context, port), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    print(port, flush=True)
    sys.stdin.read()


main()

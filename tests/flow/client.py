#!/usr/bin/env python3
"""Clients that never stop asking: fresh TLS connections to a web server, each verified against one root.

    client.py HOST PORT SERVER_NAME ROOT.pem REPORT THREADS

REPORT is a JSON file, replaced several times a second and once more at the end (SIGTERM):
requests, failures, reasons (of the first failures), served: {serial: requests}, order: [serials as first seen].
"""
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time

PAUSE = 0.01
REASONS_MAX = 20


class Report:
    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.data = {"requests": 0, "failures": 0, "reasons": [], "served": {}, "order": []}

    def add(self, serial, failure):
        with self.lock:
            self.data["requests"] += 1
            if failure:
                self.data["failures"] += 1
                if len(self.data["reasons"]) < REASONS_MAX:
                    self.data["reasons"].append(f"{time.strftime('%H:%M:%S')} {failure}")
                return
            if serial not in self.data["served"]:
                self.data["order"].append(serial)
            self.data["served"][serial] = self.data["served"].get(serial, 0) + 1

    def write(self):
        with self.lock:
            text = json.dumps(self.data)
        with open(self.path + ".part", "w", encoding="ascii") as out:
            out.write(text)
        os.rename(self.path + ".part", self.path)


def ask(host, port, name, context):
    """One request on a connection of its own; the serial of the certificate it was answered with."""
    with socket.create_connection((host, port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as tls:
            serial = tls.getpeercert()["serialNumber"]
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while chunk := tls.recv(4096):
                answer += chunk
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise OSError(f"answer {answer[:40]!r}")
    return serial


def hammer(host, port, name, root, report, ended):
    while not ended.is_set():
        # A context of its own each time: no session is ever resumed.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(root)
        try:
            report.add(ask(host, port, name, context), None)
        except (OSError, ValueError) as problem:
            report.add(None, f"{type(problem).__name__}: {problem}")
        ended.wait(PAUSE)


def main():
    host, port, name, root, path, threads = sys.argv[1:]
    report, ended = Report(path), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    workers = [threading.Thread(target=hammer, args=(host, int(port), name, root, report, ended))
               for _ in range(int(threads))]
    for worker in workers:
        worker.start()
    while not ended.wait(0.1):
        report.write()
    for worker in workers:
        worker.join()
    report.write()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Watches a server stop: watch_stop.py HOST:PORT SOCKET PID.

A peer that does not read what it asked for keeps the server from ending at once. Prints what /readyz says before the signal, what it
says after it once that changes, and what /healthz says then; over one connection, so that no answer is that of another server.
"""
import http.client
import os
import signal
import socket
import sys

address, path, pid = sys.argv[1], sys.argv[2], int(sys.argv[3])
PINGS = 16
PAYLOAD = 60000  # all replies together are more than the socket takes

method = b"soma.v1.ServerService/Ping"
header = b"\x0a" + bytes([len(method)]) + method
message = b"\x0a" + bytes([PAYLOAD & 0x7F | 0x80, PAYLOAD >> 7 & 0x7F | 0x80, PAYLOAD >> 14]) + b"x" * PAYLOAD
frame = b"\x01" + len(header).to_bytes(4, "little") + header + message

watcher = http.client.HTTPConnection(address, timeout=20)


def get(path):
    watcher.request("GET", path)
    answer = watcher.getresponse()
    text = answer.read().decode().strip()
    return answer.status, text


def pings():
    lines = get("/metrics")[1].splitlines()
    return sum(int(line.split()[-1]) for line in lines if line.startswith('soma_rpc_calls_total{method="soma.v1.ServerService/Ping"'))


deaf = socket.socket(socket.AF_UNIX)
deaf.connect(path)
deaf.sendall(b"\0SP\0\0\x30\0\0")
assert len(deaf.recv(8, socket.MSG_WAITALL)) == 8
before = pings()
for number in range(PINGS):
    body = (0x80000001 + number).to_bytes(4, "big") + frame
    deaf.sendall(b"\x01" + len(body).to_bytes(8, "big") + body)
while pings() < before + PINGS:
    pass

ready = get("/readyz")
print(*ready)
os.kill(pid, signal.SIGTERM)
while (now := get("/readyz")) == ready:
    pass
print(*now)
print(*get("/healthz"))

#!/usr/bin/env python3
"""Requests that begin and never end, over WebSocket and TLS: past frames_arriving_bytes the connections that began first are closed.

    halves.py BUILD_DIR

What tests/fault/test_crowd.c does over ipc and tcp. A WebSocket's request may come in frames, and each of those counts.
"""
import base64
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time

MORE = 7  # than there is room for
SKIPPED = 77
PATIENCE_S = 60
WS_FRAME = 1 << 20  # the largest that nng takes


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
                    "-days", "2", "-subj", "/CN=localhost"], stderr=subprocess.DEVNULL, check=True)


def start_server(programs, folder):
    """The process, and the ports of its two listeners."""
    process = subprocess.Popen([programs / "somad", "--data", folder / "data", "--listen", f"ipc://{folder}/socket",
                                "--listen", "ws://127.0.0.1:0/soma", "--listen", "tls+tcp://127.0.0.1:0", "--tls-certificate",
                                folder / "cert.pem", "--tls-key", folder / "key.pem", "--sandbox", "off", "--insecure", "on"],
                               stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "without TLS" in line:
            print("this somad is built without TLS")
            sys.exit(SKIPPED)
        if "SERVER-READY" in line:
            return process, [int(line.split(scheme + "://127.0.0.1:")[1].split("/")[0].split()[0]) for scheme in ("ws", "tls+tcp")]
    sys.exit("somad did not start")


def limits(programs, folder):
    info = subprocess.run([programs / "soma", "--server", f"ipc://{folder}/socket", "-o", "json", "info"], capture_output=True, text=True,
                          check=True)
    return json.loads(info.stdout)["limits"]


def begin_over_ws(port, size):
    peer = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(f"GET /soma HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: rep.sp.nanomsg.org\r\n\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += peer.recv(1024)
    assert b" 101 " in answer, answer
    peer.sendall(bytes([0x82, 0x80 | 127]) + struct.pack(">Q", size) + os.urandom(4) + bytes(100))
    return peer


def begin_over_tls(port, size):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    peer = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
    peer.sendall(b"\0SP\0\0\x30\0\0")
    assert peer.recv(8)[:4] == b"\0SP\0"
    peer.sendall(struct.pack(">Q", size) + bytes(100))
    return peer


def is_closed(peer):
    peer.setblocking(False)
    try:
        return peer.recv(1) == b""
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True


def check(begin, port, size, room):
    peers = [begin(port, size) for _ in range(room // size + MORE)]
    deadline = time.monotonic() + PATIENCE_S
    while sum(map(is_closed, peers)) < MORE and time.monotonic() < deadline:
        time.sleep(0.02)
    closed = [is_closed(peer) for peer in peers]
    for peer in peers:
        peer.close()
    assert sum(closed) == MORE and not any(closed[-MORE:]), closed


def main():
    programs = pathlib.Path(sys.argv[1]) / "bin"
    with tempfile.TemporaryDirectory(prefix="soma-halves-") as scratch:
        folder = pathlib.Path(scratch)
        make_certificate(folder)
        server, (ws, tls) = start_server(programs, folder)
        try:
            allowed = limits(programs, folder)
            check(begin_over_tls, tls, allowed["frame_bytes"], allowed["frames_arriving_bytes"])
            check(begin_over_ws, ws, WS_FRAME, allowed["frames_arriving_bytes"])
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait(timeout=PATIENCE_S)
        assert status == 0, status


if __name__ == "__main__":
    main()

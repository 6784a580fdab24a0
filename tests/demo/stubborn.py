"""A program that does not want to end: children and grandchildren, one in a session of its own, all deaf to SIGTERM.

Usage: stubborn.py MARK    (MARK only stands in the processes' command lines)
"""
import os
import signal
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(3600)
    time.sleep(3600)
print("here we are, and here we stay", flush=True)
time.sleep(3600)

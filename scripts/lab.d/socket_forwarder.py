#!/usr/bin/env python3
"""Forwards one unix socket to another, as `ssh -L` does; prints a line once it listens.

usage: socket_forwarder.py LISTEN TARGET
"""

import socket
import sys
import threading


def copy(source, target):
    """Passes bytes on until the end."""
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def main():
    """Serves until it is killed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
    print("listening", flush=True)
    while True:
        near, _ = listener.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(sys.argv[2])
        for pair in ((near, far), (far, near)):
            threading.Thread(target=copy, args=pair, daemon=True).start()


main()

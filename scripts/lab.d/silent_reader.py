#!/usr/bin/env python3
"""Runs a command whose output nobody takes until a file says so.

usage: silent_reader.py KIND FOLDER COMMAND...
  terminal  stdout and stderr are a terminal that was stopped (Ctrl-S)
  pipe      stdout and stderr are a pipe that is full
  log       FOLDER/log is a named pipe that is full, as a log file on a file
            system that hangs; stdout and stderr go to a file
  file      stdout and stderr go to a file: nothing is held back
Writes the command's number to FOLDER/pid. Once FOLDER/read exists, everything
is read. What was read is in FOLDER/output. Ends with the command, as it ended.
"""
import errno
import fcntl
import os
import pty
import subprocess
import sys
import termios
import threading
import time

kind, folder, command = sys.argv[1], sys.argv[2], sys.argv[3:]
output = open(folder + "/output", "wb", buffering=0)


def fill(descriptor):
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    for size in (4096, 1):
        try:
            while True:
                os.write(descriptor, b"." * size)
        except BlockingIOError:
            pass
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def copy(descriptor):
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return
            raise
        if not data:
            return
        output.write(data.lstrip(b"."))


source, sink = None, output.fileno()
if kind == "terminal":
    source, sink = pty.openpty()
    termios.tcflow(sink, termios.TCOOFF)
elif kind == "pipe":
    source, sink = os.pipe()
    fill(sink)
elif kind == "log":
    os.mkfifo(folder + "/log")
    source = os.open(folder + "/log", os.O_RDWR)
    fill(source)

child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
with open(folder + "/pid.new", "w") as file:
    file.write(str(child.pid))
os.rename(folder + "/pid.new", folder + "/pid")

reader = None
while child.poll() is None:
    if reader is None and source is not None and os.path.exists(folder + "/read"):
        if kind == "terminal":
            termios.tcflow(sink, termios.TCOON)
        reader = threading.Thread(target=copy, args=(source,), daemon=True)
        reader.start()
    time.sleep(0.02)
if kind in ("terminal", "pipe"):
    os.close(sink)
if reader is not None:
    reader.join(2)
status = child.returncode
sys.exit(status if status >= 0 else 128 - status)

#!/usr/bin/env python3
"""An image service that throws the bytes away: `sink.py`.

Speaks just enough Keystone v3 and Glance v2 for one upload after the other, on a free loopback
port, which it prints. What it measures is the sender: a body is read in large pieces, and of a
chunked one only the lines with the sizes are looked at.
"""

import json
import signal
import socket
import sys
import threading
import uuid

PIECE = 4 << 20
IMAGES = {}


class Connection:
    """One client's connection: requests one after the other until it closes."""

    def __init__(self, sock, port):
        self.sock, self.port = sock, port
        self.buffer = bytearray(PIECE)
        self.view = memoryview(self.buffer)
        self.start = self.end = 0

    def fill(self):
        """Reads more once everything before was used; False at the end."""
        self.start, self.end = 0, self.sock.recv_into(self.view)
        return self.end > 0

    def line(self):
        """One line without its end; None where the connection closes."""
        line = bytearray()
        while True:
            if self.start == self.end and not self.fill():
                return None
            end = self.buffer.find(b"\n", self.start, self.end)
            stop = self.end if end < 0 else end
            line += self.view[self.start:stop]
            self.start = stop
            if end >= 0:
                self.start += 1
                return bytes(line).rstrip(b"\r")
            if len(line) > 65536:
                raise ValueError("a line of more than 64 KiB")

    def skip(self, count, keep=None):
        """Takes COUNT bytes, and copies them into KEEP if there is one."""
        while count:
            if self.start == self.end and not self.fill():
                raise ConnectionError("the body ends early")
            step = min(count, self.end - self.start)
            if keep is not None:
                keep += self.view[self.start:self.start + step]
            self.start += step
            count -= step

    def body(self, headers, keep=None):
        """Takes the whole body; its length without what the chunks' frames take."""
        if headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if headers.get("transfer-encoding", "").lower() != "chunked":
            length = int(headers.get("content-length", 0))
            self.skip(length, keep)
            return length
        total = 0
        while True:
            size = self.line()
            if size is None:
                raise ConnectionError("the body ends early")
            size = int(size.split(b";")[0], 16)
            if size == 0:
                while self.line():
                    pass
                return total
            self.skip(size, keep)
            self.skip(2)  # the line's end behind the chunk
            total += size

    def serve(self):
        """Answers requests until the client goes."""
        with self.sock:
            while True:
                first = self.line()
                if not first:
                    return
                method, path, _ = first.decode("ascii").split(" ", 2)
                headers = {}
                while header := self.line():
                    key, _, value = header.decode("latin-1").partition(":")
                    headers[key.strip().lower()] = value.strip()
                self.answer(*self.call(method, path.partition("?")[0], headers))

    def call(self, method, path, headers):
        """Does what is asked; status, value for the body, further headers."""
        if (method, path) == ("POST", "/v3/auth/tokens"):
            self.body(headers)
            return 201, self.token(), ("X-Subject-Token: sink",)
        if path == "/v2/images" and method == "GET":
            return 200, {"images": list(IMAGES.values())}, ()
        if path == "/v2/images" and method == "POST":
            text = bytearray()
            self.body(headers, text)
            record = json.loads(text)
            record.setdefault("id", str(uuid.uuid4()))
            record.update(status="queued", visibility="private", protected=False, tags=[])
            IMAGES[record["id"]] = record
            return 201, record, ()
        parts = path.split("/")[1:]
        record = IMAGES.get(parts[2]) if parts[:2] == ["v2", "images"] and len(parts) > 2 else None
        if record is not None and method == "PUT" and parts[3:] == ["file"]:
            # No hash: to hash would be this sink's work, and be measured as the sender's.
            record.update(size=self.body(headers), status="active")
            return 204, None, ()
        self.body(headers)
        if record is not None and method == "GET" and len(parts) == 3:
            return 200, record, ()
        if record is not None and method == "DELETE" and len(parts) == 3:
            del IMAGES[record["id"]]
            return 204, None, ()
        return 404, {"message": f"the sink does not know {method} {path}"}, ()

    def token(self):
        endpoint = {"id": "1", "interface": "public", "region": "RegionOne",
                    "region_id": "RegionOne", "url": f"http://127.0.0.1:{self.port}"}
        domain = {"id": "default", "name": "Default"}
        return {"token": {
            "methods": ["password"], "user": {"id": "u", "name": "u", "domain": domain},
            "project": {"id": "p", "name": "p", "domain": domain}, "roles": [],
            "issued_at": "2030-01-01T00:00:00.000000Z", "expires_at": "2030-01-02T00:00:00.000000Z",
            "catalog": [{"id": "1", "type": "image", "name": "sink", "endpoints": [endpoint]}]}}

    def answer(self, status, value, headers):
        body = b"" if value is None else json.dumps(value).encode()
        lines = [f"HTTP/1.1 {status} Sink", *headers]
        if value is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self.sock.sendall("\r\n".join(lines + ["", ""]).encode() + body)


def serve(sock, port):
    """A client that goes in the middle is its own affair."""
    try:
        Connection(sock, port).serve()
    except (OSError, ValueError) as error:
        print(f"sink: {error}", file=sys.stderr)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        port = server.getsockname()[1]
        print(port, flush=True)
        while True:
            sock, _ = server.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(sock, port), daemon=True).start()


if __name__ == "__main__":
    main()

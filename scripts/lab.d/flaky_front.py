"""Stands before the lab's Glance as a load balancer does, and spoils what the
client gets to see of the first upload, after Glance was given all of it.

usage: flaky_front.py PORT FAULT [STATUS]
  PORT   Glance's, on the loopback
  FAULT  timeout  504 once the last byte was passed on, before Glance is done
         reset    the connection is reset at the same moment
         lost     the connection is reset when Glance's answer comes
         page     502 and a page of HTML when Glance's answer comes
         silent   nothing at all is answered
         busy     503 to the first two POSTs, to the first GET, and to the first
                  two GETs of an image that was sent; every upload passes
         refuse   STATUS to every request, as a forward proxy that lets none through
Prints its own port, then a line for each upload. Ends when it is killed.
"""
import socket
import struct
import sys
import threading
from typing import BinaryIO

glance = ("127.0.0.1", int(sys.argv[1]))
fault = sys.argv[2]
counting = threading.Lock()
uploads = 0
# How many more requests of a kind get 503.
busy = {"POST": 2, "GET": 1, "GET image": 2} if fault == "busy" else {}


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(client: socket.socket, status: str, body: bytes, kind: str = "text/html") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    client.sendall(head.encode() + b"Retry-After: 1\r\nConnection: close\r\n\r\n" + body)
    client.close()


def pass_body(head: list[bytes], source: BinaryIO, server: socket.socket) -> None:
    """Passes a body on, chunked or with its length, to its last byte."""
    fields = (line.lower().partition(b":") for line in head[1:-1])
    headers = {name: value.strip() for name, _, value in fields}
    if headers.get(b"transfer-encoding") != b"chunked":
        server.sendall(source.read(int(headers.get(b"content-length", b"0"))))
        return
    while True:
        size = source.readline()
        server.sendall(size + source.read(int(size, 16) + 2))
        if int(size, 16) == 0:
            return


def is_busy(method: str, path: str) -> bool:
    is_image = method == "GET" and uploads > 0 and path.startswith("/v2/images/")
    kind = "GET image" if is_image else method
    with counting:
        left = busy.get(kind, 0)
        busy[kind] = max(0, left - 1)
        return left > 0


def serve(client: socket.socket) -> None:
    global uploads
    source = client.makefile("rb")
    head = [source.readline()]
    while head[-1].strip():
        head.append(source.readline())
    method, path = head[0].decode().split(" ")[:2]
    is_first = False
    if fault == "refuse":
        return answer(client, f"{sys.argv[3]} Refused", b"refused by the proxy", "text/plain")
    if method == "PUT":
        with counting:
            is_first = uploads == 0
            uploads += 1
            print("upload", flush=True)
    elif is_busy(method, path):
        return answer(client, "503 Service Unavailable", b"busy", "text/plain")
    server = socket.create_connection(glance)
    server.sendall(b"".join(head))
    pass_body(head, source, server)
    spoils = fault if is_first and fault != "busy" else ""
    if spoils == "timeout":
        answer(client, "504 Gateway Time-out", b"<html><h1>504 Gateway Time-out</h1></html>")
    if spoils == "reset":
        source.close()
        reset(client)
    reply = b""
    while data := server.recv(65536):
        reply += data
    server.close()
    if spoils == "lost":
        source.close()
        reset(client)
    elif spoils == "page":
        answer(client, "502 Bad Gateway", b"<html><h1>502 Bad Gateway</h1></html>")
    elif spoils == "":
        client.sendall(reply)
        source.close()
        client.close()
    elif spoils == "silent":
        source.read()


with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
    print(listening.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

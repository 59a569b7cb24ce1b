"""Stands before the lab's Glance and passes every byte on, but breaks the first
uploads off, as a Glance does that dies there: the real one can't be killed to
the byte.

usage: cutting_proxy.py PORT COUNT BYTES
  PORT   Glance's, on the loopback
  COUNT  how many uploads are broken off; those after it pass
  BYTES  how many bytes of the body are passed on before
Prints its own port, then a line for each upload. Ends when it is killed.
"""
import socket
import struct
import sys
import threading

glance = ("127.0.0.1", int(sys.argv[1]))
left = int(sys.argv[2])
limit = int(sys.argv[3])
counting = threading.Lock()


def takes_cut():
    global left
    with counting:
        print("upload", flush=True)
        left -= 1
        return left >= 0


def reset(connection):
    """Closes as the kernel does for a process that was killed with data unread."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Also wakes a thread that reads from it, without which closing does nothing.
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    except OSError:
        pass


def serve(client):
    server = socket.create_connection(glance)

    def answer():
        try:
            while data := server.recv(65536):
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    answering = threading.Thread(target=answer, daemon=True)
    answering.start()
    passed = 0
    rest = None
    try:
        while data := client.recv(65536):
            if passed == 0 and data.startswith(b"PUT ") and takes_cut():
                # The head of the request is not counted to the byte; what follows it is body.
                rest = len(data) + limit
            if rest is not None and passed + len(data) >= rest:
                server.sendall(data[: rest - passed])
                return reset(client)
            server.sendall(data)
            passed += len(data)
        answering.join()
    except OSError:
        pass
    finally:
        server.close()
        client.close()


with socket.create_server(("127.0.0.1", 0), backlog=50) as listening:
    print(listening.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

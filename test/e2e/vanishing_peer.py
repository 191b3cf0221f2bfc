"""A device that loses its power: `serve PORT` is dialled, `dial PORT` dials once a second.

Lines on stdin: `send TEXT` sends it with a carriage return, `vanish` ends the connection without a
word to the other side (TCP_REPAIR: neither FIN nor RST leaves). What happens is printed.
"""
import select
import socket
import sys
import time

TCP_REPAIR = 19
mode, port = sys.argv[1], int(sys.argv[2])
connection = None
listener = None
dialled_at = 0.0


def tell(*words):
    print(*words, flush=True)


if mode == "serve":
    listener = socket.create_server(("127.0.0.1", port))
    tell("listening", listener.getsockname()[1])

while True:
    if mode == "dial" and connection is None and time.monotonic() > dialled_at + 0.5:
        dialled_at = time.monotonic()
        try:
            connection = socket.create_connection(("127.0.0.1", port), 2)
            tell("connected")
        except OSError as error:
            tell("refused", error)
    waiting = [one for one in (listener, connection, sys.stdin) if one is not None]
    ready, _, _ = select.select(waiting, [], [], 0.05)
    if listener in ready:
        connection, _ = listener.accept()
        tell("connected")
    if connection in ready:
        try:
            came = connection.recv(1000)
        except OSError:
            came = b""
        if came == b"":
            tell("ended")
            connection.close()
            connection = None
    if sys.stdin in ready:
        line = sys.stdin.readline().rstrip("\n")
        if line == "":
            break
        if line == "vanish":
            try:
                connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            except PermissionError:
                tell("not permitted")
                break
            connection.close()
            connection = None
            dialled_at = time.monotonic()
            tell("vanished")
        else:
            connection.sendall(line.removeprefix("send ").encode() + b"\r")

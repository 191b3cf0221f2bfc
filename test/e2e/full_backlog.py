"""Ports whose machine takes no connection and answers nothing, as behind a firewall that drops."""
import socket
import sys

held = []
for host in sys.argv[1:]:
    listener = socket.socket()
    listener.bind((host, 0))
    listener.listen(0)
    # The queue of those that nobody accepts is full: further ones are not answered.
    for _ in range(3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        held.append(client)
    held.append(listener)
    print(listener.getsockname()[1], flush=True)
sys.stdin.read()

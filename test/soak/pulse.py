#!/usr/bin/env python3
"""Asks a simulated Modbus TCP port every 5 ms for what is not there, until it is ended.

So the frame log has a record every 5 ms from somebody who is neither the gateway nor the soak, and
a longer silence says that the simulator itself was not let run (judge.py, `--blind`).

    pulse.py PORT
"""
import socket
import sys
import time

PERIOD_S = 0.005
# One register far from every tag, of station 1.
REQUEST = bytes.fromhex("000000000006" + "01" + "03" + "2328" + "0001")

line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
line.setblocking(False)
while True:
    try:
        line.send(REQUEST)
        while line.recv(65536):
            pass
        sys.exit("the simulator has gone")
    except BlockingIOError:
        time.sleep(PERIOD_S)

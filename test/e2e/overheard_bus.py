"""A bus that has its master: pymodbus reads pymodbus (RTU), and a pty hears every byte of both.

    overheard_bus.py TTY

Register n of station 1 holds n, register 0 how often it was read; station 2 is not there. TTY leads
to the pty. A line of input is answered by how many bytes came out of the pty's other end, where
nobody but the bus may speak; "quiet" ends the traffic."""
import asyncio
import os
import select
import socket
import sys
import threading
import time
import tty

from pymodbus.client import ModbusTcpClient
from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusTcpServer
from pymodbus.transaction import ModbusRtuFramer

master, slave = os.openpty()
tty.setraw(slave)
os.symlink(os.ttyname(slave), sys.argv[1])
line = threading.Lock()
quiet = threading.Event()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def heard(data):
    with line:
        os.write(master, data)


def serve(port):
    registers = lambda: ModbusSequentialDataBlock(0, list(range(200)))
    bits = lambda: ModbusSequentialDataBlock(0, [n % 3 == 0 for n in range(200)])
    station = ModbusSlaveContext(di=bits(), co=bits(), hr=registers(), ir=registers(),
                                 zero_mode=True)

    async def main():
        context = ModbusServerContext(slaves={1: station}, single=False)
        server = ModbusTcpServer(context, framer=ModbusRtuFramer, address=("127.0.0.1", port),
                                 ignore_missing_slaves=True)
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    return station


def tap(port, behind):
    """Passes bytes on in both directions; each of them is heard on the bus."""
    listener = socket.create_server(("127.0.0.1", port))

    def pump():
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", behind))
            while True:
                ready, _, _ = select.select([near, far], [], [])
                data = ready[0].recv(4096)
                if not data:
                    break
                heard(data)
                (far if ready[0] is near else near).sendall(data)
            near.close()
            far.close()

    threading.Thread(target=pump, daemon=True).start()


def ask(client, station):
    count = 0
    while not quiet.is_set():
        count += 1
        station.setValues(3, 0, [count & 0xFFFF])
        client.read_holding_registers(0, 10, slave=1)
        client.read_input_registers(100, 2, slave=1)
        client.read_coils(0, 16, slave=1)
        client.write_register(50, count & 0xFFFF, slave=1)
        heard(b"\x00")
        time.sleep(0.05)


behind, front = free_port(), free_port()
station = serve(behind)
time.sleep(0.5)
tap(front, behind)
client = ModbusTcpClient("127.0.0.1", port=front, framer=ModbusRtuFramer, timeout=1)
client.connect()
threading.Thread(target=ask, args=(client, station), daemon=True).start()
print("ready", flush=True)
came = 0
while True:
    ready, _, _ = select.select([master, sys.stdin], [], [])
    if master in ready:
        came += len(os.read(master, 4096))
    if sys.stdin in ready:
        word = sys.stdin.readline()
        if word == "":
            break
        if word.strip() == "quiet":
            quiet.set()
        print(f"came {came}", flush=True)

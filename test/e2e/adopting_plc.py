"""The PLC of docs/modbus-server.md, over pymodbus: fetches an offer, checks it, and adopts it or not.

    adopting_plc.py PORT FALLBACK_SECONDS

Prints its setpoint whenever it changes."""
import struct
import sys
import time

from pymodbus.client import ModbusTcpClient

client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=1)
fallback_after = float(sys.argv[2])
setpoint, last_counter, fresh_at = None, None, time.monotonic()


def become(value):
    global setpoint
    if value != setpoint:
        setpoint = value
        print(value, flush=True)


def fetch():
    try:
        if not client.is_socket_open() and not client.connect():
            return None
        answer = client.read_holding_registers(0, 4)
        return None if answer.isError() else answer.registers
    except Exception:
        client.close()
        return None


become(30.0)
while True:
    words = fetch()
    fresh = words is not None and words[2] == 192 and words[3] != last_counter
    if fresh:
        target = struct.unpack(">f", struct.pack(">HH", words[0], words[1]))[0]
        fresh_at = time.monotonic()
        if 20.0 <= target <= 80.0:
            become(target)
    if words is not None:
        last_counter = words[3]
    if time.monotonic() - fresh_at > fallback_after:
        become(30.0)
    time.sleep(0.1)

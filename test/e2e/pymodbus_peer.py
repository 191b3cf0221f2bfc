"""Servers of pymodbus, an independent stack: RTU and ASCII over TCP, UDP, and ASCII on a serial port.

    pymodbus_peer.py RTU_PORT ASCII_PORT UDP_PORT [TTY]

Register n holds n, coil n is on where n is divisible by 3. Prints "ready"."""
import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer, ModbusTcpServer, ModbusUdpServer
from pymodbus.transaction import ModbusAsciiFramer, ModbusRtuFramer, ModbusSocketFramer


def context():
    registers = lambda: ModbusSequentialDataBlock(0, list(range(1000)))
    bits = lambda: ModbusSequentialDataBlock(0, [n % 3 == 0 for n in range(1000)])
    slave = ModbusSlaveContext(di=bits(), co=bits(), hr=registers(), ir=registers(), zero_mode=True)
    return ModbusServerContext(slaves={1: slave}, single=False)


async def main():
    rtu, ascii_, udp = (int(port) for port in sys.argv[1:4])
    servers = [
        ModbusTcpServer(context(), framer=ModbusRtuFramer, address=("127.0.0.1", rtu)),
        ModbusTcpServer(context(), framer=ModbusAsciiFramer, address=("127.0.0.1", ascii_)),
        ModbusUdpServer(context(), framer=ModbusSocketFramer, address=("127.0.0.1", udp)),
    ]
    tasks = [asyncio.ensure_future(server.serve_forever()) for server in servers]
    if len(sys.argv) > 4:
        serial = ModbusSerialServer(context(), framer=ModbusAsciiFramer, port=sys.argv[4],
                                    baudrate=19200, bytesize=8, parity="N", timeout=1)
        await serial.start()
        tasks.append(asyncio.ensure_future(serial.serve_forever()))
    await asyncio.sleep(0.3)
    print("ready", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())

"""Three stations of pymodbus, an independent stack, on one serial bus; they obey broadcasts.

    pymodbus_bus.py TTY

Registers and coils of all are 0. Prints "ready"."""
import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server.async_io import ModbusSerialServer
from pymodbus.transaction import ModbusRtuFramer


def station():
    block = lambda: ModbusSequentialDataBlock(0, [0] * 100)
    return ModbusSlaveContext(di=block(), co=block(), hr=block(), ir=block(), zero_mode=True)


async def main():
    stations = ModbusServerContext(slaves={n: station() for n in (1, 2, 3)}, single=False)
    server = ModbusSerialServer(stations, framer=ModbusRtuFramer, port=sys.argv[1], baudrate=115200,
                                bytesize=8, parity="N", broadcast_enable=True)
    await server.start()
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(main())

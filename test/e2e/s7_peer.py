"""An S7 server that Tagwerk knows nothing of. Prints its port, then DB1 in hex for each line read."""
import struct
import sys
from datetime import datetime

from snap7.server import Server
from snap7.type import SrvArea
from snap7.util import set_dt, set_dtl, set_ldt

db1 = bytearray(114)
db1[0] = 0b1001
struct.pack_into(">h", db1, 2, -7)
struct.pack_into(">f", db1, 4, 21.5)
struct.pack_into(">d", db1, 16, 1234.5678)
db1[24:31] = bytes([10, 5]) + b"hello"
db1[104:106] = bytes([8, 0])
db1[60:66] = bytes([12, 4]) + b"R-00"
db1[40:44] = b"AB12"
moment = datetime(2024, 2, 29, 23, 59, 58, 123000)
set_dt(db1, 76, moment)
set_dtl(db1, 84, moment)
set_ldt(db1, 96, moment)

server = Server(log=False)
server.register_area(SrvArea.DB, 1, db1)
server.register_area(SrvArea.MK, 0, bytearray(range(64)))
server.register_area(SrvArea.PE, 0, bytearray([2] * 16))
server.register_area(SrvArea.PA, 0, bytearray(16))
server.start_to("127.0.0.1", int(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    if line.startswith("set "):
        _, at, value = line.split()
        struct.pack_into(">f", db1, int(at), float(value))
    print(db1.hex(), flush=True)
server.stop()

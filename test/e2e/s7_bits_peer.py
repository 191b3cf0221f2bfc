"""The C snap7 server over one block of 8 bytes, which knows bits. Prints it for each line read."""
import ctypes
import sys

port, library = int(sys.argv[1]), ctypes.CDLL(sys.argv[2])
DATA_BLOCK, LOCAL_PORT = 5, 1
library.Srv_Create.restype = ctypes.c_void_p
server = ctypes.c_void_p(library.Srv_Create())
block = (ctypes.c_uint8 * 8)()
block[3] = 0b01011010
number = ctypes.c_uint16(port)
for failed in (
    library.Srv_SetParam(server, LOCAL_PORT, ctypes.byref(number)),
    library.Srv_RegisterArea(server, DATA_BLOCK, ctypes.c_uint16(1), ctypes.byref(block), 8),
    library.Srv_StartTo(server, b"127.0.0.1"),
):
    if failed:
        sys.exit(f"snap7 refuses it: {failed:#x}")
print("ready", flush=True)
for _ in sys.stdin:
    print("block " + bytes(block).hex(), flush=True)
library.Srv_Stop(server)

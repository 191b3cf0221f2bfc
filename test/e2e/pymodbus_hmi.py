"""A panel by pymodbus, an independent stack: asks a Modbus TCP server what it is told to.

    pymodbus_hmi.py PORT

A line of input is one question, its answer one line of JSON: the words or bits, or a text that says
what went wrong.

    holding 0 4 | input 0 4 | coil 0 3 | discrete 0 3 | write 100 1 2 3 | coils 0 1 0 | one 100 5"""
import json
import sys

from pymodbus.client import ModbusTcpClient

client = ModbusTcpClient("127.0.0.1", port=int(sys.argv[1]), timeout=2)


def ask(words):
    verb, first, rest = words[0], int(words[1]), [int(word) for word in words[2:]]
    if verb == "holding":
        return client.read_holding_registers(first, rest[0], slave=7)
    if verb == "input":
        return client.read_input_registers(first, rest[0], slave=7)
    if verb == "coil":
        return client.read_coils(first, rest[0], slave=7)
    if verb == "discrete":
        return client.read_discrete_inputs(first, rest[0], slave=7)
    if verb == "write":
        return client.write_registers(first, rest, slave=7)
    if verb == "coils":
        return client.write_coils(first, [bit == 1 for bit in rest], slave=7)
    return client.write_register(first, rest[0], slave=7)


def shown(answer, count):
    if answer.isError():
        return str(answer)
    if hasattr(answer, "registers"):
        return answer.registers
    return answer.bits[:count] if hasattr(answer, "bits") else "done"


for line in sys.stdin:
    words = line.split()
    try:
        if not client.is_socket_open():
            client.connect()
        print(json.dumps(shown(ask(words), int(words[2]))), flush=True)
    except Exception as error:
        client.close()
        print(json.dumps(repr(error)), flush=True)

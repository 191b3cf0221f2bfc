#!/usr/bin/env python3
"""Machines of other makers for the soak of writes: a label printer that speaks telegrams, a server of
OPC UA (asyncua) and an S7 PLC (python-snap7), with texts. Each frame as they received it goes into a
log of the simulator's form, and every few milliseconds a word that they were let run.

    machines.py LOG

Prints the ports as JSON when all of them listen.
"""
import asyncio
import itertools
import json
import socket
import sys
import threading
import time

from asyncua import Server, ua
from asyncua.common.callback import CallbackType
from snap7.server import Server as Plc
from snap7.type import SrvArea

AWAKE_S = 0.005
SPACE = "urn:soak"
# A STRING's room and length before its characters.
ROOM = 16


class FrameLog:
    def __init__(self, path):
        self.file, self.lock = open(path, "a", buffering=1), threading.Lock()

    def add(self, direction, link="", connection=0, data=b""):
        record = {"t": time.monotonic() * 1000, "link": link, "connection": connection, "dir": direction,
                  "bytes": data.hex(), "valid": True, "fault": None}
        with self.lock:
            self.file.write(json.dumps({"time": time.time() * 1000, **record}) + "\n")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LoggedPlc(Plc):
    """`plc7` of the soak: DB1 with numbers from byte 0 and STRINGs from byte 100."""

    def __init__(self, log):
        super().__init__(log=False)
        self.frames = log
        memory = bytearray(200)
        for at in (100, 120):
            memory[at:at + 6] = bytes([ROOM, 4]) + b"LOT0"
        self.register_area(SrvArea.DB, 1, memory)

    def _process_request(self, request_data, client_address):
        """Called with each telegram; what carried it is TPKT and COTP."""
        self.frames.add("in", "plc7", client_address[1], carried(request_data))
        answer = super()._process_request(request_data, client_address)
        if answer:
            self.frames.add("out", "plc7", client_address[1], carried(answer))
        return answer


def carried(telegram):
    return bytes([3, 0]) + (len(telegram) + 7).to_bytes(2, "big") + b"\x02\xf0\x80" + telegram


class Printer:
    """`printer` of the soak: LOT?, LBL? and SPD? ask, LOT …, LBL … and SPD … set and are acknowledged."""

    def __init__(self, log):
        self.frames, self.values, self.connections = log, {"LOT": "LOT0", "LBL": "LOT0", "SPD": "0.0"}, itertools.count(1)

    async def serve(self, reader, writer):
        connection = next(self.connections)
        try:
            while line := await reader.readuntil(b"\r\n"):
                self.frames.add("in", "printer", connection, line)
                answer = self.answer(line[:-2].decode("ascii")) + b"\r\n"
                self.frames.add("out", "printer", connection, answer)
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(self, line):
        name, rest = line[:3], line[3:]
        if name not in self.values:
            return b"?"
        if rest == "?":
            return self.values[name].encode("ascii")
        self.values[name] = rest[1:]
        return b"OK"


class Told:
    """What the server's stack says of reads and writes of its clients, as JSON in place of bytes."""

    def __init__(self, log, space):
        self.frames, self.space, self.numbers, self.open = log, space, itertools.count(1), {}

    def name(self, node):
        text = node.to_string()
        return f"nsu={SPACE};{text.split(';', 1)[1]}"

    def begin(self, request, what):
        number = self.open[id(request)] = next(self.numbers)
        self.frames.add("in", "ua", 1, json.dumps({"n": number, **what}).encode())

    def end(self, request, what):
        number = self.open.pop(id(request), None)
        if number is not None:
            self.frames.add("out", "ua", 1, json.dumps({"n": number, **what}).encode())

    def ours(self, nodes):
        """Places of the nodes that are the machine's own."""
        return [i for i, node in enumerate(nodes) if node.NodeId.NamespaceIndex == self.space]

    def before_read(self, event, _):
        nodes = event.request_params.NodesToRead
        if event.is_external and self.ours(nodes):
            self.begin(event.request_params,
                       {"service": "read", "nodes": [self.name(nodes[i].NodeId) for i in self.ours(nodes)]})

    def after_read(self, event, _):
        nodes = event.request_params.NodesToRead
        said = [event.response_params[i] for i in self.ours(nodes)]
        self.end(event.request_params, {"values": [
            {"good": value.StatusCode.is_good(), "type": value.Value.VariantType.name, "value": value.Value.Value}
            if value.Value is not None else {"good": False} for value in said]})

    def before_write(self, event, _):
        nodes = event.request_params.NodesToWrite
        if not event.is_external:
            return
        names = [self.name(node.NodeId) for node in nodes]
        only = all(node.AttributeId == ua.AttributeIds.Value for node in nodes)
        variant = nodes[0].Value.Value
        self.begin(event.request_params, {"service": "write" if only else "write of an attribute", "nodes": names,
                                          "type": variant.VariantType.name, "value": variant.Value})

    def called(self, method, value):
        number = next(self.numbers)
        self.frames.add("in", "ua", 1, json.dumps({"n": number, "service": "call", "nodes": [self.name(method)],
                                                   "type": value.VariantType.name, "value": value.Value}).encode())
        self.frames.add("out", "ua", 1, json.dumps({"n": number, "status": 0}).encode())

    def after_write(self, event, _):
        self.end(event.request_params, {"status": event.response_params[0].value})


async def opcua(log, port):
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/soak")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace(SPACE)
    folder = await server.nodes.objects.add_folder(ua.NodeId("Soak", space), "Soak")
    told = Told(log, space)

    async def set_limit(_parent, value):
        told.called(ua.NodeId("SetLimit", space), value)
        await server.get_node(ua.NodeId("limit", space)).write_value(value.Value)
        return []

    values = {"limit": 0.0, "sp0": 0.0, "sp1": ua.Variant(0, ua.VariantType.Int16), "lot0": "LOT0"}
    for name, value in values.items():
        node = await folder.add_variable(ua.NodeId(name, space), name, value)
        if name != "limit":
            await node.set_writable()
    await folder.add_method(ua.NodeId("SetLimit", space), "SetLimit", set_limit, [ua.VariantType.Double], [])
    for kind, listener in ((CallbackType.PreRead, told.before_read), (CallbackType.PostRead, told.after_read),
                           (CallbackType.PreWrite, told.before_write), (CallbackType.PostWrite, told.after_write)):
        server.subscribe_server_callback(kind, listener)
    return server


async def main(path):
    log = FrameLog(path)
    ports = {name: free_port() for name in ("plc7", "printer", "ua")}
    plc = LoggedPlc(log)
    plc.start_to("127.0.0.1", ports["plc7"])
    printer = await asyncio.start_server(Printer(log).serve, "127.0.0.1", ports["printer"])
    server = await opcua(log, ports["ua"])
    async with printer, server:
        print(json.dumps(ports), flush=True)
        while True:
            log.add("awake")
            await asyncio.sleep(AWAKE_S)


asyncio.run(main(sys.argv[1]))

"""What a server's stack says that it was asked (`machines.py`): service, node, type and value as JSON."""
import json
import struct

from wire.common import NUMBERS, Place

TYPES = {"bool": "Boolean", "int8": "SByte", "uint8": "Byte", "int16": "Int16", "uint16": "UInt16", "int32": "Int32",
         "uint32": "UInt32", "int64": "Int64", "uint64": "UInt64", "float32": "Float", "float64": "Double"}
# Codes of a status (OPC 10000-4, 7.39) by which a server says that it did nothing: not writable, no such node or
# attribute, another type, out of range, no right.
REJECTIONS = (0x803B, 0x8034, 0x8035, 0x8074, 0x803C, 0x801F)


class OpcUa:
    def unwrap(self, data):
        told = json.loads(data)
        return told["n"], told

    def ask(self, request, told):
        request.what = told["service"]
        if told["service"] == "read":
            request.ranges = told["nodes"]
            return
        request.refuse(told["service"])
        # A method is called with one value, if it stands for a write.
        if told["service"] in ("write", "call") and len(told["nodes"]) == 1:
            request.target = told["service"], told["nodes"][0], None
            request.type, request.words = told["type"], told["value"]

    def answers(self, request, told):
        return [value if value["good"] else None for value in told["values"]]

    def rejected(self, request, told):
        return told["status"] >> 16 in REJECTIONS

    def place(self, row):
        return OpcUaPlace(row)


class OpcUaPlace(Place):
    def __init__(self, row):
        super().__init__(row)
        self.node, *call = row["at"].split()
        self.target = ("call", call[2], None) if call else ("write", self.node, None)
        self.type = "String" if self.is_text else TYPES[self.kind]

    def covers(self, station, wanted):
        return wanted == self.node

    def value(self, wanted, data):
        if wanted != self.node or data["type"] != self.type:
            return None
        return self.scaled(data["value"] if self.is_text else float(data["value"]))

    def takes(self, request, words):
        if request.type != self.type:
            return False
        if self.is_text:
            return request.words.encode() == words[1:1 + words[0]]
        return float(request.words) == float(struct.unpack(">" + NUMBERS[self.kind][1], words)[0])

    def means(self, request):
        return self.scaled(request.words if self.is_text else float(request.words))

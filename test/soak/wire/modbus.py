"""Modbus, read from its standards (Application Protocol V1.1b3, TCP/IP V1.0b, Serial Line V1.02)."""
import re
import struct

from wire.common import Place

WRITES = {5: "coil", 6: "register", 15: "coils", 16: "registers", 22: "mask", 23: "read-write"}
READS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
REGISTERS = {"int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4}
# Exceptions by which a device says that it did nothing.
REJECTIONS = (1, 2, 3, 6, 10)


def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


class Modbus:
    """`framing`: `tcp` with a header, `rtu` with a CRC, `ascii` as text with an LRC."""

    def __init__(self, framing):
        self.framing = framing

    def unwrap(self, data):
        if self.framing == "rtu":
            if len(data) < 4 or crc16(data[:-2]) != int.from_bytes(data[-2:], "little"):
                return None
            return None, data[:-2]
        if self.framing == "ascii":
            if data[:1] != b":" or data[-2:] != b"\r\n":
                return None
            frame = bytes.fromhex(data[1:-2].decode("ascii"))
            return (None, frame[:-1]) if len(frame) > 2 and sum(frame) % 256 == 0 else None
        if len(data) < 8 or data[2:4] != b"\0\0" or int.from_bytes(data[4:6], "big") != len(data) - 6:
            return None
        return int.from_bytes(data[:2], "big"), data[6:]

    def ask(self, request, body):
        station, pdu = body[0], body[1:]
        function = pdu[0]
        request.station, request.what = station, f"function {function} station {station}"
        if function in READS and len(pdu) == 5:
            request.ranges = [(READS[function], *struct.unpack(">HH", pdu[1:5]))]
        if function not in WRITES:
            return
        request.writes = True
        start = struct.unpack(">H", pdu[1:3])[0] if len(pdu) >= 3 else None
        if function == 6 and len(pdu) == 5:
            request.target, request.words = ("holding", start, None), pdu[3:5]
        elif function == 16 and len(pdu) >= 6 and len(pdu) == 6 + pdu[5] and pdu[5] == 2 * pdu[4]:
            request.target, request.words = ("holding", start, None), pdu[6:]
        elif function == 5 and len(pdu) == 5 and pdu[3:5] in (b"\xff\0", b"\0\0"):
            request.target, request.words = ("coil", start, None), bytes([pdu[3] == 0xFF])
        elif function == 15 and len(pdu) == 7 and pdu[3:6] == b"\0\1\1":
            request.target, request.words = ("coil", start, None), pdu[6:7]
        elif function == 22 and len(pdu) == 7:
            keeps = struct.unpack(">H", pdu[3:5])[0]
            changed = [bit for bit in range(16) if not keeps >> bit & 1]
            # Exactly one bit may change.
            if len(changed) == 1:
                request.target, request.words = ("holding", start, changed[0]), pdu[5:7]

    def answers(self, request, body):
        station, pdu = body[0], body[1:]
        if station != request.station or READS.get(pdu[0]) != request.ranges[0][0]:
            return None
        count = request.ranges[0][2]
        length = count * 2 if pdu[0] in (3, 4) else (count + 7) // 8
        return [pdu[2:]] if len(pdu) == 2 + length and pdu[1] == length else None

    def rejected(self, request, body):
        asked = int(re.match(r"function (\d+)", request.what)[1])
        return body[0] == request.station and body[1] == asked | 0x80 and body[2] in REJECTIONS

    def place(self, row):
        return ModbusPlace(row)


class ModbusPlace(Place):
    SUFFIX = {"L": "ABCD", "LL": "ABCD", "LB": "BADC", "BL": "CDAB", "BB": "DCBA"}
    DIGIT = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}

    def __init__(self, row):
        super().__init__(row)
        self.station, self.registers = row["station"], REGISTERS.get(self.kind, 1)
        if self.is_text:
            self.registers = (int(re.fullmatch(r"text\((\d+)\)", self.kind)[1]) + 1) // 2
        at = row["at"].strip()
        plain = re.fullmatch(r"(coil|discrete|input|holding) +(\d+)(?:\.(\d+))?", at)
        if plain:
            self.area, self.start, suffix, bit = plain[1], int(plain[2]), None, plain[3]
        else:
            one = re.fullmatch(r"(?:\d+!)?([0134])(\d{4,6})(?:\.(\d+))?[HLDE]?(?:#([A-Z]+))?", at)
            self.area, self.start = self.DIGIT[one[1]], int(one[2]) - 1
            bit, suffix = one[3], one[4]
        self.bit = int(bit) if bit is not None and self.kind == "bool" else None
        order = "DCBA" if suffix == "B" else row["word_order"]
        self.order = self.SUFFIX.get(suffix, order)
        # Characters lie as they are read, whatever the order of words.
        self.swap_single = suffix == "B" and (self.registers == 1 or self.is_text)
        self.target = self.area, self.start, self.bit

    def covers(self, station, wanted):
        area, start, count = wanted
        return station == self.station and area == self.area and start <= self.start < start + count

    def value(self, wanted, data):
        area, start, count = wanted
        if area != self.area:
            return None
        if area in ("coil", "discrete"):
            index = self.start - start
            return float((data[index // 8] >> (index % 8)) & 1) if 0 <= index < count else None
        first = (self.start - start) * 2
        last = first + self.registers * 2
        return self.decode(data[first:last]) if 0 <= first and last <= len(data) else None

    def means(self, request):
        return self.decode(request.words)

    def decode(self, data):
        words = [data[i:i + 2] for i in range(0, self.registers * 2, 2)]
        if self.registers > 1 and not self.is_text:
            if self.order in ("CDAB", "DCBA"):
                words.reverse()
            if self.order in ("BADC", "DCBA"):
                words = [w[::-1] for w in words]
        elif self.swap_single:
            words = [w[::-1] for w in words]
        raw = b"".join(words)
        if self.is_text:
            return raw.split(b"\0")[0].decode("ascii", "replace")
        if self.kind == "bool":
            return float((int.from_bytes(raw, "big") >> (self.bit or 0)) & 1)
        if self.kind in ("int8", "uint8"):
            number = struct.unpack(">b" if self.kind == "int8" else ">B", raw[1:2])[0]
        elif self.kind.startswith("float"):
            number = struct.unpack(">f" if self.kind == "float32" else ">d", raw)[0]
        else:
            number = int.from_bytes(raw, "big", signed=not self.kind.startswith("u"))
        return self.scaled(number)

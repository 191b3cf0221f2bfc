"""S7 over ISO-on-TCP (RFC 1006, RFC 905), as the field knows it."""
import re
import struct

from wire.common import NUMBERS, Place

AREAS = {0x81: "I", 0x82: "Q", 0x83: "M", 0x84: "DB"}
# Of an item's address: the element's size in bytes; a bit has none.
BIT = 1
SIZES = {2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 4}
# Of an item's data: what its length counts in bits.
IN_BITS = (3, 4, 5)
JOB, ACK, ACK_DATA = 1, 2, 3
SET_UP, READ, WRITE = 0xF0, 4, 5
# Return codes, and codes of a telegram refused as a whole, by which a PLC says that it did nothing.
REJECTIONS = (0x03, 0x05, 0x06, 0x07, 0x0A)
REFUSALS = (0x8104, 0x8500, 0xD602)


class S7:
    def unwrap(self, data):
        """What is behind TPKT and COTP; of a connection's set-up nothing."""
        if len(data) < 7 or data[0] != 3 or int.from_bytes(data[2:4], "big") != len(data):
            return None
        if data[5] != 0xF0:
            return "connect", b""
        telegram = data[7:]
        if len(telegram) < 10 or telegram[0] != 0x32:
            return None
        return int.from_bytes(telegram[4:6], "big"), telegram

    def ask(self, request, telegram):
        if telegram == b"":
            return
        parameters, length = struct.unpack(">HH", telegram[6:10])
        body = telegram[10:10 + parameters]
        request.what = f"kind {telegram[1]} function {body[:1].hex()}"
        whole = len(telegram) == 10 + parameters + length
        if telegram[1] == JOB and body[:1] == bytes([SET_UP]):
            return
        # Stop, start, download, the clock …: whatever is no read may act.
        is_known = telegram[1] == JOB and whole and body[:1] in (bytes([READ]), bytes([WRITE]))
        if not is_known or len(body) < 2 or len(body) != 2 + 12 * body[1]:
            return request.refuse(request.what)
        items = [item_of(body[i:i + 12]) for i in range(2, len(body), 12)]
        if body[0] == READ:
            request.ranges = [item for item in items if item is not None]
            if len(request.ranges) != len(items):
                request.ranges = []
            return
        request.writes = True
        if len(items) == 1 and items[0] is not None:
            area, start, count, bit = items[0]
            data = telegram[10 + parameters:]
            n = data_bytes(data)
            if n == count and len(data) == 4 + n:
                request.target, request.words = (area, start, bit), data[4:]

    def answers(self, request, telegram):
        if telegram == b"" or not is_good(telegram) or telegram[12:14] != bytes([READ, len(request.ranges)]):
            return None
        at, found = 14, []
        for _, _, count, _ in request.ranges:
            item = telegram[at:]
            if len(item) < 4:
                return None
            if item[0] != 0xFF:
                found.append(None)
                at += 4
                continue
            n = data_bytes(item)
            if n != count or len(item) < 4 + n:
                return None
            found.append(item[4:4 + n])
            at += 4 + n + n % 2
        return found

    def rejected(self, request, telegram):
        if telegram == b"" or telegram[1] not in (ACK, ACK_DATA):
            return False
        code = int.from_bytes(telegram[10:12], "big")
        return code in REFUSALS if code != 0 else telegram[12] == WRITE and telegram[14] in REJECTIONS

    def place(self, row):
        return S7Place(row)


def item_of(item):
    """(area, first byte, bytes, bit) of an address, None = of another kind."""
    if item[:3] != b"\x12\x0a\x10" or item[8] not in AREAS:
        return None
    count, db = struct.unpack(">HH", item[4:8])
    address = int.from_bytes(item[9:12], "big")
    area = AREAS[item[8]] + (str(db) if item[8] == 0x84 else "")
    if item[3] == BIT:
        return (area, address // 8, 1, address % 8) if count == 1 else None
    size = SIZES.get(item[3])
    return None if size is None or address % 8 else (area, address // 8, count * size, None)


def data_bytes(item):
    length = int.from_bytes(item[2:4], "big")
    return (length + 7) // 8 if item[1] in IN_BITS else length


def is_good(telegram):
    return telegram[1] in (ACK, ACK_DATA) and len(telegram) >= 14 and telegram[10:12] == b"\0\0"


class S7Place(Place):
    def __init__(self, row):
        super().__init__(row)
        at = row["at"].strip()
        block = re.fullmatch(r"DB(\d+)\.DB[XBWDS](\d+)(?:\.(\d))?", at)
        other = re.fullmatch(r"([MIQ])[XBWD]?(\d+)(?:\.(\d))?", at)
        self.area = f"DB{block[1]}" if block else other[1]
        self.start, bit = int((block or other)[2]), (block or other)[3]
        self.bit = int(bit) if self.kind == "bool" else None
        if self.is_text:
            # A STRING: its room, its length, its characters. The room is never written.
            self.bytes = 2 + int(re.fullmatch(r"text\((\d+)\)", self.kind)[1])
            self.target = self.area, self.start + 1, None
        else:
            self.bytes, self.form = NUMBERS[self.kind]
            self.target = self.area, self.start, self.bit

    def covers(self, station, wanted):
        area, start, count, bit = wanted
        return area == self.area and start <= self.start and self.start + self.bytes <= start + count \
            and (bit is None or bit == self.bit)

    def value(self, wanted, data):
        if not self.covers(None, wanted):
            return None
        _, start, _, bit = wanted
        own = data[self.start - start:self.start - start + self.bytes]
        if self.is_text:
            return own[2:2 + own[1]].decode("ascii") if own[1] <= min(own[0], self.bytes - 2) else None
        if self.kind == "bool":
            return float(own[0] & 1 if bit is not None else own[0] >> self.bit & 1)
        return self.decode(own)

    def takes(self, request, words):
        return request.words == (words[:1 + words[0]] if self.is_text else words)

    def means(self, request):
        return request.words[1:].decode("ascii") if self.is_text else self.decode(request.words)

    def decode(self, own):
        return self.scaled(float(own[0]) if self.kind == "bool" else struct.unpack(f">{self.form}", own)[0])

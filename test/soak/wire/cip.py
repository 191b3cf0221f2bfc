"""EtherNet/IP and CIP (ODVA), with Logix's services for its tags; all numbers low byte first."""
import re
import struct

from wire.common import NUMBERS, Place

REGISTER, UNREGISTER, SEND_DATA = 0x65, 0x66, 0x6F
# Commands of the encapsulation that ask what is there, or do nothing.
HARMLESS = (0x00, 0x04, 0x63, 0x64, REGISTER, UNREGISTER)
READ, WRITE, SEVERAL, TO_SLOT = 0x4C, 0x4D, 0x0A, 0x52
# Elementary types by their code.
TYPES = {0xC1: "bool", 0xC2: "int8", 0xC3: "int16", 0xC4: "int32", 0xC5: "int64", 0xC6: "uint8", 0xC7: "uint16",
         0xC8: "uint32", 0xC9: "uint64", 0xCA: "float32", 0xCB: "float64"}
# Texts: bytes of the length before the characters. Logix's STRING is a structure, which its handle names; it has
# room for 82 characters, filled up to whole words.
LOGIX_STRING, LOGIX_CHARACTERS, LOGIX_BYTES = 0x0FCE02A0, 82, 88
TEXTS = {LOGIX_STRING: 4, 0xD0: 2, 0xDA: 1}
# General status by which a controller says that it did nothing, and the words behind status 1 and FF.
REJECTIONS = (0x02, 0x04, 0x05, 0x08, 0x0E, 0x0F, 0x10, 0x13, 0x15, 0x26)
EXTENDED = (0x0311, 0x0312, 0x2101, 0x2104, 0x2105, 0x2107)


class Cip:
    def unwrap(self, data):
        if len(data) < 24 or int.from_bytes(data[2:4], "little") != len(data) - 24:
            return None
        return data[12:20], data

    def ask(self, request, data):
        command = int.from_bytes(data[:2], "little")
        request.what = f"command {command:#x}"
        if command in HARMLESS:
            return
        message = message_of(data)
        if command != SEND_DATA or message is None:
            return request.refuse(request.what)
        service, path, rest = split(routed(message))
        request.what = f"service {service:#x}"
        if service == SEVERAL:
            parts = [split(part) for part in several(rest)]
            if any(part[0] != READ for part in parts):
                return request.refuse("several services, not all of them reads")
            request.ranges = [range_of(*part[1:]) for part in parts]
        elif service == READ:
            request.ranges = [range_of(path, rest)]
        elif service == WRITE:
            request.writes = True
            kind, behind = typed(rest)
            words = carried(kind, behind[2:])
            if behind[:2] == b"\1\0" and words is not None:
                request.target, request.words, request.type = (path, None, None), words, kind
        else:
            request.refuse(request.what)

    def answers(self, request, data):
        message = message_of(data)
        if message is None or len(message) < 4:
            return None
        if message[0] == SEVERAL | 0x80 and message[2] in (0, 0x1E):
            parts = several(message[4 + 2 * message[3]:])
        else:
            parts = [message]
        if len(parts) != len(request.ranges):
            return None
        return [part[4 + 2 * part[3]:] if len(part) > 6 and part[0] == READ | 0x80 and part[2] == 0 else None
                for part in parts]

    def rejected(self, request, data):
        message = message_of(data)
        if message is None or message[0] != WRITE | 0x80:
            return False
        more = int.from_bytes(message[4:6], "little") if message[3] > 0 else 0
        return more in EXTENDED if message[2] in (1, 0xFF) and more else message[2] in REJECTIONS

    def place(self, row):
        return CipPlace(row)


def message_of(data):
    """The one unconnected message of a frame, or None."""
    if len(data) < 40 or data[30:32] != b"\2\0" or data[32:36] != b"\0\0\0\0" or data[36:38] != b"\xb2\0":
        return None
    n = int.from_bytes(data[38:40], "little")
    return data[40:] if n == len(data) - 40 and n > 0 else None


def routed(message):
    """What is for a slot: the message without its way there."""
    if message[:6] != bytes([TO_SLOT, 2, 0x20, 6, 0x24, 1]):
        return message
    n = int.from_bytes(message[8:10], "little")
    return message[10:10 + n]


def split(message):
    """Service, symbolic path (None: another), data."""
    end = 2 + 2 * message[1]
    return message[0], path_of(message[2:end]), message[end:]


def path_of(path):
    """Names, which are alike in any case, and indices."""
    parts, at = [], 0
    while at < len(path):
        kind = path[at]
        if kind == 0x91:
            n = path[at + 1]
            parts.append(path[at + 2:at + 2 + n].decode("ascii").lower())
            at += 2 + n + n % 2
        elif kind in (0x28, 0x29, 0x2A):
            lead, n = {0x28: (1, 1), 0x29: (2, 2), 0x2A: (2, 4)}[kind]
            parts.append(int.from_bytes(path[at + lead:at + lead + n], "little"))
            at += lead + n
        else:
            return None
    return tuple(parts)


def range_of(path, rest):
    return path, int.from_bytes(rest[:2], "little")


def several(rest):
    """The parts of several services or answers; offsets count from the count."""
    count = int.from_bytes(rest[:2], "little")
    starts = [*struct.unpack(f"<{count}H", rest[2:2 + 2 * count]), len(rest)]
    return [rest[a:b] for a, b in zip(starts, starts[1:])]


def typed(data):
    """A type, its handle included, and what is behind it."""
    n = 4 if int.from_bytes(data[:4], "little") == LOGIX_STRING else 2
    return int.from_bytes(data[:n], "little"), data[n:]


def characters(kind, data):
    """Those of a text, and what is behind them; None: it does not stand there whole."""
    n = int.from_bytes(data[:TEXTS[kind]], "little")
    end = TEXTS[kind] + n
    whole = n <= LOGIX_CHARACTERS and len(data) == LOGIX_BYTES if kind == LOGIX_STRING else len(data) == end
    return (data[TEXTS[kind]:end], data[end:]) if whole else None


def carried(kind, data):
    """What a write of one element brings, None = nothing that this reader knows."""
    if kind in TEXTS:
        text = characters(kind, data)
        # Nothing of an older one may be left.
        return None if text is None or any(text[1]) else text[0]
    return data if kind in TYPES and len(data) == NUMBERS[TYPES[kind]][0] else None


class CipPlace(Place):
    def __init__(self, row):
        super().__init__(row)
        path = []
        for part in row["at"].strip().lower().split("."):
            name, index = re.fullmatch(r"([a-z_][a-z0-9_:]*)(?:\[(\d+)\])?", part).groups()
            path += [name] if index is None else [name, int(index)]
        self.path = tuple(path)
        self.target = self.path, None, None

    def index(self, wanted):
        """Which element of such a read it is, or None."""
        path, count = wanted
        if path == self.path:
            return 0
        if path is None or path[:-1] != self.path[:-1] or not (path and isinstance(path[-1], int)):
            return None
        index = self.path[-1] - path[-1]
        return index if 0 <= index < count else None

    def covers(self, station, wanted):
        return self.index(wanted) is not None

    def value(self, wanted, data):
        index = self.index(wanted)
        kind, behind = typed(data)
        if index is None or not self.has(kind):
            return None
        if self.is_text:
            # Each is asked for alone.
            text = characters(kind, behind) if wanted[1] == 1 else None
            return None if text is None else self.decode(text[0])
        size = NUMBERS[self.kind][0]
        own = behind[index * size:(index + 1) * size]
        return self.decode(own) if len(own) == size else None

    def has(self, kind):
        return kind in TEXTS if self.is_text else TYPES.get(kind) == self.kind

    def takes(self, request, words):
        return self.has(request.type) and request.words == (words[1:1 + words[0]] if self.is_text else words)

    def means(self, request):
        return self.decode(request.words)

    def decode(self, own):
        if self.is_text:
            return own.decode("ascii", "replace")
        if self.kind == "bool":
            return float(own[0] != 0)
        return self.scaled(struct.unpack("<" + NUMBERS[self.kind][1], own)[0])

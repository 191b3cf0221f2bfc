"""What the judge takes of a frame, whatever the protocol: each has a class that reads it.

A protocol has `unwrap(data)` -> (what pairs an answer with its request, the rest) or None,
`ask(request, rest)`, `answers(request, rest)` -> of each range what the machine said, or None,
`rejected(request, rest)` -> the machine said that it did nothing, and `place(row)` of a tag.
Nothing here was taken from the program that is judged.
"""
import math

BUS = frozenset({"modbus-rtu", "modbus-ascii", "telegram-serial"})


class Request:
    """A request that reached the machine."""
    # `since`: it may have waited from there on, because the simulator stood still (`--blind`).
    __slots__ = ("time", "since", "line", "link", "bus", "what", "station", "writes", "target", "words", "type",
                 "ranges", "answer")

    def __init__(self, record, line, bus):
        self.time, self.since, self.line = record["time"], record["time"], line
        self.link, self.bus, self.what, self.station = record["link"], bus, "", None
        # A write: the place that it names (None: no write that this reader knows), and what it carries there.
        self.writes, self.target, self.words, self.type = False, None, None, None
        # A read: what it asks for, each as its protocol has it.
        self.ranges = []
        self.answer = None

    def refuse(self, what):
        """It acts, and in no way that a row could stand for."""
        self.writes, self.target, self.what = True, None, what


class Place:
    """Where a tag lies and what its words mean."""
    target = None

    def __init__(self, row):
        self.link, self.kind = row["link"], row["type"]
        self.scale, self.offset = row["scale"], row["offset"]
        self.station = None
        self.is_text = self.kind.startswith("text")

    def covers(self, station, wanted):
        """True if such a read asks for this tag."""
        raise NotImplementedError

    def value(self, wanted, data):
        """The tag's value by an answer to such a read, or None."""
        raise NotImplementedError

    def takes(self, request, words):
        """True if the write carries these words of the audit."""
        return request.words == words

    def means(self, request):
        """What a write to this place will mean."""
        raise NotImplementedError

    def scaled(self, raw):
        return raw if self.is_text else raw * self.scale + self.offset

    def lsb(self, value):
        if not self.kind.startswith("float"):
            return abs(self.scale)
        bits, least = (23, -126) if self.kind == "float32" else (52, -1022)
        raw = abs((value - self.offset) / self.scale)
        exponent = least if raw == 0 else max(least, math.floor(math.log2(raw)))
        return abs(self.scale) * 2.0 ** (exponent - bits)

    def close(self, a, b, counts=1.01):
        # Of a bool the other value is one count away, and the contrary.
        if self.kind == "bool" or self.is_text:
            return a == b
        return abs(a - b) <= counts * max(self.lsb(a), self.lsb(b))


# By type: bytes, and how `struct` reads them.
NUMBERS = {"bool": (1, "B"), "int8": (1, "b"), "uint8": (1, "B"), "int16": (2, "h"), "uint16": (2, "H"),
           "int32": (4, "i"), "uint32": (4, "I"), "int64": (8, "q"), "uint64": (8, "Q"), "float32": (4, "f"),
           "float64": (8, "d")}

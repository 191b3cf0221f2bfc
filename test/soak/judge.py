#!/usr/bin/env python3
"""The judge on the machine's side (docs/writing-rules.md, W22).

Reads the write policy, the audit and the simulator's frame log, and nothing of the program that
wrote them. Every write frame that reached the machine must match exactly one admitted row of the
audit which the policy allows, inside its arming and before its deadline. Inputs, permit, step and
read-back are worked out again from the read frames in the log.

    judge.py --policy write-policy.json --audit store.sqlite --frames frames.jsonl
             [--inputs hold=press.temperature,press.pressure] [--expected expected.jsonl]
             [--slack 25] [--blind 0] [--running]

`--inputs` names the tags that a rule is computed from. `--expected` holds what the driver of the
soak knows: of its own commands {"id", "outcome", "code"} or {"id", "any": codes}, of rules
{"origin", "never"} or {"origin", "copies": tag}. `--slack` is the time in ms that may pass
between the two clocks and processes. A simulator that a busy machine does not let run finds frames
later than they came: if no link had a record for longer than the slack and shorter than `--blind`
ms, the frame may have come at any time of it, and on a bus (a pty) it may have waited so long since
its sender's own stamp; those it matters for are counted. Prints one JSON object; exit code 0 only
without findings.
"""
import argparse
import bisect
import collections
import hashlib
import json
import math
import re
import sqlite3
import struct
import sys

DAY_MS = 86_400_000
# Refusals that a row may meet whose inputs are worth nothing (W8, in this order).
WITHOUT_INPUTS = ("busy", "unknown-pending", "yielded", "input-bad", "input-old")
WRITE_FUNCTIONS = {5: "coil", 6: "register", 15: "coils", 16: "registers", 22: "mask", 23: "read-write"}
READ_AREAS = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
REGISTERS = {"int32": 2, "uint32": 2, "float32": 2, "int64": 4, "uint64": 4, "float64": 4}
# Rows of one place that can overlap a moment: one command a tag, and a deadline of a minute.
ROWS_BACK = 4096
OUTSIDE = ("rest", "mqtt", "cli")
# What may go to station 0, which all of a bus obey and none answers, and the silence that the standard
# wants after it at least (Modbus over Serial Line 1.02, 2.4.1).
BROADCAST_FUNCTIONS = (5, 6, 15, 16)
TURNAROUND_MS = 100
# An answer comes no later after its request.
ANSWER_MS = 60_000
UNITS = {"us": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": DAY_MS}


# ---------------------------------------------------------------- the policy, read independently

def duration(text):
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|min|s|m|h|d)", text)
    return sum(float(amount) * UNITS[unit] for amount, unit in parts)


def without_comments(text):
    """JSONC: comments outside of strings, and commas before a closing bracket."""
    out = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', lambda m: m.group(1) or "", text, flags=re.S)
    return re.sub(r'("(?:\\.|[^"\\])*")|,(\s*[}\]])', lambda m: m.group(1) or m.group(2), out)


class Policy:
    def __init__(self, text):
        self.hash = hashlib.sha256(text.encode()).hexdigest()
        self.tags = json.loads(without_comments(text))

    def of(self, tag):
        return self.tags.get(tag)


def ms(entry, key, default=None):
    value = entry.get(key, default)
    return duration(value) if isinstance(value, str) else value


# ---------------------------------------------------------------- Modbus, read independently

def crc16(data):
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


def unwrap(data, framing):
    """(transaction, station, pdu), or None if it is no complete frame."""
    if framing == "tcp":
        if len(data) < 8 or data[2:4] != b"\0\0" or int.from_bytes(data[4:6], "big") != len(data) - 6:
            return None
        return int.from_bytes(data[:2], "big"), data[6], data[7:]
    if len(data) < 4 or crc16(data[:-2]) != int.from_bytes(data[-2:], "little"):
        return None
    return None, data[0], data[1:-2]


class Frame:
    # `since`: it may have waited from there on, because the simulator stood still (`--blind`).
    __slots__ = ("time", "since", "line", "link", "connection", "station", "area", "start", "words", "count",
                 "function", "answer", "bus", "bit")

    def __init__(self, record, line, station, pdu):
        self.time, self.since, self.line = record["time"], record["time"], line
        self.link, self.connection = record["link"], record.get("connection", record.get("peer"))
        self.station, self.function = station, pdu[0]
        self.area, self.start, self.count, self.words, self.answer = None, None, 0, None, None
        self.bus, self.bit = False, None


def parse_request(record, line, station, pdu):
    frame = Frame(record, line, station, pdu)
    function = pdu[0]
    if function in READ_AREAS and len(pdu) == 5:
        frame.area = READ_AREAS[function]
        frame.start, frame.count = struct.unpack(">HH", pdu[1:5])
    elif function == 6 and len(pdu) == 5:
        frame.area, frame.count = "holding", 1
        frame.start, frame.words = struct.unpack(">H", pdu[1:3])[0], pdu[3:5]
    elif function == 16 and len(pdu) >= 6:
        frame.area = "holding"
        frame.start, frame.count = struct.unpack(">HH", pdu[1:5])
        frame.words = pdu[6:6 + pdu[5]]
    elif function == 5 and len(pdu) == 5 and pdu[3:5] in (b"\xff\0", b"\0\0"):
        frame.area, frame.count = "coil", 1
        frame.start, frame.words = struct.unpack(">H", pdu[1:3])[0], bytes([pdu[3] == 0xFF])
    elif function == 15 and len(pdu) == 7 and pdu[3:6] == b"\0\1\1":
        frame.area, frame.count = "coil", 1
        frame.start, frame.words = struct.unpack(">H", pdu[1:3])[0], pdu[6:7]
    elif function == 22 and len(pdu) == 7:
        frame.area, frame.count = "holding", 1
        frame.start, keeps = struct.unpack(">HH", pdu[1:5])
        changed = [bit for bit in range(16) if not keeps >> bit & 1]
        # Exactly one bit may change.
        frame.bit = changed[0] if len(changed) == 1 else -1
        frame.words = pdu[5:7]
    return frame


def parse_answer(request, pdu):
    """Registers or bits that a good answer holds, or None."""
    if pdu[0] != request.function or request.area is None:
        return None
    if pdu[0] in (3, 4) and len(pdu) == 2 + pdu[1] and pdu[1] == request.count * 2:
        return pdu[2:]
    if pdu[0] in (1, 2) and len(pdu) == 2 + pdu[1]:
        return pdu[2:]
    return None


class Read:
    """A good answer to a read: what the machine said its registers held."""
    __slots__ = ("asked", "time", "request", "data")

    def __init__(self, asked, time, request, data):
        self.asked, self.time, self.request, self.data = asked, time, request, data

    def value(self, place):
        request = self.request
        if request.area != place.area or request.station != place.station:
            return None
        if place.area in ("coil", "discrete"):
            index = place.start - request.start
            if not 0 <= index < request.count:
                return None
            return float((self.data[index // 8] >> (index % 8)) & 1)
        first = (place.start - request.start) * 2
        last = first + place.registers * 2
        return place.decode(self.data[first:last]) if 0 <= first and last <= len(self.data) else None


class Place:
    """Where a tag lies and what its words mean."""

    SUFFIX = {"L": "ABCD", "LL": "ABCD", "LB": "BADC", "BL": "CDAB", "BB": "DCBA"}
    DIGIT = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}

    def __init__(self, link, station, at, kind, order, scale, offset):
        self.link, self.station, self.kind = link, station, kind
        self.scale, self.offset = scale, offset
        self.registers = REGISTERS.get(kind, 1)
        plain = re.fullmatch(r"(coil|discrete|input|holding) +(\d+)(?:\.(\d+))?", at.strip())
        if plain:
            self.area, self.start, suffix = plain[1], int(plain[2]), None
            bit = plain[3]
        else:
            one = re.fullmatch(r"(?:\d+!)?([0134])(\d{4,6})(?:\.(\d+))?[HLDE]?(?:#([A-Z]+))?", at.strip())
            self.area, self.start = self.DIGIT[one[1]], int(one[2]) - 1
            bit, suffix = one[3], one[4]
        self.bit = int(bit) if bit is not None and kind == "bool" else None
        if suffix == "B":
            order = "DCBA"
        self.order = self.SUFFIX.get(suffix, order)
        self.swap_single = suffix == "B" and self.registers == 1

    def decode(self, data):
        words = [data[i:i + 2] for i in range(0, self.registers * 2, 2)]
        if self.registers > 1:
            if self.order in ("CDAB", "DCBA"):
                words.reverse()
            if self.order in ("BADC", "DCBA"):
                words = [w[::-1] for w in words]
        elif self.swap_single:
            words = [w[::-1] for w in words]
        raw = b"".join(words)
        if self.kind == "bool":
            return float((int.from_bytes(raw, "big") >> (self.bit or 0)) & 1)
        if self.kind in ("int8", "uint8"):
            number = struct.unpack(">b" if self.kind == "int8" else ">B", raw[1:2])[0]
        elif self.kind.startswith("float"):
            number = struct.unpack(">f" if self.kind == "float32" else ">d", raw)[0]
        else:
            number = int.from_bytes(raw, "big", signed=not self.kind.startswith("u"))
        return number * self.scale + self.offset

    def lsb(self, value):
        if not self.kind.startswith("float"):
            return abs(self.scale)
        bits, least = (23, -126) if self.kind == "float32" else (52, -1022)
        raw = abs((value - self.offset) / self.scale)
        exponent = least if raw == 0 else max(least, math.floor(math.log2(raw)))
        return abs(self.scale) * 2.0 ** (exponent - bits)

    def close(self, a, b, counts=1.01):
        # Of a bool the other value is one count away, and the contrary.
        if self.kind == "bool":
            return a == b
        return abs(a - b) <= counts * max(self.lsb(a), self.lsb(b))


class Log:
    """The frame log: writes that reached the machine, and its good answers to reads."""

    def __init__(self, paths, slack, blind):
        self.slack, self.blind = slack, blind
        self.writes, self.reads, self.invalid, self.lines = [], collections.defaultdict(list), 0, 0
        records = []
        for path in paths:
            with open(path) as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        records.append((json.loads(line), f"{path}:{number}"))
        self.lines = len(records)
        self.asked = collections.Counter()
        # By link: when something was asked of it.
        self.requests = collections.defaultdict(list)
        framing = self.framings(records)
        waiting = {}
        before, self.quiet = -math.inf, (-math.inf, -math.inf)
        for record, line in records:
            if record["dir"] not in ("in", "out") or not record["bytes"]:
                continue
            if slack < record["time"] - before < blind:
                self.quiet = before, record["time"]
            before = record["time"]
            self.take(record, line, framing[record["link"]], waiting)

    @staticmethod
    def framings(records):
        """A bus has checksums, a socket has headers: what most frames of a link agree with."""
        votes = collections.defaultdict(collections.Counter)
        for record, _ in records:
            if record["dir"] == "in" and record.get("valid"):
                data = bytes.fromhex(record["bytes"])
                for framing in ("tcp", "rtu"):
                    votes[record["link"]][framing] += unwrap(data, framing) is not None
        return collections.defaultdict(lambda: "tcp", {k: v.most_common(1)[0][0] for k, v in votes.items()})

    def take(self, record, line, framing, waiting):
        parts = unwrap(bytes.fromhex(record["bytes"]), framing)
        if parts is None or record["dir"] == "in" and not record.get("valid", True):
            self.invalid += record["dir"] == "in"
            return
        transaction, station, pdu = parts
        key = (record["link"], record.get("connection", record.get("peer")), transaction)
        if record["dir"] == "in":
            request = parse_request(record, line, station, pdu)
            waiting[key] = request
            request.bus = framing == "rtu"
            self.requests[request.link].append(request.time)
            if pdu[0] in WRITE_FUNCTIONS:
                self.writes.append(request)
                # What came meanwhile on several links is found one after the other.
                if request.time - self.quiet[1] <= self.slack:
                    request.since = self.quiet[0]
            elif request.area is not None:
                self.asked[request.link, station, request.area, request.start, request.count] += 1
            return
        request = waiting.pop(key, None)
        if request is None or request.station != station:
            return
        if request.function in WRITE_FUNCTIONS:
            request.answer = (record["time"], pdu)
            return
        data = parse_answer(request, pdu)
        if data is not None:
            self.reads[request.link].append(Read(request.time, record["time"], request, data))

    def read_before(self, place, time):
        """Newest value of a tag that the machine gave before a time: (value, asked at)."""
        reads = self.reads[place.link]
        for i in range(upper(reads, time) - 1, -1, -1):
            value = reads[i].value(place)
            if value is not None:
                return value, reads[i].asked
        return None

    def asked_between(self, place, since, until):
        """Values that the machine gave when it was asked in a span of time."""
        reads = self.reads[place.link]
        found = (r.value(place) for r in reads[upper(reads, since):upper(reads, until + ANSWER_MS)]
                 if since <= r.asked <= until)
        return [value for value in found if value is not None]

    def polls(self, places):
        """How often the machine was asked for a tag, answered or not."""
        keys = {(p.link, p.station, p.area, p.start) for p in places}
        return sum(n for (link, station, area, start, count), n in self.asked.items()
                   for key in keys if (link, station, area) == key[:3] and start <= key[3] < start + count)

    def reads_between(self, place, since, until):
        reads = self.reads[place.link]
        found = (r.value(place) for r in reads[upper(reads, since):upper(reads, until)])
        return [value for value in found if value is not None]


def upper(reads, time):
    low, high = 0, len(reads)
    while low < high:
        middle = (low + high) // 2
        if reads[middle].time <= time:
            low = middle + 1
        else:
            high = middle
    return low


# ---------------------------------------------------------------- the audit

class Audit:
    def __init__(self, path):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        rows = lambda sql: [dict(row) for row in db.execute(sql)]
        self.attempts = rows("SELECT * FROM attempts ORDER BY row")
        self.withheld = rows("SELECT * FROM withheld ORDER BY row")
        self.armings = {a["number"]: a for a in rows("SELECT * FROM armings")}
        self.places = {}
        for tag in rows("SELECT * FROM tags"):
            self.places[tag["config_hash"], tag["tag"]] = Place(
                tag["link"], tag["station"], tag["at"], tag["type"], tag["word_order"], tag["scale"],
                tag["offset"])
        self.admitted = [a for a in self.attempts if a["verdict"] == "admitted"]


def js_number(value):
    """A number as JavaScript writes it, for the proof's hash."""
    return str(int(value)) if value == int(value) and abs(value) < 1e21 else repr(value)


def proof_hash(a):
    fields = [a["peer"], a["station"], a["at"], a["type"], a["word_order"], js_number(a["scale"]),
              js_number(a["offset"])]
    return hashlib.sha256("\n".join(map(str, fields)).encode()).hexdigest()


# ---------------------------------------------------------------- the judgement

def window(row):
    """When the frame of a row may reach the machine."""
    ended = row["ended"] if row["ended"] is not None else math.inf
    if row["outcome"] == "unknown" and row["code"] != "restart":
        # A frame whose answer never came may reach a slow machine after the row has ended; but no
        # byte outlives the process that sent it (W14).
        ended = max(ended, row["not_after"])
    # The intent of onLoss was committed when the tag was armed.
    on_loss = row["origin"].startswith("onLoss:")
    return (row["sent"] or row["time"]) if on_loss else row["time"], ended


class Judge:
    def __init__(self, policies, audit, log, inputs, slack, running):
        self.policies = {p.hash: p for p in policies}
        self.audit, self.log, self.inputs, self.slack, self.running = audit, log, inputs, slack, running
        self.armed = collections.Counter(row["arming"] for row in audit.admitted)
        self.findings = collections.Counter()
        self.examples = collections.defaultdict(list)
        self.not_recomputed = collections.Counter()
        self.blind = 0

    def find(self, kind, what):
        self.findings[kind] += 1
        if len(self.examples[kind]) < 5:
            self.examples[kind].append(what)

    def run(self):
        pairs = self.match()
        self.rows(pairs)
        last, day = {}, collections.Counter()
        for frame, row in sorted(pairs, key=lambda pair: pair[0].time):
            self.frame(frame, row, last, day)
        return pairs

    # -- one frame, one row

    def match(self):
        by_place = collections.defaultdict(list)
        for row in self.audit.admitted:
            place = self.audit.places.get((row["config_hash"], row["tag"]))
            if place is None:
                self.find("row-without-place", row["row"])
                continue
            key = place.link, place.station, place.area, place.start, place.bit
            by_place[key].append((*window(row), row))
        for rows in by_place.values():
            rows.sort(key=lambda entry: entry[:2])
        taken, pairs = {}, []
        for frame in self.log.writes:
            row = self.row_of(frame, by_place, taken)
            if row is None:
                continue
            taken[row["row"]] = frame
            pairs.append((frame, row))
        return pairs

    def row_of(self, frame, by_place, taken):
        if frame.words is None:
            self.find("escape", f"{frame.line}: function {frame.function} station {frame.station}")
            return None
        best, twice = None, None
        rows = by_place[frame.link, frame.station, frame.area, frame.start, frame.bit]
        latest = bisect.bisect_right(rows, frame.time + self.slack, key=lambda entry: entry[0])
        for began, ended, row in reversed(rows[max(0, latest - ROWS_BACK):latest]):
            if frame.time > ended + self.slack or bytes(row["words"]) != frame.words:
                continue
            if row["row"] in taken:
                twice = row["row"]
                continue
            outside = max(began - frame.time, frame.time - ended, 0)
            if best is None or outside < best[0]:
                best = outside, row
        if best is not None:
            return best[1]
        if twice is not None:
            self.find("sent-twice", f"{frame.line}: row {twice}")
        else:
            self.find("escape", f"{frame.line}: no admitted row for {frame.words and frame.words.hex()}")
        return None

    def rows(self, pairs):
        framed = {row["row"] for _, row in pairs}
        ids = collections.Counter()
        for row in self.audit.admitted:
            # A row of a rule may be a command for each of several tags.
            ids[row["origin"].startswith("rule:") and row["tag"], row["id"]] += 1
            if row["outcome"] is None:
                if not self.running:
                    self.find("row-without-outcome", row["row"])
                continue
            sent = row["sent"] is not None
            if row["row"] in framed and not sent and row["outcome"] != "unknown":
                self.find("escape", f"row {row['row']} says that it was not sent")
            if row["row"] not in framed and row["outcome"] in ("verified", "acknowledged", "rejected"):
                self.find("row-without-frame", row["row"])
        for (_, key), n in ids.items():
            if n > 1:
                self.find("id-admitted-twice", f"{key}: {n} times")

    # -- is that frame allowed?

    def frame(self, frame, row, last, day):
        where = f"{frame.line}: row {row['row']}"
        policy = self.policies.get(row["policy_hash"])
        if policy is None:
            return self.find("unknown-policy", where)
        entry = policy.of(row["tag"])
        if entry is None:
            return self.find("escape", f"{where}: {row['tag']} is not in the policy")
        place = self.audit.places[row["config_hash"], row["tag"]]
        on_loss = row["origin"] == f"onLoss:{row['tag']}"
        self.times(frame, row, where)
        self.allowed(entry, row, on_loss, where)
        means = place.decode(frame.words)
        self.value(frame, row, entry, place, means, on_loss, where)
        self.pace(frame, row, entry, last, day, on_loss, where)
        self.permit(frame, row, entry, on_loss, where)
        if row["origin"].startswith("rule:"):
            self.rule_inputs(frame, row, entry, where)
        if place.station == 0:
            self.broadcast(frame, row, entry, where)
        self.read_back(frame, row, place, means, where)

    def broadcast(self, frame, row, entry, where):
        """Only a person's command, by a policy that says so; nobody answers, and silence follows."""
        if not frame.bus or frame.function not in BROADCAST_FUNCTIONS:
            self.find("escape", f"{where}: function {frame.function} is no broadcast of a bus")
        from_read = entry.get("maxStep") is not None or entry.get("deadband", 0) > 0
        if row["origin"] not in OUTSIDE or entry.get("readBack") != "none" or from_read:
            self.find("escape", f"{where}: {row['origin']} broadcasts, by {entry}")
        if row["outcome"] not in ("unknown", None) or row["code"] not in ("broadcast", "restart", None):
            self.find("broadcast-known", f"{where}: {row['outcome']} ({row['code']})")
        if frame.answer is not None:
            self.find("broadcast-answered", where)
        # The simulator sees the next frame late, or in time, and its sender knows when this one left.
        left = frame.time if row["sent"] is None else row["sent"]
        times = self.log.requests[frame.link]
        after = bisect.bisect_right(times, frame.time)
        if after < len(times) and times[after] - left < TURNAROUND_MS - self.slack:
            self.find("no-turnaround", f"{where}: the next came {times[after] - left:.1f} ms later")

    def times(self, frame, row, where):
        latest = row["not_after"] + self.slack
        if row["sent"] is not None and row["sent"] > latest:
            self.find("after-deadline", f"{where}: left {row['sent'] - row['not_after']:.1f} ms late")
        # What a pty takes goes through a work queue of the kernel, which a busy machine lets wait: the
        # simulator is then awake and sees the frame late. Its sender's own look right before write(2)
        # tells when it left.
        held = (frame.bus and row["sent"] is not None
                and frame.time - row["sent"] < self.log.blind)
        since = row["sent"] if held else frame.since
        self.blind += frame.time > latest >= since
        if since > latest:
            self.find("after-deadline", f"{where}: {frame.time - row['not_after']:.1f} ms late")
        arming = self.audit.armings.get(row["arming"])
        if arming is None or arming["tag"] != row["tag"]:
            return self.find("outside-arming", f"{where}: arming {row['arming']}")
        until = min(arming["until"], arming["ended"] if arming["ended"] is not None else math.inf)
        if not arming["begins"] - self.slack <= frame.time or frame.since > until + self.slack:
            self.find("outside-arming", f"{where}: at {frame.time}, {arming['begins']}..{until}")
        if proof_hash(arming) != arming["hash"]:
            self.find("proof-of-another-path", where)

    def allowed(self, entry, row, on_loss, where):
        if entry.get("maxMode", "shadow") != "armed":
            self.find("escape", f"{where}: maxMode {entry.get('maxMode')}")
        if not on_loss and row["origin"] not in entry.get("allow", []):
            self.find("escape", f"{where}: {row['origin']} is not allowed")
        if on_loss and entry.get("onLoss", {}).get("value") in (None, "hold"):
            self.find("escape", f"{where}: the policy has no onLoss value")

    def value(self, frame, row, entry, place, means, on_loss, where):
        room = 1e-12 * max(abs(means), 1)
        if not entry["min"] - room <= means <= entry["max"] + room:
            self.find("escape", f"{where}: {means} outside {entry['min']}..{entry['max']}")
        if not place.close(means, row["means"], 0.01):
            self.find("means-differs", f"{where}: audit {row['means']}, wire {means}")
        if on_loss and not place.close(means, entry["onLoss"]["value"]):
            self.find("escape", f"{where}: onLoss wrote {means}")
        before = self.log.read_before(place, frame.time)
        if before is None or before[1] < row["received"] - self.slack and not on_loss:
            # A person may write what cannot be read, where no step is to be kept (W9).
            may = row["origin"] in OUTSIDE and row["read"] is None and entry.get("maxStep") is None
            return None if may else self.find("no-read-before", where)
        read = before[0]
        if row["read"] is not None and not place.close(read, row["read"], 0.01):
            self.find("read-differs", f"{where}: audit {row['read']}, wire {read}")
        step = abs(means - read)
        any_step = on_loss and entry["onLoss"].get("step") == "any"
        if entry.get("maxStep") is not None and not any_step and step > entry["maxStep"] + room:
            self.find("escape", f"{where}: step {step}")
        if row["origin"] == "prove":
            return self.proof(row, place, means, read, where)
        if not on_loss and step < entry.get("deadband", 0) - room:
            self.find("escape", f"{where}: inside the deadband, {step}")

    def proof(self, row, place, means, read, where):
        """What stood there, under an arming that was for nothing else."""
        if not place.close(means, read, 0.01):
            self.find("escape", f"{where}: a proof wrote {means} where {read} stood")
        if self.armed[row["arming"]] != 1:
            self.find("proof-arming-shared", f"{where}: {self.armed[row['arming']]} rows of arming {row['arming']}")

    def pace(self, frame, row, entry, last, day, on_loss, where):
        tag = row["tag"]
        before = last.get(tag)
        last[tag] = frame.time
        if on_loss:
            return
        interval = ms(entry, "minInterval", 1000)
        if before is not None and frame.time - before < interval - self.slack:
            self.find("escape", f"{where}: {frame.time - before:.1f} ms after the one before")
        key = tag, math.floor(row["time"] / DAY_MS)
        day[key] += 1
        if day[key] > entry.get("writesPerDay", 5000):
            self.find("escape", f"{where}: write {day[key]} of the day")

    def permit(self, frame, row, entry, on_loss, where):
        for condition in entry.get("permit", []):
            truth = self.condition(row["config_hash"], condition, frame.time)
            if truth is None:
                self.not_recomputed[condition] += 1
                continue
            value, asked = truth
            too_old = asked is None or frame.time - asked > ms(entry, "maxAge", 1000) + self.slack
            if on_loss and (too_old or value is None):
                continue
            if too_old or value is not True:
                self.find("escape", f"{where}: permit {condition} is {value}, asked at {asked}")

    def condition(self, config, text, time):
        """(TRUE/FALSE/None, when it was asked for); None if this reader does not understand it."""
        m = re.fullmatch(r"\s*(NOT\s+)?([\w-]+\.[\w-]+)\s*(?:(<=|>=|<>|!=|=|<|>)\s*(-?[\d.]+|true|false))?\s*",
                         text, re.I)
        place = m and self.audit.places.get((config, m[2]))
        if not place:
            return None
        read = self.log.read_before(place, time)
        if read is None:
            return None, None
        value, asked = read
        if m[3] is None:
            truth = value != 0
        else:
            other = {"true": 1.0, "false": 0.0}.get(m[4].lower())
            other = float(m[4]) if other is None else other
            truth = {"<": value < other, ">": value > other, "<=": value <= other, ">=": value >= other,
                     "=": value == other, "<>": value != other, "!=": value != other}[m[3]]
        return (not truth if m[1] else truth), asked

    def rule_inputs(self, frame, row, entry, where):
        most = ms(entry, "inputMaxAge", 1000)
        inputs = json.loads(row["inputs"] or "null")
        if inputs is None or inputs["state"] != 0 or inputs["flags"] & 5:
            return self.find("escape", f"{where}: inputs {inputs}")
        if frame.time - inputs["oldest"] > most + self.slack:
            self.find("escape", f"{where}: input {frame.time - inputs['oldest']:.1f} ms old")
        tags = self.inputs.get(row["origin"][len("rule:"):])
        if tags is None:
            self.not_recomputed[f"inputs of {row['origin']}"] += 1
        for tag in tags or []:
            read = self.log.read_before(self.audit.places[row["config_hash"], tag], frame.time)
            if read is None or frame.time - read[1] > most + self.slack:
                self.find("escape", f"{where}: {tag} was last read {read and frame.time - read[1]} ms ago")

    def read_back(self, frame, row, place, means, where):
        if row["outcome"] == "verified":
            seen = self.log.reads_between(place, frame.time, row["ended"] + self.slack)
            if not any(place.close(value, means) for value in seen):
                self.find("not-verified", f"{where}: the machine never said {means}")
        if row["outcome"] == "rejected":
            answer = frame.answer
            if answer is None or answer[1][0] != frame.function | 0x80 or answer[1][1] not in (1, 2, 3, 6, 10):
                self.find("not-rejected", where)

    # -- what the driver of the soak expected

    def expect(self, path):
        """Each line asks for a row of its own: an id that came twice has two."""
        rows = collections.defaultdict(collections.Counter)
        for row in self.audit.attempts:
            if not row["origin"].startswith("rule:"):
                rows[row["id"]][row["code"] or row["outcome"]] += 1
        checked = collections.Counter()
        with open(path) as file:
            for line in filter(str.strip, file):
                wanted = json.loads(line)
                if "origin" in wanted:
                    self.expect_rule(wanted)
                    continue
                codes = wanted.get("any") or [wanted.get("code") or wanted["outcome"]]
                code = next((code for code in codes if rows[wanted["id"]][code] > 0), None)
                if code is None:
                    self.find("unexpected", f"{wanted}: {dict(rows[wanted['id']])}")
                    continue
                rows[wanted["id"]][code] -= 1
                checked[code] += 1
        return checked

    def expect_rule(self, wanted):
        """`never`: nothing of that rule is admitted. `copies`: it writes what the tag was read as."""
        for row in self.audit.admitted:
            if row["origin"] != wanted["origin"]:
                continue
            if "never" in wanted:
                self.find("unexpected", f"row {row['row']} of {wanted['origin']} is admitted")
                continue
            place = self.audit.places[row["config_hash"], wanted["copies"]]
            since = json.loads(row["inputs"])["oldest"] - self.slack
            seen = self.log.asked_between(place, since, row["time"] + self.slack)
            if not any(math.isclose(value, float(row["asked"]), rel_tol=1e-6) for value in seen):
                self.find("input-never-read", f"row {row['row']}: {row['asked']}, read {seen}")

    def attempts(self):
        """Attempts by entry point and what became of them, by the audit."""
        table = collections.defaultdict(collections.Counter)
        for row in self.audit.attempts:
            table[row["origin"].split(":")[0]][row["code"] or row["outcome"] or "none"] += 1
        for row in self.audit.withheld:
            table[row["origin"].split(":")[0]][row["code"]] += row["count"]
        return table

    def rule_rows(self):
        """A rule tries no more often than the machine was asked for the tag that makes its rows.

        A row that was made without asking, for want of a connection, can only be refused as bad or
        old, or for what is looked at before the inputs; these are left out.
        """
        tries = collections.Counter((row["origin"], row["tag"]) for row in self.audit.admitted)
        for row in self.audit.withheld:
            if row["code"] not in WITHOUT_INPUTS:
                tries[row["origin"], row["tag"]] += row["count"]
        for rule, tags in self.inputs.items():
            polls = self.log.polls(p for (_, tag), p in self.audit.places.items() if tag == tags[0])
            for (origin, target), n in tries.items():
                if origin == f"rule:{rule}" and n > polls:
                    self.find("more-tries-than-rows", f"{rule} on {target}: {n} of {polls} polls")


def main():
    ask = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ask.add_argument("--policy", action="append", required=True)
    ask.add_argument("--audit", required=True)
    ask.add_argument("--frames", action="append", required=True)
    ask.add_argument("--inputs", action="append", default=[])
    ask.add_argument("--expected")
    ask.add_argument("--slack", type=float, default=25)
    ask.add_argument("--blind", type=float, default=0)
    ask.add_argument("--running", action="store_true", help="rows without outcome are in flight")
    args = ask.parse_args()
    policies = []
    for path in args.policy:
        with open(path, newline="") as file:
            policies.append(Policy(file.read()))
    audit, log = Audit(args.audit), Log(args.frames, args.slack, args.blind)
    inputs = {k: v.split(",") for k, v in (text.split("=", 1) for text in args.inputs)}
    judge = Judge(policies, audit, log, inputs, args.slack, args.running)
    pairs = judge.run()
    judge.rule_rows()
    expected = judge.expect(args.expected) if args.expected else {}
    print(json.dumps({
        "frames": log.lines, "write_frames": len(log.writes), "matched": len(pairs),
        "invalid_requests": log.invalid, "late_or_unseen": judge.blind, "admitted": len(audit.admitted),
        "outcomes": collections.Counter(str(a["outcome"]) for a in audit.admitted),
        "attempts": judge.attempts(), "expected": expected, "not_recomputed": judge.not_recomputed,
        "findings": judge.findings, "examples": judge.examples,
        "escapes": judge.findings["escape"], "twice": judge.findings["sent-twice"],
    }, indent=1))
    return 1 if sum(judge.findings.values()) > 0 else 0


if __name__ == "__main__":
    sys.exit(main())

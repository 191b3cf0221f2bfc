#!/usr/bin/env python3
"""The judge on the machine's side (docs/writing-rules.md, W22).

Reads the configuration's links, the write policy, the audit and the frame logs of simulator and
machines, and nothing of the program that wrote them; how each protocol puts a write on the wire
stands in `wire/`, from its standard. Every write frame that reached the machine must match exactly
one admitted row of the audit which the policy allows, inside its arming and before its deadline.
Inputs, permit, step and read-back are worked out again from the read frames in the log.

    judge.py --config gateway.json --policy write-policy.json --audit store.sqlite
             --frames frames.jsonl [--frames …] [--inputs hold=press.temperature,press.pressure]
             [--expected expected.jsonl] [--slack 25] [--blind 0] [--running]

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

# Beside it the programs' own folder stays as it is.
sys.dont_write_bytecode = True

from wire.cip import Cip
from wire.common import BUS, Request
from wire.modbus import Modbus
from wire.opcua import OpcUa
from wire.s7 import S7
from wire.telegram import Telegram

DAY_MS = 86_400_000
# Refusals that a row may meet whose inputs are worth nothing (W8, in this order).
WITHOUT_INPUTS = ("busy", "unknown-pending", "yielded", "input-bad", "input-old")
# Rows of one place that can overlap a moment: one command a tag, and a deadline of a minute.
ROWS_BACK = 4096
OUTSIDE = ("rest", "mqtt", "cli")
# The silence after a broadcast (Modbus over Serial Line 1.02, 2.4.1), at least.
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


# ---------------------------------------------------------------- the protocols, read independently

# By a link's type; others lead to no machine.
PROTOCOLS = {
    **{kind: lambda link: Modbus(link.get("framing", "tcp"))
       for kind in ("modbus-tcp", "modbus-listen", "modbus-udp")},
    "modbus-rtu": lambda link: Modbus("rtu"), "modbus-ascii": lambda link: Modbus("ascii"),
    "s7": lambda link: S7(), "ethernet-ip": lambda link: Cip(), "opcua": lambda link: OpcUa(),
    "telegram-tcp": Telegram, "telegram-listen": Telegram, "telegram-serial": Telegram,
}


# What a reader meets in what is nothing that it knows.
UNREADABLE = (IndexError, KeyError, TypeError, ValueError, struct.error)


def understood(read, *of):
    """What `read` makes of it; None = nothing."""
    try:
        return read(*of)
    except UNREADABLE:
        return None


class Links:
    """How each link speaks, by the engineer's own configuration."""

    def __init__(self, text):
        links = json.loads(without_comments(text))["links"]
        self.protocols = {name: PROTOCOLS[link["type"]](link) for name, link in links.items()
                          if link["type"] in PROTOCOLS}
        self.buses = {name for name, link in links.items() if link["type"] in BUS}


class Read:
    """A good answer to a read: what the machine said that it holds."""
    __slots__ = ("asked", "time", "request", "data")

    def __init__(self, asked, time, request, data):
        self.asked, self.time, self.request, self.data = asked, time, request, data

    def value(self, place):
        if place.station is not None and place.station != self.request.station:
            return None
        for wanted, data in zip(self.request.ranges, self.data):
            value = None if data is None else place.value(wanted, data)
            if value is not None:
                return value
        return None


class Log:
    """The frame log: writes that reached the machine, and its good answers to reads."""

    def __init__(self, paths, links, slack, blind):
        self.links, self.slack, self.blind = links, slack, blind
        self.writes, self.reads, self.invalid, self.lines = [], collections.defaultdict(list), 0, 0
        self.asked = collections.Counter()
        # By link: when its requests came.
        self.times = collections.defaultdict(list)
        for path in paths:
            self.read(path)
        self.writes.sort(key=lambda request: request.time)

    def read(self, path):
        """The log of one program: what it did not look at in time is seen by its silence."""
        waiting = {}
        before, self.quiet = -math.inf, (-math.inf, -math.inf)
        with open(path) as file:
            for number, line in enumerate(file, 1):
                record = json.loads(line)
                self.lines += 1
                # `awake`: a machine that nobody asked anything lets see that it could have looked.
                if record["dir"] not in ("in", "out", "awake") or record["dir"] != "awake" and not record["bytes"]:
                    continue
                if self.slack < record["time"] - before < self.blind:
                    self.quiet = before, record["time"]
                before = record["time"]
                if record["dir"] != "awake":
                    self.take(record, f"{path}:{number}", waiting)

    def take(self, record, line, waiting):
        link = record["link"]
        protocol = self.links.protocols[link]
        is_request = record["dir"] == "in"
        if is_request and not record.get("valid", True):
            self.invalid += 1
            return
        number, body = understood(protocol.unwrap, bytes.fromhex(record["bytes"])) or (None, None)
        key = link, record.get("connection"), number
        if not is_request:
            if body is not None:
                self.answered(waiting.pop(key, None), protocol, record, body)
            return
        request = Request(record, line, link in self.links.buses)
        try:
            protocol.ask(request, body)
        except UNREADABLE:
            # The machine took it for a frame.
            request.refuse("a request that cannot be read")
        waiting[key] = request
        self.times[link].append(request.time)
        if request.writes:
            self.writes.append(request)
            # What came meanwhile on several links is found one after the other.
            if request.time - self.quiet[1] <= self.slack:
                request.since = self.quiet[0]
        for wanted in request.ranges:
            self.asked[link, request.station, wanted] += 1

    def answered(self, request, protocol, record, body):
        if request is None:
            return
        if request.writes:
            request.answer = understood(protocol.rejected, request, body)
        elif request.ranges:
            data = understood(protocol.answers, request, body)
            if data is not None:
                self.reads[request.link].append(Read(request.time, record["time"], request, data))

    def asked_after(self, request):
        """When the next request of its link came, or None."""
        times = self.times[request.link]
        at = bisect.bisect_right(times, request.time)
        return times[at] if at < len(times) else None

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
        # The same place in each configuration that ran is one.
        places = {(p.link, p.station, p.target): p for p in places}.values()
        return sum(n for (link, station, wanted), n in self.asked.items()
                   for place in places if place.link == link and place.covers(station, wanted))

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
    def __init__(self, path, links):
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        rows = lambda sql: [dict(row) for row in db.execute(sql)]
        self.attempts = rows("SELECT * FROM attempts ORDER BY row")
        self.withheld = rows("SELECT * FROM withheld ORDER BY row")
        self.armings = {a["number"]: a for a in rows("SELECT * FROM armings")}
        self.places = {}
        for tag in rows("SELECT * FROM tags"):
            place = understood(links.protocols[tag["link"]].place, tag)
            # Of arrays, moments and the like nothing is written or worked out here.
            if place is not None:
                self.places[tag["config_hash"], tag["tag"]] = place
        self.admitted = [a for a in self.attempts if a["verdict"] == "admitted"]


def told(row, name):
    """A value of the audit: a number, or a text beside it."""
    return row[name] if row[name] is not None else row[f"{name}_text"]


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
            by_place[place.link, place.station, place.target].append((*window(row), row))
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
        if frame.target is None:
            self.find("escape", f"{frame.line}: {frame.what}")
            return None
        best, twice = None, None
        rows = by_place[frame.link, frame.station, frame.target]
        latest = bisect.bisect_right(rows, frame.time + self.slack, key=lambda entry: entry[0])
        for began, ended, row in reversed(rows[max(0, latest - ROWS_BACK):latest]):
            place = self.audit.places[row["config_hash"], row["tag"]]
            if frame.time > ended + self.slack or not place.takes(frame, row["words"]):
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
            self.find("escape", f"{frame.line}: no admitted row for {frame.words}")
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
        means = place.means(frame)
        self.value(frame, row, entry, place, means, on_loss, where)
        self.pace(frame, row, entry, last, day, on_loss, where)
        self.permit(frame, row, entry, on_loss, where)
        if row["origin"].startswith("rule:"):
            self.rule_inputs(frame, row, entry, where)
        self.read_back(frame, row, place, means, where)

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
        room = 0 if place.is_text else 1e-12 * max(abs(means), 1)
        if not self.inside(entry, place, means, room):
            self.find("escape", f"{where}: {means!r} is not what the policy has")
        if not place.close(means, told(row, "means"), 0.01):
            self.find("means-differs", f"{where}: audit {told(row, 'means')}, wire {means}")
        if on_loss and not place.close(means, entry["onLoss"]["value"]):
            self.find("escape", f"{where}: onLoss wrote {means}")
        # A broadcast of Modbus: nobody could answer, neither before nor after.
        if place.station == 0:
            return self.broadcast(frame, row, entry, where)
        before = self.log.read_before(place, frame.time)
        if before is None or before[1] < row["received"] - self.slack and not on_loss:
            # A person may write what cannot be read, where no step is to be kept (W9).
            may = row["origin"] in OUTSIDE and told(row, "read") is None and entry.get("maxStep") is None
            return None if may and not place.is_text else self.find("no-read-before", where)
        read = before[0]
        if told(row, "read") is not None and not place.close(read, told(row, "read"), 0.01):
            self.find("read-differs", f"{where}: audit {told(row, 'read')}, wire {read}")
        if row["origin"] == "prove":
            return self.proof(row, place, means, read, where)
        # From one text to another is no distance.
        if place.is_text:
            return None
        step = abs(means - read)
        any_step = on_loss and entry["onLoss"].get("step") == "any"
        if entry.get("maxStep") is not None and not any_step and step > entry["maxStep"] + room:
            self.find("escape", f"{where}: step {step}")
        if not on_loss and step < entry.get("deadband", 0) - room:
            self.find("escape", f"{where}: inside the deadband, {step}")

    def broadcast(self, frame, row, entry, where):
        """A person stands for it, nobody says what became of it, and silence follows."""
        if entry.get("readBack") != "none" or row["origin"] not in OUTSIDE or {"maxStep", "deadband"} & entry.keys():
            self.find("escape", f"{where}: a broadcast by {row['origin']}, policy {entry}")
        ended = row["outcome"], row["code"]
        if told(row, "read") is not None or ended not in (("unknown", "broadcast"), ("unknown", "restart")):
            self.find("broadcast-answered", f"{where}: {row['outcome']} {row['code']}")
        # The simulator may find the next frame late, never early; when this one left its sender says.
        left = frame.time if row["sent"] is None else row["sent"]
        after = self.log.asked_after(frame)
        if after is not None and after - left < TURNAROUND_MS - self.slack:
            self.find("no-turnaround", f"{where}: the next came {after - left:.1f} ms later")

    def inside(self, entry, place, means, room):
        if not place.is_text:
            return "min" in entry and entry["min"] - room <= means <= entry["max"] + room
        pattern = entry.get("pattern")
        return means in entry.get("values", []) or pattern is not None and re.fullmatch(pattern, means) is not None

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
            if not frame.answer:
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
    ask.add_argument("--config", required=True)
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
    with open(args.config) as file:
        links = Links(file.read())
    audit, log = Audit(args.audit, links), Log(args.frames, links, args.slack, args.blind)
    inputs = {k: v.split(",") for k, v in (text.split("=", 1) for text in args.inputs)}
    judge = Judge(policies, audit, log, inputs, args.slack, args.running)
    pairs = judge.run()
    judge.rule_rows()
    expected = judge.expect(args.expected) if args.expected else {}
    print(json.dumps({
        "frames": log.lines, "write_frames": len(log.writes), "matched": len(pairs),
        "write_frames_of": collections.Counter(frame.link for frame in log.writes),
        "invalid_requests": log.invalid, "late_or_unseen": judge.blind, "admitted": len(audit.admitted),
        "outcomes": collections.Counter(str(a["outcome"]) for a in audit.admitted),
        "attempts": judge.attempts(), "expected": expected, "not_recomputed": judge.not_recomputed,
        "findings": judge.findings, "examples": judge.examples,
        "escapes": judge.findings["escape"], "twice": judge.findings["sent-twice"],
    }, indent=1))
    return 1 if sum(judge.findings.values()) > 0 else 0


if __name__ == "__main__":
    sys.exit(main())

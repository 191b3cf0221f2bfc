"""Telegrams of machines with no standard, as the link's configuration spells them: framed by an end."""
import re
import struct

from wire.common import Place

CONTROLS = {"STX": 2, "ETX": 3, "LF": 10, "CR": 13}


def spelled(text):
    """`<CR>` and `<0D>` stand for bytes."""
    return re.sub(r"<(\w+)>", lambda m: chr(CONTROLS.get(m[1], 0) or int(m[1], 16)), text).encode("latin1")


class Telegram:
    def __init__(self, link):
        self.end = spelled(link.get("frame", {}).get("end", "<CR><LF>"))
        self.asks, self.writes = {}, {}
        for name, telegram in link["telegrams"].items():
            if "send" in telegram:
                self.asks.setdefault(spelled(telegram["send"]), []).append(name)
            if "write" in telegram:
                before, after = re.split(r"\{value(?::\d)?\}", telegram["write"])
                self.writes[name] = spelled(before), spelled(after)

    def unwrap(self, data):
        return (None, data[:-len(self.end)]) if data.endswith(self.end) else None

    def ask(self, request, payload):
        request.what = repr(payload)
        if payload in self.asks:
            request.ranges = self.asks[payload]
            return
        request.refuse(request.what)
        for name, (before, after) in self.writes.items():
            if len(payload) > len(before) + len(after) and payload.startswith(before) and payload.endswith(after):
                request.target = name, None, None
                request.words = payload[len(before):len(payload) - len(after)]

    def answers(self, request, payload):
        return [payload] * len(request.ranges)

    def rejected(self, request, payload):
        return False

    def place(self, row):
        return TelegramPlace(row)


class TelegramPlace(Place):
    def __init__(self, row):
        super().__init__(row)
        name, field = re.fullmatch(r"(\w+)(?: +field +(\d+))?", row["at"].strip()).groups()
        self.name, self.field = name, field and int(field)
        self.target = name, None, None

    def covers(self, station, wanted):
        return wanted == self.name

    def value(self, wanted, data):
        if wanted != self.name:
            return None
        fields = data.split()
        own = data if self.field is None else fields[self.field - 1] if len(fields) >= self.field else b""
        try:
            return self.decode(own)
        except ValueError:
            return None

    def takes(self, request, words):
        if self.is_text:
            return request.words == words[1:1 + words[0]]
        try:
            return float(request.words) == struct.unpack(">d", words)[0]
        except ValueError:
            return False

    def means(self, request):
        return self.decode(request.words)

    def decode(self, own):
        return own.strip().decode("ascii") if self.is_text else self.scaled(float(own))

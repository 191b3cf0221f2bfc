"""Three machines without a standard, as their makers describe them: a voltmeter that speaks SCPI
(TCP and UDP), a scale that speaks SICS and a barcode reader that speaks when it likes (TCP and a
serial line). Prints where they are as JSON, then each request as `NAME REQUEST`. Standard input:
`scan CODE`, `weight STATE VALUE`, `mute NAME`, `hang NAME` (drop the connections)."""
import json
import os
import pty
import socket
import sys
import threading
import tty

lock = threading.Lock()
state = {"volt": 5.0, "set": 0, "text": "ready", "limits": {"03": 20.0, "04": 30.0}, "weight": ("S", 100.0), "mute": set(), "lines": {}, "open": {}}


def say(text):
    with lock:
        print(text, flush=True)


def scpi(request):
    if request == "MEAS:VOLT?":
        return "%+.6E" % state["volt"]
    if request == "*IDN?":
        return "ACME,DM-1,42,1.0"
    if request == "SOUR:VOLT?":
        return "%.3f" % state["volt"]
    if request == "DISP:TEXT?":
        return state["text"]
    if request.startswith("DISP:TEXT "):
        state["text"] = request.split('"')[1]
    if request.startswith("SOUR:VOLT "):
        state["volt"] = float(request.split(" ")[1])
        state["set"] += 1
    return None


def sics(request):
    if request != "SI":
        return "ES"
    word, value = state["weight"]
    return "S %s" % word if word in "+-I" else "S %s %10.2f g" % (word, value)


def scales(request):
    """Two scales on one line, by their addresses; nobody else answers."""
    address, text = request[:2], request[2:]
    if address not in state["limits"]:
        return None
    if text == "SI":
        return "%s S %8.2f kg" % (address, int(address) * 1.5)
    if text == "LIM?":
        return "%s LIM %.1f" % (address, state["limits"][address])
    if text.startswith("LIM "):
        state["limits"][address] = float(text[4:])
        return "%s OK" % address
    return None


def answer(name, talk, request):
    say("%s %s" % (name, request))
    return None if name in state["mute"] else talk(request)


def serve(name, talk, read, write, end):
    left = b""
    while True:
        try:
            piece = read(256)
        except OSError:
            return
        if not piece:
            return
        left += piece
        while end in left:
            line, left = left.split(end, 1)
            reply = answer(name, talk, line.decode("latin1"))
            if reply is not None:
                write(reply.encode("latin1") + end)


def tcp(name, talk, end):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()

    def run():
        while True:
            connection = listener.accept()[0]
            state["open"].setdefault(name, []).append(connection)
            threading.Thread(target=serve, daemon=True,
                             args=(name, talk, connection.recv, connection.sendall, end)).start()
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


def udp(name, talk, end):
    box = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    box.bind(("127.0.0.1", 0))

    def run():
        while True:
            request, peer = box.recvfrom(512)
            reply = answer(name, talk, request.rstrip(end).decode("latin1"))
            if reply is not None:
                box.sendto(reply.encode("latin1") + end, peer)
    threading.Thread(target=run, daemon=True).start()
    return box.getsockname()[1]


def serial(name, talk, end):
    ours, theirs = pty.openpty()
    state["lines"][name] = ours
    tty.setraw(ours)
    tty.setraw(theirs)
    threading.Thread(target=serve, daemon=True,
                     args=(name, talk, lambda n: os.read(ours, n),
                           lambda data: os.write(ours, data), end)).start()
    return os.ttyname(theirs)


def hang(name):
    for connection in state["open"].pop(name, []):
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def main():
    say(json.dumps({
        "scpi": tcp("scpi", scpi, b"\n"), "scpi_udp": udp("scpi_udp", scpi, b"\n"),
        "sics": tcp("sics", sics, b"\r\n"), "sics_serial": serial("sics_serial", sics, b"\r\n"),
        "line": serial("line", scales, b"\r\n"),
        "reader": tcp("reader", lambda request: None, b"\r"),
        "reader_serial": serial("reader_serial", lambda request: None, b"\r"),
    }))
    for line in sys.stdin:
        verb, *words = line.split()
        if verb == "scan":
            for connection in state["open"].get("reader", []):
                connection.sendall(words[0].encode("latin1") + b"\r")
            os.write(state["lines"]["reader_serial"], words[0].encode("latin1") + b"\r")
        elif verb == "weight":
            state["weight"] = (words[0], float(words[1]))
        elif verb == "mute":
            state["mute"].add(words[0])
        elif verb == "hang":
            hang(words[0])


main()

"""A Modbus RTU slave on a pty, written from the standard alone: the independent peer of our master.

Prints the path of the pty. Station 1 answers FC3 with value = address and keeps what FC6 and FC16
write. Reads in these ranges misbehave: 1000 wrong CRC, 1100 half a frame, 1200 garbage only, 1300
another station answers, 1400 the answer comes late, 1500 exception 2, 1600 in pieces with noise
before, 1700 silence. A line with the address of each request is printed."""
import os, struct, sys, time, tty

LATE = float(sys.argv[1]) if len(sys.argv) > 1 else 0.25


def crc(data):
    c = 0xFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = (c >> 1) ^ 0xA001 if c & 1 else c >> 1
    return struct.pack("<H", c)


def frame(data):
    return data + crc(data)


master, slave = os.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
written = {}
buffer = b""
while True:
    buffer += os.read(master, 512)
    while len(buffer) >= 8:
        code = buffer[1]
        size = 8 if code != 16 else 9 + buffer[6]
        if len(buffer) < size:
            break
        request, buffer = buffer[:size], buffer[size:]
        if crc(request[:-2]) != request[-2:]:
            print("bad", flush=True)
            buffer = b""
            break
        station, code, at, count = struct.unpack(">BBHH", request[:6])
        print(code, at, flush=True)
        if station != 1:
            continue
        if code == 6:
            written[at] = count
            os.write(master, request)
            continue
        if code == 16:
            for i in range(count):
                written[at + i] = struct.unpack(">H", request[7 + 2 * i : 9 + 2 * i])[0]
            os.write(master, frame(request[:6]))
            continue
        values = [written.get(at + i, (at + i) & 0xFFFF) for i in range(count)]
        body = struct.pack(">BBB", 1, 3, 2 * count) + struct.pack(">%dH" % count, *values)
        answer = frame(body)
        fault = at - at % 100
        if fault == 1000:
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        elif fault == 1100:
            answer = answer[: len(answer) // 2]
        elif fault == 1200:
            answer = bytes([0xAA, 0x55, 0xFF] * 5)
        elif fault == 1300:
            answer = frame(b"\x02" + body[1:])
        elif fault == 1400:
            time.sleep(LATE)
        elif fault == 1500:
            answer = frame(b"\x01\x83\x02")
        elif fault == 1600:
            os.write(master, b"\xff\x01")
            for i in range(0, len(answer), 3):
                time.sleep(0.005)
                os.write(master, answer[i : i + 3])
            continue
        elif fault == 1700:
            continue
        os.write(master, answer)

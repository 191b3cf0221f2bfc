"""A Logix-like controller that Tagwerk knows nothing of: cpppo's, with its values on request."""
import sys
import threading
import time

from cpppo.server.enip import main as enip

tags = ["Temp=REAL", "Count=INT", "Big=LINT", "Arr=DINT[20]", "Motor.Speed=REAL", "Flag=BOOL",
        "Name=SSTRING", "Line=STRING", "Small=SINT", "Setpoint=REAL", "Level=INT", "Run=BOOL"]
thread = threading.Thread(target=enip.main, daemon=True,
                          args=(["--no-udp", "--no-config", "-a", "127.0.0.1:" + sys.argv[1]] + tags,))
thread.start()
names = [tag.split("=")[0] for tag in tags]
reals = ("Temp", "Motor.Speed", "Setpoint")
while not all(dict.__contains__(enip.tags, name) for name in names):
    time.sleep(0.02)
print("ready", flush=True)
for line in sys.stdin:
    name, _, text = line.strip().partition(" ")
    # Names with a dot are keys as they are.
    attribute = dict.__getitem__(enip.tags, name).attribute
    if name in ("Name", "Line"):
        attribute[0] = text or attribute[0]
    elif text:
        values = [float(v) if name in reals else int(v) for v in text.split(",")]
        attribute[0:len(values)] = values
    # In one piece on a line of its own: the server's thread prints what is written to it.
    sys.stdout.write(f"\n{name} {attribute[0]}\n")
    sys.stdout.flush()

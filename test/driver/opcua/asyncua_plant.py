"""A server of another stack: asyncua_plant.py PORT ITEMS [FOLDER]. All items go up once a second; the
name of a writable one on standard input is answered by its value as JSON. With a folder it has a
certificate, FOLDER/server.der, and secure endpoints too."""
import asyncio
import json
import sys
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from cryptography.x509.oid import ExtendedKeyUsageOID


async def secure(server: Server, folder: Path) -> None:
    key, certificate = folder / "server.pem", folder / "server.der"
    uri = "urn:plant:asyncua:server"
    await setup_self_signed_certificate(key, certificate, uri, "localhost",
                                        [ExtendedKeyUsageOID.SERVER_AUTH],
                                        {"commonName": "asyncua plant"})
    await server.set_application_uri(uri)
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))


async def main(port: int, items: int, folder_of_keys: Path | None) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    policies = [ua.SecurityPolicyType.NoSecurity]
    if folder_of_keys is not None:
        await secure(server, folder_of_keys)
        policies += [ua.SecurityPolicyType.Basic256Sha256_Sign,
                     ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    server.set_security_policy(policies)
    space = await server.register_namespace("urn:plant:asyncua")
    folder = await server.nodes.objects.add_folder(ua.NodeId("Plant", space), "Plant")
    counters = [
        await folder.add_variable(ua.NodeId(f"Counter{i}", space), f"Counter{i}", 0.0)
        for i in range(items)
    ]
    setpoint = await folder.add_variable(ua.NodeId("Setpoint", space), "Setpoint", 20.0)
    await setpoint.set_writable()
    await folder.add_variable(ua.NodeId(7, space), "Name", "Mühle")
    for name, values, kind in (("Profile", [1.5, -2.0, 3.25, 0.0], ua.VariantType.Float),
                               ("Totals", [1, -(2 ** 63), 2 ** 63 - 1], ua.VariantType.Int64),
                               ("Switches", [True, False, True], ua.VariantType.Boolean)):
        await folder.add_variable(ua.NodeId(name, space), name, ua.Variant(values, kind))
    running = await folder.add_variable(ua.NodeId("Running", space), "Running", False)
    recipe = await folder.add_variable(ua.NodeId("Recipe", space), "Recipe", "R-0")
    named = {"setpoint": setpoint, "running": running, "recipe": recipe}
    for node in (running, recipe):
        await node.set_writable()

    async def read_lines() -> None:
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() in named:
                print(json.dumps(await named[line.strip()].read_value()), flush=True)

    async with server:
        print("ready", flush=True)
        lines = asyncio.create_task(read_lines())
        count = 0.0
        while not lines.done():
            await asyncio.sleep(1)
            count += 1
            for counter in counters:
                await server.write_attribute_value(
                    counter.nodeid, ua.DataValue(ua.Variant(count, ua.VariantType.Double)))


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]) if sys.argv[3:] else None))

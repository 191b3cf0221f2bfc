"""A server of another stack: asyncua_plant.py PORT ITEMS. All items go up once a second; The name
of a writable one on standard input is answered by its value as JSON."""
import asyncio
import json
import sys

from asyncua import Server, ua


async def main(port: int, items: int) -> None:
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
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


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))

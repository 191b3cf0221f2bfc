import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CertificatePurpose, createSelfSignedCertificate, generateKeyPair, privateKeyToPEM,
} from "node-opcua-crypto";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { freePort } from "../support/port.ts";
import { Cable, PlantProcess } from "../driver/opcua/process.ts";

/** The compiled binary against node-opcua's server, in another process. */
const items = 100;
const folder = workFolder();
const port = await freePort();
const password = "a-password-of-this-test";
let plant: PlantProcess;
let cable: Cable;
let gateway: RunningGateway;
let file: string;

const counters = Object.fromEntries(Array.from({ length: items }, (_, i) =>
  [`c${i}`, { at: `ns=1;s=Counter${i}`, type: "float64", group: "fast" }]));

function config(security: string, at: number, more: object = {}): object {
  return {
    gateway: { id: "ua" },
    policy: Object.fromEntries(["plant.setpoint", "plant.limit"].map((tag) =>
      [tag, { allow: ["cli"], maxMode: "armed", min: 0, max: 100, minInterval: "10ms" }])),
    links: { ua: { type: "opcua", host: "127.0.0.1", port: at, security, timeout: "2s",
      user: "operator", password: "file:password", groups: { slow: { read: "poll" } } } },
    devices: { plant: { link: "ua", groups: { fast: "250ms", slow: "500ms", kept: "250ms" },
      tags: {
      archived: { at: "ns=1;s=Archived", type: "float64", group: "kept" },
      ...counters,
      level: { at: "ns=1;s=Level", type: "float32", scale: 2, offset: 1, group: "fast" },
      count: { at: "nsu=urn:NodeOPCUA-Server-default;s=Nobody", type: "int64", group: "fast" },
      wide: { at: "ns=1;s=Count", type: "int64", group: "slow" },
      name: { at: "ns=1;s=Name", type: "text(16)", group: "slow" },
      running: { at: "ns=1;s=Running", type: "bool", group: "fast" },
      began: { at: "ns=1;s=Began", type: "time", group: "slow" },
      curve: { at: "ns=1;s=Curve", type: "json(64)", group: "fast" },
      points: { at: "ns=1;s=Curve", type: "float64[3]", scale: 2, group: "fast" },
      ends: { at: "ns=1;s=Curve range 1:2", type: "float32[2]", group: "fast" },
      second: { at: "ns=1;s=Curve range 1", type: "float64", group: "fast" },
      none: { at: "ns=1;s=Nothing", type: "float64", group: "fast" },
      wrong: { at: "ns=1;s=Name", type: "float64", group: "slow" },
      setpoint: { at: "ns=1;s=Setpoint", type: "float64", group: "fast", access: "read-write" },
      limit: { at: "ns=1;s=Limit call ns=1;s=Tank ns=1;s=Tank.SetLimit", type: "float64",
        group: "fast", access: "read-write" },
    } } },
    rules: {
      missed: { sql: "SELECT archived, acc_count(archived) AS n FROM plant.kept.history" },
      sum: { sql: `SELECT c0 + c${items - 1} AS s FROM plant.fast` },
      jumps: { sql: "SELECT count(*) AS n FROM " +
        "(SELECT c0 - lag(c0) AS step FROM plant.fast) AS steps WHERE step < 0 OR step > 1" },
    },
    api: { listen: "127.0.0.1:0" },
    ...more,
  };
}

async function quality(tag: string): Promise<{ value: unknown; quality: string }> {
  return (await gateway.get(`/tags/${tag}`)).body;
}

const values = (writes: string): number[] => JSON.parse(writes) as number[];

/** A user who has a certificate in the place of a name; one that the server knows, or not. */
async function writeUser(name: string): Promise<string> {
  const { privateKey } = await generateKeyPair(2048);
  const { der, cert } = await createSelfSignedCertificate({ privateKey, subject: `/CN=${name}`,
    purpose: CertificatePurpose.ForUserAuthentication, validity: 30 });
  folder.write(`${name}.pem`, cert);
  folder.write(`${name}.key`, (await privateKeyToPEM(privateKey)).privPem);
  const path = join(folder.path, `${name}.der`);
  writeFileSync(path, Buffer.from(der.rawData));
  return path;
}

beforeAll(async () => {
  const known = await writeUser("known");
  await writeUser("unknown");
  plant = await PlantProcess.start(port, String(items), "operator", password, known);
  cable = new Cable(port);
  folder.write("password", password);
  file = folder.write("gateway.json", config("Aes256_Sha256_RsaPss", cable.port));
  gateway = await RunningGateway.start(file, join(folder.path, "store"));
}, 120_000);

afterAll(async () => {
  await gateway?.stop();
  await plant?.stop();
  cable?.stop();
  folder.remove();
});

const link = async (): Promise<{ state: string; reason: string; opens: number }> =>
  (await gateway.get("/links")).body[0];

test("an unknown certificate is refused, with the command that trusts it", async () => {
  const refused = await until("the refusal", async () =>
    /tagwerk trust ua [0-9a-f]{64}/.exec((await link()).reason));
  expect((await link()).state).not.toBe("open");
  expect((await quality("plant.c0")).quality).toStartWith("bad:");
  const [, , name, fingerprint] = refused[0].split(" ");
  const wrong = await gateway.cli("trust", name!, "0123456789");
  expect(wrong.code).toBe(1);
  expect(wrong.output).toContain(`refused were ${fingerprint}`);
  const told = await gateway.cli("trust", name!, fingerprint!);
  expect(told.output).toContain("trusted for ua");
  await until("the link is open", async () => (await link()).state === "open", 60_000);
}, 120_000);

test("a scan shows the ways into the server, and whose they are", async () => {
  const { code, output } = await gateway.cli("scan", "ua", "-c", file);
  expect(code).toBe(0);
  expect(output).toMatch(/^opc\.tcp:\/\/.*\n {2}application "NodeOPCUA/m);
  expect(output).toMatch(/certificate .*CN=.*, SHA-256 [0-9a-f]{64}$/m);
  expect(output).toMatch(
    /"security": "Aes256_Sha256_RsaPss", "mode": "sign-and-encrypt": .*user and password/);
  expect(output).toContain('  "security": "None": ');
  const wrong = await gateway.cli("scan", "ua", "-c", file, "--stations", "1");
  expect([wrong.code, wrong.output]).toEqual([2, expect.stringContaining("--stations is for")]);
}, 120_000);

test("values of all types come, each with its quality", async () => {
  await plant.ask("count 250");
  await until("rows of the rule", async () =>
    (await gateway.get("/streams/sum/latest")).body?.values?.s >= 4);
  expect(await quality("plant.level")).toMatchObject({ value: 26, quality: "good" });
  expect(await quality("plant.name")).toMatchObject({ value: "Mühle", quality: "good" });
  expect(await quality("plant.running")).toMatchObject({ value: true, quality: "good" });
  expect(await quality("plant.second")).toMatchObject({ value: 2, quality: "good" });
  expect((await quality("plant.none")).quality).toBe("bad:address");
  expect((await quality("plant.count")).quality).toBe("bad:address");
  expect((await quality("plant.wrong")).quality).toBe("error:type");
  expect((await gateway.get("/tags/plant.wrong/why")).body.reason).toBe("the poll gave " +
    "error:type: the node has another type than the tag: tagwerk browse ua shows it");
  expect(String((await quality("plant.wide")).value)).toBe(String(2 ** 32 + 2));
  expect(JSON.parse(String((await quality("plant.curve")).value))).toEqual([1, 2, 3]);
  expect(await quality("plant.points")).toMatchObject({ value: [2, 4, 6], quality: "good" });
  expect(await quality("plant.ends")).toMatchObject({ value: [2, 3], quality: "good" });
  await plant.ask("bad Level");
  await until("the sensor is bad", async () =>
    (await quality("plant.level")).quality === "bad:source");
  await plant.ask("set Level 4");
  await until("it is good again", async () =>
    (await quality("plant.level")).value === 9);
}, 120_000);

test("a disabled device is asked nothing, and is watched again when it is enabled", async () => {
  const asked = async (): Promise<number> =>
    (await gateway.get("/links")).body[0].counters.requests;
  /** ms until it has been asked `more` times. */
  const askedAgain = async (more: number): Promise<number> => {
    const [before, began] = [await asked(), performance.now()];
    await until(`${more} requests`, async () => await asked() >= before + more, 60_000);
    return performance.now() - began;
  };
  const took_ms = await askedAgain(24);
  expect((await gateway.cli("disable", "plant", "--by", "anna")).code).toBe(0);
  await until("it is disabled", async () =>
    (await quality("plant.c0")).quality === "bad:disabled");
  // What was under way when it was disabled.
  await Bun.sleep(500);
  const before = await asked();
  await Bun.sleep(took_ms);
  // The session itself is kept alive.
  expect(await asked() - before).toBeLessThan(3);
  expect((await link()).state).toBe("open");
  expect((await gateway.cli("enable", "plant", "--by", "anna")).code).toBe(0);
  await until("values again", async () => (await quality("plant.c0")).quality === "good" &&
    (await quality("plant.name")).value === "Mühle");
  await askedAgain(24);
}, 120_000);

test("a setpoint is written once and read back; a method too", async () => {
  await gateway.arm("plant.setpoint");
  await gateway.arm("plant.limit");
  const written = await gateway.cli("write", "plant.setpoint", "42");
  expect(written.output).toContain("verified");
  expect(values(await plant.ask("writes")).filter((value) => value === 42)).toEqual([42]);
  expect((await gateway.cli("write", "plant.limit", "7")).output).toContain("verified");
  expect(await plant.ask("get Limit")).toBe("7");
  // Rows that came since may have the value of before: nobody else has written.
  await until("the row has it", async () => (await quality("plant.limit")).value === 7);
  expect(gateway.program.output).not.toContain("external-change");
}, 120_000);

test("W14: a write into a dead cable is unknown, and nothing of it arrives later", async () => {
  const before = await plant.ask("writes");
  // The read for the command passes, and the cable dies with the frame on it.
  cable.cutAfter(1);
  const { output } = await gateway.cli("write", "plant.setpoint", "66", "--within", "1500ms");
  expect(output).toContain("unknown");
  expect(cable.cut).toBe(true);
  cable.mend();
  await until("the link is open again", async () => (await link()).state === "open", 60_000);
  await until("values are good again", async () =>
    (await quality("plant.c0")).quality === "good", 60_000);
  expect(await plant.ask("writes")).toBe(before);
}, 120_000);

test("W14: the server dies, comes back, and gets no write of before; rows go on", async () => {
  await plant.stop();
  await until("the loss is seen", async () =>
    (await quality("plant.c0")).quality === "bad:disconnected", 60_000);
  const { output } = await gateway.cli("write", "plant.setpoint", "77", "--within", "1s");
  expect(output).toContain("refused");
  plant = await PlantProcess.start(port, String(items), "operator", password);
  await plant.ask("count 250");
  await until("it is found again", async () =>
    (await quality("plant.c0")).quality === "good", 60_000);
  await until("and counts", async () => Number((await quality("plant.c0")).value) > 4, 60_000);
  expect(values(await plant.ask("writes"))).not.toContain(77);
}, 120_000);

test("what the server kept while it had forgotten us comes as history, flagged", async () => {
  const newest = async (): Promise<{ flags: string[]; values: { archived: number; n: number } }> =>
    (await gateway.get("/streams/missed/latest")).body;
  const before = (await newest())?.values.n ?? 0;
  const row = await until("history", async () => {
    // Nothing is missed where it is back before the next value: then once more.
    await plant.ask("forget");
    await Bun.sleep(2000);
    const found = await newest();
    return found !== null && found.values.n > before && found;
  }, 60_000);
  expect(row.flags).toContain("backfill");
  await until("live rows go on", async () =>
    (await quality("plant.archived")).quality === "good", 60_000);
}, 120_000);

test("a wrong password, no user, and a policy that the server lacks: each says what to try",
  async () => {
    const own = workFolder({ secret: "not-the-password" });
    const wrong = {
      password: [{ security: "None", user: "operator", password: "file:secret" },
        /refuses the user operator: check name and password/],
      anonymous: [{ security: "None" }, /takes no anonymous users: give `user` and `password`/],
      policy: [{ security: "Basic128Rsa15", user: "operator", password: "file:secret" },
        /no endpoint with security Basic128Rsa15, mode sign-and-encrypt: choose one that it has/],
    } as const;
    const cables = Object.keys(wrong).map(() => new Cable(port));
    const links = Object.fromEntries(Object.entries(wrong).map(([name, [settings]], i) =>
      [name, { type: "opcua", host: "127.0.0.1", port: cables[i]!.port, ...settings }]));
    const other = await RunningGateway.start(own.write("gateway.json", {
      gateway: { id: "wrong" }, rules: {}, links, api: { listen: "127.0.0.1:0" },
      devices: Object.fromEntries(Object.keys(wrong).map((name) => [`d-${name}`, { link: name,
        groups: { fast: "1s" }, tags: { v: { at: "ns=1;s=Level", type: "float32" } } }])),
    }), join(own.path, "store"));
    try {
      for (const [name, [, says]] of Object.entries(wrong)) {
        let reason = "";
        await until(`${name} says ${says}`, async () => {
          ({ reason } = (await other.get(`/tags/d-${name}.v/why`)).body);
          return says.test(reason);
        }, 60_000).catch((thrown: unknown) => {
          throw new Error(`${thrown}, but ${reason}`);
        });
      }
    } finally {
      await other.stop();
      for (const cable of cables) cable.stop();
      own.remove();
    }
  }, 120_000);

test("a user may have a certificate in the place of a name, one that the server trusts",
  async () => {
    const cables = [new Cable(port), new Cable(port)];
    const [known, unknown] = ["known", "unknown"].map((name, i) => ({ type: "opcua",
      host: "127.0.0.1", port: cables[i]!.port, security: "None",
      userCertificate: `file:${name}.pem`, userKey: `file:${name}.key` }));
    const level = { groups: { fast: "500ms" },
      tags: { level: { at: "ns=1;s=Level", type: "float32" } } };
    const other = await RunningGateway.start(folder.write("users.json", {
      gateway: { id: "users" }, links: { known, unknown }, rules: {},
      devices: { a: { link: "known", ...level }, b: { link: "unknown", ...level } },
      api: { listen: "127.0.0.1:0" },
    }), join(folder.path, "users"));
    try {
      await until("values for the known user", async () =>
        (await other.get("/tags/a.level")).body.quality === "good", 60_000);
      await until("the other is told", async () => (await other.get("/links")).body
        .some(({ reason }: { reason: string }) => reason.includes("no user with this certificate")),
      60_000);
      expect((await other.get("/tags/b.level")).body.quality).toBe("bad:disconnected");
    } finally {
      await other.stop();
      for (const cable of cables) cable.stop();
    }
  }, 120_000);

test("browse shows what can be a tag", async () => {
  const { code, output } = await gateway.cli("browse", "ua", "ns=1;s=Plant", "--csv", "-c",
    join(folder.path, "gateway.json"));
  expect(code).toBe(0);
  const lines = output.trim().split("\n");
  expect(lines[0]).toBe("name,at,type");
  expect(lines).toContain(`Level,"ns=1;s=Level",float32`);
  expect(lines).toContain(`Curve,"ns=1;s=Curve",float64[3]`);
  expect(lines).toContain(`Steps,"ns=1;s=Steps",json(1024)`);
  expect(lines.length).toBeGreaterThan(items);
}, 120_000);

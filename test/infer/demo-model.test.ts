import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { law, makeModel, makeWeights, type Inputs } from "../../examples/demo/make-model.ts";
import { createRandom } from "../../src/base.ts";
import { loadOnnx, type Model } from "../../src/infer.ts";
import { prepareWasm } from "../../src/infer/prepare.ts";

const file = Bun.fileURLToPath(new URL("../../examples/demo/models/hold.onnx", import.meta.url));
let model: Model;

beforeAll(async () => {
  await prepareWasm();
  const bytes = await Bun.file(file).bytes();
  model = await loadOnnx({ name: "hold", file: bytes, memory: 32 << 20, deadline: 1000 });
}, 60_000);
afterAll(() => model.close());

const weights = makeWeights();

/** The same network in double precision, written without the file. */
function forward(inputs: Inputs): number {
  let sum = weights.b2[0]!;
  for (let h = 0; h < weights.b1.length; h++) {
    let unit = weights.b1[h]!;
    for (let i = 0; i < 3; i++) unit += weights.w1[h * 3 + i]! * inputs[i]!;
    sum += weights.w2[h]! * Math.max(0, unit);
  }
  return Math.min(100, Math.max(0, sum));
}

function infer(inputs: Inputs): number {
  model.arguments.set(inputs);
  expect(model.run()).toBe(true);
  return model.results[0]!;
}

const random = createRandom(1);
const samples = Array.from({ length: 500 }, (_, i): Inputs => {
  const target = 30 + 60 * random.next();
  return [target + (i % 2 === 0 ? 4 : 80) * (random.next() - 0.5), target, 5 + 30 * random.next()];
});

test("the committed file is what the script makes", async () => {
  expect(makeModel(weights)).toEqual(Buffer.from(await Bun.file(file).bytes()));
});

test("the engine computes what the weights say", () => {
  for (const inputs of samples) {
    expect(Math.abs(infer(inputs) - forward(inputs))).toBeLessThan(1e-3);
  }
});

test("near the target it does what the law says", () => {
  for (const inputs of samples) {
    const near = Math.abs(inputs[0] - inputs[1]) < 2;
    expect(Math.abs(infer(inputs) - law(inputs))).toBeLessThan(near ? 4 : 8);
  }
});

const python = process.env["ONNX_PYTHON"] ?? "python3";
const known = Bun.spawnSync([python, "-c", "import onnxruntime, numpy"]).exitCode === 0;

test.skipIf(!known)("Python's onnxruntime computes the same", () => {
  const script = "import sys, json, numpy, onnxruntime as o\n" +
    "s = o.InferenceSession(sys.argv[1])\n" +
    "x = numpy.array(json.load(sys.stdin), dtype=numpy.float32)\n" +
    "print(json.dumps(s.run(None, {'input': x})[0][:, 0].tolist()))";
  const peer = Bun.spawnSync([python, "-c", script, file],
    { stdin: Buffer.from(JSON.stringify(samples)) });
  const theirs = JSON.parse(peer.stdout.toString()) as number[];
  samples.forEach((inputs, i) => expect(Math.abs(infer(inputs) - theirs[i]!)).toBeLessThan(1e-3));
});

describe("closed loop: dT/dt = (gain × valve − loss × (T − ambient)) / tau, at 100 ms", () => {
  const step_s = 0.1;
  // An open door costs half as much again as the walls do.
  const open_loss = 1.5;
  const cases = [
    { tau: 10, gain: 1, noise: 0.1 }, { tau: 20, gain: 1, noise: 0.1 },
    { tau: 20, gain: 1.2, noise: 0.05 }, { tau: 60, gain: 1, noise: 0.1 },
  ];
  test.each(cases)("%o holds 60 °C within 1 °C through an opened door", ({ tau, gain, noise }) => {
    const noises = createRandom(3);
    let temperature = 57;
    let valve = 0;
    let worst = 0;
    for (let t = 0; t < 120; t += step_s) {
      const loss = t > 60 && t < 90 ? open_loss : 1;
      temperature += step_s * (gain * valve - loss * (temperature - 20)) / tau;
      // One sample of delay between reading and writing.
      valve = infer([temperature + noise * 2 * (noises.next() - 0.5), 60, 20]);
      if (t > 40) worst = Math.max(worst, Math.abs(temperature - 60));
    }
    expect(worst).toBeLessThan(0.9);
  });
});

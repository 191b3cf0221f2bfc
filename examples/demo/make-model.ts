/**
 * Makes the demo's model, `models/hold.onnx`: the valve position that holds a heated vessel at its
 * target temperature.
 *
 *     bun examples/demo/make-model.ts
 *
 * A network 3-16-1 learns, by plain gradient descent from a fixed seed, what an experienced
 * operator would do: feed forward what the vessel loses at the target, and lean hard against the
 * difference. Only + − × ÷ and comparisons are used, which every machine rounds alike, so that the
 * file comes out the same to the byte everywhere.
 */
import { createRandom, type Random } from "../../src/base.ts";
import { encodeModel } from "./onnx.ts";

/** °C, °C, °C */
export type Inputs = readonly [temperature: number, target: number, ambient: number];

/**
 * The vessel: 100 % of valve would heat it 100 °C above ambient (`dT/dt = (heater_gain × valve −
 * (T − ambient)) / tau`, heater_gain = 1 °C/%). The gain is what keeps the loop within ±1 °C: an
 * open door that costs 20 % of valve moves the temperature by 20 / 40 = 0.5 °C.
 */
const heater_gain = 1;
const gain_percent_per_degree = 40;

/** What the network imitates, in percent of valve. */
export function law([temperature, target, ambient]: Inputs): number {
  const forward = (target - ambient) / heater_gain;
  const valve = forward + gain_percent_per_degree * (target - temperature);
  return Math.min(100, Math.max(0, valve));
}

const hidden = 16;
const inputs = 3;

/** Features: the difference in units of 2.5 °C, and the feed-forward; both about −1 … 1. */
const features: { readonly weights: readonly number[][]; readonly bias: readonly number[] } = {
  // Row by row: what each feature takes of temperature, target, ambient.
  weights: [[-0.4, 0.4, 0], [0, 0.02, -0.02], [0, 0.02, 0]],
  bias: [0, -0.9, -1.2],
};

interface Network {
  /** [hidden][3] */
  readonly w1: Float64Array;
  readonly b1: Float64Array;
  readonly w2: Float64Array;
  readonly b2: Float64Array;
}

const sample_count = 4096;
const batch = 64;
const epochs = 300;
const rate_first = 0.05;
const momentum = 0.9;

/** Half of the samples near the target, where precision counts, the rest anywhere. */
function sample(random: Random): Inputs {
  const target = 30 + 60 * random.next();
  const ambient = 5 + 30 * random.next();
  const spread = random.chance(0.5) ? 6 : 100;
  return [target + spread * (random.next() - 0.5), target, ambient];
}

function feature(x: Inputs, i: number): number {
  const [a, b, c] = features.weights[i]!;
  return features.bias[i]! + a! * x[0] + b! * x[1] + c! * x[2];
}

function train(seed: number): Network {
  const random = createRandom(seed);
  const start = (n: number, size: number): Float64Array =>
    Float64Array.from({ length: n }, () => (2 * random.next() - 1) * size);
  const network: Network = {
    w1: start(hidden * inputs, 1), b1: start(hidden, 1), w2: start(hidden, 0.25), b2: start(1, 0),
  };
  const velocity: Network = {
    w1: new Float64Array(hidden * inputs), b1: new Float64Array(hidden),
    w2: new Float64Array(hidden), b2: new Float64Array(1),
  };
  const samples = Array.from({ length: sample_count }, () => sample(random));
  const x = samples.map((s) => [feature(s, 0), feature(s, 1), feature(s, 2)]);
  const y = samples.map((s) => law(s) / 100);
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = rate_first / (1 + epoch / 20);
    for (let from = 0; from < sample_count; from += batch) {
      const slope = slopes(network, x, y, from);
      for (const key of ["w1", "b1", "w2", "b2"] as const) {
        for (let i = 0; i < network[key].length; i++) {
          velocity[key][i] = momentum * velocity[key][i]! - rate * slope[key][i]! / batch;
          network[key][i]! += velocity[key][i]!;
        }
      }
    }
  }
  return network;
}

/** Of half the squared error over one batch, by back-propagation. */
function slopes(net: Network, x: number[][], y: number[], from: number): Network {
  const slope: Network = {
    w1: new Float64Array(hidden * inputs), b1: new Float64Array(hidden),
    w2: new Float64Array(hidden), b2: new Float64Array(1),
  };
  const active = new Float64Array(hidden);
  for (let s = from; s < from + batch; s++) {
    let out = net.b2[0]!;
    for (let h = 0; h < hidden; h++) {
      active[h] = Math.max(0, unit(net, x[s]!, h));
      out += net.w2[h]! * active[h]!;
    }
    // The last step clips to 0 … 1: outside, only an error on the inner side teaches.
    const error = out > 1 && y[s]! === 1 || out < 0 && y[s]! === 0 ? 0 : out - y[s]!;
    slope.b2[0]! += error;
    for (let h = 0; h < hidden; h++) {
      slope.w2[h]! += error * active[h]!;
      if (active[h] === 0) continue;
      const back = error * net.w2[h]!;
      slope.b1[h]! += back;
      for (let i = 0; i < inputs; i++) slope.w1[h * inputs + i]! += back * x[s]![i]!;
    }
  }
  return slope;
}

function unit(net: Network, x: ArrayLike<number>, h: number): number {
  let sum = net.b1[h]!;
  for (let i = 0; i < inputs; i++) sum += net.w1[h * inputs + i]! * x[i]!;
  return sum;
}

/** The weights as the file holds them: float32, the features folded into the first layer. */
export interface Weights {
  /** [hidden][3], row by row */
  readonly w1: Float32Array;
  readonly b1: Float32Array;
  /** In percent of valve. */
  readonly w2: Float32Array;
  readonly b2: Float32Array;
}

export function makeWeights(): Weights {
  const net = train(7);
  const w1 = new Float32Array(hidden * inputs);
  const b1 = new Float32Array(hidden);
  for (let h = 0; h < hidden; h++) {
    b1[h] = unit(net, features.bias, h);
    for (let j = 0; j < inputs; j++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) {
        sum += net.w1[h * inputs + i]! * features.weights[i]![j]!;
      }
      w1[h * inputs + j] = sum;
    }
  }
  return {
    w1, b1, w2: Float32Array.from(net.w2, (w) => w * 100), b2: Float32Array.of(net.b2[0]! * 100),
  };
}

export function makeModel({ w1, b1, w2, b2 }: Weights): Uint8Array {
  return encodeModel({
    name: "hold",
    doc: "Valve position (%) that holds a heated vessel: temperature, target, ambient (degC)",
    nodes: [
      { op: "Gemm", from: ["input", "w1", "b1"], to: ["sum"], attributes: { transB: 1 } },
      { op: "Relu", from: ["sum"], to: ["active"] },
      { op: "Gemm", from: ["active", "w2", "b2"], to: ["percent"], attributes: { transB: 1 } },
      { op: "Clip", from: ["percent", "closed", "open"], to: ["valve"] },
    ],
    inputs: [{ name: "input", shape: ["batch", inputs] }],
    outputs: [{ name: "valve", shape: ["batch", 1] }],
    constants: [
      { name: "w1", shape: [hidden, inputs], values: w1 },
      { name: "b1", shape: [hidden], values: b1 },
      { name: "w2", shape: [1, hidden], values: w2 },
      { name: "b2", shape: [1], values: b2 },
      { name: "closed", shape: [], values: [0] }, { name: "open", shape: [], values: [100] },
    ],
  });
}

if (import.meta.main) {
  await Bun.write(new URL("./models/hold.onnx", import.meta.url), makeModel(makeWeights()));
}

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Fault } from "../../src/base.ts";
import { loadOnnx, type Model, type ModelSettings } from "../../src/infer.ts";
import { createEngine } from "../../src/infer/engine.ts";
import { prepareWasm } from "../../src/infer/prepare.ts";
import { models } from "./models.ts";

beforeAll(prepareWasm, 60_000);

const open: Model[] = [];
afterAll(() => open.forEach((model) => model.close()));

async function load(file: Uint8Array, more: Partial<ModelSettings> = {}): Promise<Model> {
  const model = await loadOnnx({ name: "m", file, memory: 32 << 20, deadline: 1000, ...more });
  open.push(model);
  return model;
}

async function refusal(file: Uint8Array, more: Partial<ModelSettings> = {}): Promise<Fault> {
  try {
    await load(file, more);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error("the model was loaded");
}

function run(model: Model, ...values: number[]): number[] | null {
  model.arguments.set(values);
  return model.run() ? [...model.results] : null;
}

describe("types", () => {
  test("float32 rounds to its own precision", async () => {
    const model = await load(models.identity(1));
    expect(model.inputs).toEqual([{ name: "x", type: "float32", shape: [1, 2] }]);
    expect(run(model, 0.1, -2)).toEqual([Math.fround(0.1), -2]);
  });

  test("float64 is exact", async () => {
    expect(run(await load(models.identity(11)), 0.1, 1e300)).toEqual([0.1, 1e300]);
  });

  test("int32 takes whole numbers of 32 bits only", async () => {
    const model = await load(models.identity(6));
    expect(run(model, -(2 ** 31), 2 ** 31 - 1)).toEqual([-(2 ** 31), 2 ** 31 - 1]);
    expect(run(model, 0.5, 0)).toBeNull();
    expect(run(model, 2 ** 31, 0)).toBeNull();
    expect(run(model, NaN, 0)).toBeNull();
  });

  test("int64 is exact up to 2^53 in both signs", async () => {
    const model = await load(models.identity(7));
    for (const value of [0, -1, 2 ** 32, -(2 ** 32) - 1, 2 ** 53 - 1, -(2 ** 53) + 1]) {
      expect(run(model, value, -value)).toEqual([value, 0 - value]);
    }
    expect(run(model, 2 ** 53, 0)).toBeNull();
  });

  test("bool is 0 or 1", async () => {
    const model = await load(models.identity(9));
    expect(run(model, 1, 0)).toEqual([1, 0]);
    expect(run(model, 2, 0)).toBeNull();
  });

  test("a type that cannot be used is refused by name", async () => {
    const fault = await refusal(models.identity(8));
    expect(fault.code).toBe("model-type");
    expect(fault.message).toContain('"x"');
  });
});

describe("shapes", () => {
  test("several ports are flattened in the model's order", async () => {
    const model = await load(models.twoByTwo());
    expect(model.outputs.map((port) => port.name)).toEqual(["sum", "difference"]);
    expect(run(model, 10, 20, 1, 2)).toEqual([11, 22, 9, 18]);
  });

  test("a free first dimension is a batch of one", async () => {
    const model = await load(models.identity(1, ["batch", 3]));
    expect(model.inputs[0]!.shape).toEqual([-1, 3]);
    expect(run(model, 1, 2, 3)).toEqual([1, 2, 3]);
  });

  test("any other free dimension is refused", async () => {
    const fault = await refusal(models.identity(1, [1, "length"]));
    expect(fault.code).toBe("model-shape");
    expect(fault.message).toContain("[1, ?]");
  });

  test("an output of another shape than declared is refused at load", async () => {
    expect((await refusal(models.wrongShape())).code).toBe("model-failed");
  });
});

describe("what is refused", () => {
  test("bytes that are no model", async () => {
    const fault = await refusal(new TextEncoder().encode("this is not a model at all"));
    expect(fault.code).toBe("model-invalid");
    expect(fault.message).toStartWith("Model m cannot be loaded: ");
  });

  test("an empty file", async () => {
    expect((await refusal(new Uint8Array(0))).code).toBe("model-invalid");
  });

  test("an unknown operator, by its name", async () => {
    const fault = await refusal(models.unknownOperator());
    expect(fault.code).toBe("model-invalid");
    expect(fault.message).toContain("Flurbish");
  });

  test("less memory than the engine needs", async () => {
    expect((await refusal(models.identity(1), { memory: 8 << 20 })).code).toBe("model-memory");
  });

  test("a file over its cap", async () => {
    const fault = await refusal(models.large(24), { memory: 32 << 20 });
    expect(fault.code).toBe("model-memory");
    expect(fault.message).toContain("32 MB");
  });

  test("a model that outgrows its cap when it runs; the same with more memory runs", async () => {
    expect((await refusal(models.greedy(16), { memory: 20 << 20 })).code).toBe("model-memory");
    expect(run(await load(models.greedy(16), { memory: 64 << 20 }), 5)).toEqual([5]);
  });

  test("a model over its deadline, with both times in the sentence", async () => {
    const fault = await refusal(models.slow(4), { deadline: 0.01, memory: 64 << 20 });
    expect(fault.code).toBe("model-too-slow");
    expect(fault.message).toContain("0.01ms");
    expect(fault.values["probe"]).toBeGreaterThan(0.01);
  });
});

describe("runs", () => {
  test("results that are not finite fail the run, and only that run", async () => {
    const model = await load(models.logarithm());
    expect(run(model, -1)).toBeNull();
    expect(run(model, 0)).toBeNull();
    expect(run(model, 1)).toEqual([0]);
  });

  test("models do not touch each other; a closed one only fails", async () => {
    const [a, b] = await Promise.all([load(models.identity(1)), load(models.logarithm())]);
    expect(run(b, -1)).toBeNull();
    expect(run(a, 3, 4)).toEqual([3, 4]);
    b.close();
    expect(b.run()).toBe(false);
    b.close();
    expect(run(a, 5, 6)).toEqual([5, 6]);
  });

  test("loading leaves the globals as they were, also when many load at once", async () => {
    const { Worker } = globalThis;
    const { Memory } = WebAssembly;
    const loads = [load(models.identity(1)), load(models.identity(7)), refusal(new Uint8Array(9))];
    await Promise.all(loads);
    expect(globalThis.Worker).toBe(Worker);
    expect(WebAssembly.Memory).toBe(Memory);
  });

  test("an engine's heap goes with its last reference", async () => {
    const alive = new Set<number>();
    const gone = new FinalizationRegistry<number>((i) => alive.delete(i));
    for (let i = 0; i < 6; i++) {
      alive.add(i);
      gone.register((await createEngine(512)).memory, i);
    }
    for (let i = 0; i < 20 && alive.size > 1; i++) {
      Bun.gc(true);
      await Bun.sleep(10);
    }
    // The collector may still see the newest on the stack.
    expect(alive.size).toBeLessThanOrEqual(1);
  });
});

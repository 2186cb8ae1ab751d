import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTrainingSession, PreTrainedModel } from "graft-peft";
import { expect, it, onTestFinished } from "vitest";
import { matMul, type Tensor, tanh } from "#graft/graph/index";
import { resolveModelFolder } from "#graft/hub/model-folder";
import { withLoss } from "#graft/models/heads/head";
import { tokenClassification } from "#graft/models/heads/token-classification";
import { type ModelConfig, Network, type NetworkInputs } from "#graft/models/index";
import { loadWeights } from "#graft/models/loading";
import { emptyReport } from "#graft/models/loading-report";
import { Embedding, Linear, Module, type Parameter, type Trace } from "#graft/nn/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import type { TensorData } from "#graft/tensor-data";
import { maxDifference } from "../models/golden.js";

const goldenPath = fileURLToPath(new URL("../golden/nn/tied.safetensors", import.meta.url));
const golden = await readAllTensors(await openSafetensors(goldenPath));
const [words, size] = [11, 6];

const config = {
  raw: { model_type: "tied" },
  modelType: "tied",
  numLabels: words,
  hiddenSize: size,
  id2label: Object.fromEntries(Array.from({ length: words }, (_, id) => [id, `LABEL_${id}`])),
  label2id: Object.fromEntries(Array.from({ length: words }, (_, id) => [`LABEL_${id}`, id])),
  problemType: null,
} as unknown as ModelConfig;

/** Reads a table that another module owns. */
class Projection extends Module {
  constructor(private readonly table: Parameter) {
    super();
    this.tie("weight", table);
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => matMul(x, trace.parameter(this.table), { transposeB: true }));
  }
}

/** logits = tanh(E[ids] W^T + b) E^T */
class TiedNetwork extends Network {
  readonly config = config;
  readonly className = "TiedNetwork";
  readonly inputs = { inputIds: { dtype: "int32", shape: ["batch", "sequence"], required: true } } as const;
  readonly head = tokenClassification(config);
  private readonly embeddings = this.child("embeddings", new Embedding(words, size));
  private readonly dense = this.child("dense", new Linear(size, size));
  private readonly decoder = this.child("decoder", new Projection(this.embeddings.weight));

  constructor() {
    super();
    this.assignNames();
  }

  override get layers() {
    return [];
  }

  override siteSignature(): string {
    return "";
  }

  forward(trace: Trace, inputs: NetworkInputs) {
    const hidden = tanh(this.dense.forward(trace, this.embeddings.forward(trace, inputs.inputIds as Tensor)));
    return withLoss(this.head, { logits: this.decoder.forward(trace, hidden) }, inputs);
  }

  override get virtualTokens(): number {
    return 0;
  }
}

const goldenNames = { "embeddings.weight": "table", "dense.weight": "weight", "dense.bias": "bias" } as const;
const inputs = { inputIds: golden.get("ids")!, labels: golden.get("labels")! };

function tiedModel(): PreTrainedModel {
  const model = new PreTrainedModel(new TiedNetwork(), emptyReport, { threads: 1 });
  onTestFinished(() => model.dispose());
  return model;
}

function goldenModel(): PreTrainedModel {
  const model = tiedModel();
  for (const [name, parameter] of model.namedParameters()) {
    parameter.setData(golden.get(goldenNames[name as keyof typeof goldenNames]) as TensorData<"float32">);
  }
  return model;
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "graft-tied-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

it("a tied parameter exists, counts and is saved once", async () => {
  const model = goldenModel();
  expect(model.namedParameters().map(([name]) => name)).toEqual(Object.keys(goldenNames));
  expect(model.numParameters()).toBe(words * size + size * size + size);
  const folder = await temporaryFolder();
  await model.savePretrained(folder);
  const { entries } = await openSafetensors(join(folder, "model.safetensors"));
  expect([...entries.keys()].sort()).toEqual(Object.keys(goldenNames).sort());
});

it("logits, gradients and three updates are PyTorch's", async () => {
  const model = goldenModel();
  const { logits, loss } = await model(inputs);
  expect(maxDifference(logits!, golden.get("logits"))).toBeLessThan(1e-6);
  expect(loss).toBeCloseTo(Number(golden.get("loss")!.data[0]), 6);
  const session = createTrainingSession(model, { optimizer: "sgd" });
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) {
    losses.push((await session.forwardBackward(inputs)).loss);
    if (step === 0) {
      const gradients = await session.gradients();
      expect(Object.keys(gradients).sort()).toEqual(Object.keys(goldenNames).sort());
      for (const [name, short] of Object.entries(goldenNames)) {
        expect(maxDifference(gradients[name]!, golden.get(`grad.${short}`)), name).toBeLessThan(1e-6);
      }
    }
    await session.optimizerStep({ learningRate: 0.1 });
  }
  expect(
    maxDifference({ dtype: "float32", shape: [3], data: Float32Array.from(losses) }, golden.get("losses")),
  ).toBeLessThan(1e-6);
  await session.sync();
  for (const [name, { source }] of model.namedParameters()) {
    const short = goldenNames[name as keyof typeof goldenNames];
    const trained = source.kind === "memory" ? source.data : undefined;
    expect(maxDifference(trained!, golden.get(`after.${short}`)), name).toBeLessThan(1e-6);
  }
});

for (const tables of [["embeddings.weight", "decoder.weight"], ["embeddings.weight"], ["decoder.weight"]]) {
  it(`a checkpoint holds ${tables.join(" and ")}`, async () => {
    const folder = await temporaryFolder();
    const names = new Map([
      ...tables.map((name) => [name, "table"]),
      ["dense.weight", "weight"],
      ["dense.bias", "bias"],
    ] as [string, string][]);
    const tensors = new Map(
      [...names].map(([name, short]) => {
        const tensor = golden.get(short)!;
        return [name, { ...tensor, load: async () => tensor }] as const;
      }),
    );
    await writeSafetensors(join(folder, "model.safetensors"), tensors, { format: "pt" });
    await writeFile(join(folder, "config.json"), '{"model_type": "tied"}');
    const model = tiedModel();
    const report = await loadWeights(model.network, await resolveModelFolder(folder), "tied", {});
    expect(report).toMatchObject({ missingKeys: [], unexpectedKeys: [], newlyInitialized: [] });
    expect(maxDifference((await model(inputs)).logits!, golden.get("logits"))).toBeLessThan(1e-6);
  });
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  createTrainingSession,
  GraftError,
  getPeftModel,
  PeftModel,
} from "graft-peft";
import {
  add,
  configClass,
  type Host,
  type Linear,
  linearTargets,
  normal,
  option,
  type Parameter,
  registerTuner,
  selectTargets,
  type Tensor,
  type Trace,
  type Tuner,
  TunerLayer,
  targetOptions,
} from "graft-peft/method";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { trainCommand } from "#graft/cli/train";
import { copyOf } from "../models/folder.js";
import { inputsFor } from "./models.js";
import { readGolden, relativeL2 } from "./numbers.js";

/** y = W x + b + v: a method that nobody else has, as its author would write it. */
class ShiftConfig extends configClass({
  peftType: "SHIFT",
  isPefts: false,
  options: {
    ...targetOptions,
    deviation: option("number", z.number().gte(0), 0, { help: "Standard deviation of fresh shifts" }),
  },
}) {}

class ShiftLayer extends TunerLayer {
  readonly shift: Parameter;

  constructor(base: ConstructorParameters<typeof TunerLayer>[0], host: Host, linear: Linear, deviation: number) {
    super(base, host.acting);
    this.shift = host.parameter(`${linear.path}.shift`, [linear.outFeatures], { initializer: normal(deviation) });
  }

  signature(): string {
    return "shift";
  }

  protected adapted(trace: Trace, x: Tensor): Tensor {
    return add(this.base.forward(trace, x), trace.parameter(this.shift));
  }
}

const targets = linearTargets("SHIFT goes around linear layers only", { bert: ["query", "value"] });

const shift: Tuner<ShiftConfig> = {
  type: "SHIFT",
  name: "shift",
  help: "A vector added to each layer's output",
  Config: ShiftConfig,
  targets,
  inject(host, config) {
    const layers = selectTargets(host.modules(), config, targets, host.config.modelType).map(({ module }) => ({
      linear: module as Linear,
      layer: host.wrap(module, (base) => new ShiftLayer(base, host, module as Linear, config.deviation)),
    }));
    return {
      targets: layers.map(({ linear }) => linear.path),
      groups: [{ parameters: layers.map(({ layer }) => layer.shift), learningRateScale: 2, isDecayed: false }],
      merge: layers.flatMap(({ linear, layer }) =>
        linear.bias
          ? [{ parameter: linear.bias, write: (trace: Trace, bias: Tensor) => add(bias, trace.parameter(layer.shift)) }]
          : [],
      ),
    };
  },
};

beforeAll(() => registerTuner(shift));

const withoutDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };

test("a method of one's own trains, is saved, loaded, switched and merged", async () => {
  const folder = await copyOf("bert_seqcls", withoutDropout);
  const load = async () => {
    const base = await AutoModelForSequenceClassification.fromPretrained(folder, { threads: 1 });
    onTestFinished(() => base.dispose());
    return base;
  };
  const base = await load();
  const { tensors: io } = await readGolden("models/bert_seqcls/io.safetensors");
  const inputs = inputsFor(base, io);
  const labelled = inputsFor(base, io, true);
  const plain = (await base(inputs)).logits;

  const model = getPeftModel(base, new ShiftConfig({ taskType: "SEQ_CLS" }));
  expect(model.targetedModuleNames).toHaveLength(4);
  expect(model.getNbTrainableParameters()[0]).toBe(4 * 32 + 3 * 32 + 3);
  expect(relativeL2((await model(inputs)).logits, plain)).toBeLessThan(1e-6);
  const session = createTrainingSession(model, { optimizer: "sgd", weightDecay: 0.5 });
  const before = (await session.forwardBackward(labelled)).loss;
  for (let step = 0; step < 20; step++) {
    if (step > 0) await session.forwardBackward(labelled);
    await session.optimizerStep({ learningRate: 0.1 });
  }
  expect((await session.forwardBackward(labelled)).loss).toBeLessThan(0.7 * before);
  const { logits: trained } = await model(inputs);

  const target = await mkdtemp(join(tmpdir(), "graft-own-"));
  onTestFinished(() => rm(target, { recursive: true }));
  await model.savePretrained(target);
  const again = await PeftModel.fromPretrained(await load(), target);
  expect(relativeL2((await again(inputs)).logits, trained)).toBeLessThan(1e-6);

  again.addAdapter("other", new ShiftConfig({ taskType: "SEQ_CLS", deviation: 1 }), { seed: 3 });
  await again.setAdapter("other");
  expect(relativeL2((await again(inputs)).logits, trained)).toBeGreaterThan(1e-3);
  await again.setAdapter("default");
  expect(relativeL2((await again(inputs)).logits, trained)).toBe(0);
  expect(() => again.setScale(2)).toThrow(/SHIFT.*no scale/);

  const merged = await again.mergeAndUnload();
  expect(relativeL2((await merged(inputs)).logits, trained)).toBeLessThan(1e-5);
});

test("the command line's help lists it with its options", () => {
  let help = "";
  const command = trainCommand().configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  expect(help).toMatch(/--shift <key=value,\.\.\.>\s+A vector added to each layer's output/);
  expect(help).toMatch(/deviation\s+Standard deviation of fresh shifts/);
});

test("a type or a name that is taken is refused", () => {
  expect(() => registerTuner(shift)).toThrow(GraftError);
  expect(() => registerTuner({ ...shift, type: "ANOTHER" })).toThrow(/shift/);
});

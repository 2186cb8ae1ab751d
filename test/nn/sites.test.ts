import { AutoModelForImageClassification, AutoModelForSequenceClassification, type PreTrainedModel } from "graft-peft";
import { describe, expect, onTestFinished, test } from "vitest";
import { add, concat, type Dim, expand, initializer, matMul, mul, relu, slice, type Tensor } from "#graft/graph/index";
import { architectures, modelTypes } from "#graft/models/auto";
import type { Network } from "#graft/models/network";
import { portsOf } from "#graft/models/ports";
import { traceNetwork } from "#graft/models/trace-network";
import {
  type Attachment,
  layerSites,
  prependKeysValues,
  prependTokens,
  type SiteName,
  Sites,
  type SiteValues,
  Trace,
} from "#graft/nn/index";
import { encodeModel, modelOf, standardLowering } from "#graft/onnx/index";
import { lowered } from "../graph/session.js";
import { copyOf } from "../models/folder.js";
import { goldenFolder, inputsOf, maxDifference, readTensors } from "../models/golden.js";

const TOLERANCE = 1e-5;
const golden = await readTensors(new URL("../golden/nn/sites.safetensors", import.meta.url).pathname);

/** A golden tensor as a constant of a graph. */
function constant(name: string): Tensor {
  const data = golden.get(name)!;
  return initializer(name, data, { kind: "memory", data });
}

function attachment<S extends SiteName>(
  transform: (value: SiteValues[S], trace: Trace) => SiteValues[S],
  more: Partial<Attachment<S>> = {},
): Attachment<S> {
  return { isActing: true, signature: "test", transform: (trace, value) => transform(value, trace), ...more };
}

const bottleneck = (name: string, x: Tensor): Tensor =>
  matMul(relu(matMul(x, constant(`${name}.down`), { transposeB: true })), constant(`${name}.up`), { transposeB: true });

const attachToLayers = <S extends SiteName>(network: Network, site: S, what: Attachment<S>) =>
  network.layers.map((layer) => layer.sites.attach(site, what));

/** How each golden case is said with sites; `name` is the prefix of its weights. */
const methods: { readonly [method: string]: (network: Network, name: string) => void } = {
  prompt({ embeddingSites }, name) {
    const transform = (embedded: SiteValues["embeddings"]) => prependTokens(embedded, constant(`${name}.weight`));
    embeddingSites.attach("embeddings", attachment<"embeddings">(transform, { addedPositions: 3 }));
  },
  prefix(network, name) {
    const prefix = attachment<"keysValues">(
      (own) => {
        const of = (kind: string) => constant(`${name}.${kind}.${own.layer}`);
        return prependKeysValues(own, of("keys"), of("values"));
      },
      { addedPositions: 3 },
    );
    attachToLayers(network, "keysValues", prefix);
  },
  houlsby(network, name) {
    const adapt = attachment<"feedForwardOutput">((half) => ({
      ...half,
      output: add(half.output, bottleneck(name, half.output)),
    }));
    attachToLayers(network, "feedForwardOutput", adapt);
  },
  pfeiffer(network, name) {
    const adapt = attachment<"feedForwardOutput">((half) => {
      const normed = half.norm!(add(half.output, half.residual));
      return { ...half, output: add(half.output, bottleneck(name, normed)) };
    });
    attachToLayers(network, "feedForwardOutput", adapt);
  },
  replaced({ layers }, name) {
    const replace = attachment<"layerInput">((stream) => {
      const [batch, sequence, features] = stream.hidden.shape as [Dim, Dim, Dim];
      const vectors = expand(constant(`${name}.vectors`), [batch, 2, features]);
      return stream.with(concat([vectors, slice(stream.hidden, 1, 2, sequence)], 1));
    });
    layers[1]!.sites.attach("layerInput", replace);
  },
  scaled(network, name) {
    const scale = attachment<"attentionOutput">((half) => ({
      ...half,
      output: mul(half.output, constant(`${name}.attention`)),
    }));
    attachToLayers(network, "attentionOutput", scale);
    const last = attachment<"layerOutput">((stream) => stream.with(mul(stream.hidden, constant(`${name}.layer`))));
    attachToLayers(network, "layerOutput", last);
  },
  visual_prompt({ embeddingSites }, name) {
    const insert = attachment<"embeddings">((embedded) => {
      const [batch, sequence, features] = embedded.hidden.shape as [Dim, Dim, Dim];
      const vectors = expand(constant(`${name}.vectors`), [batch, 3, features]);
      const [first, patches] = [slice(embedded.hidden, 1, 0, 1), slice(embedded.hidden, 1, 1, sequence)];
      return { ...embedded, hidden: concat([first, vectors, patches], 1), lengthened: true };
    });
    embeddingSites.attach("embeddings", insert);
  },
};

async function load(name: string): Promise<PreTrainedModel> {
  const Auto = name.startsWith("vit") ? AutoModelForImageClassification : AutoModelForSequenceClassification;
  const model = await Auto.fromPretrained(goldenFolder(name), { threads: 1 });
  onTestFinished(() => model.dispose());
  return model;
}

const cases = [...golden.keys()].filter((key) => /^\w+\.\w+\.logits$/.test(key)).map((key) => key.split("."));

test.each(cases)("%s on %s gives the reference's logits", async (method, name) => {
  const model = await load(name!);
  const io = await readTensors(`${goldenFolder(name!)}/io.safetensors`);
  methods[method!]!(model.network, `${method}.${name}`);
  const { logits } = await model(inputsOf(io));
  expect(maxDifference(logits, golden.get(`${method}.${name}.logits`))).toBeLessThan(TOLERANCE);
  expect(maxDifference(logits, io.get("logits"))).toBeGreaterThan(0.1);
  if (!io.has("input_ids")) return;
  const alone = await model({ inputIds: io.get("input_ids")! });
  expect(maxDifference(alone.logits, golden.get(`${method}.${name}.ids_alone.logits`))).toBeLessThan(TOLERANCE);
});

const trained = [...golden.keys()].filter((key) => key.endsWith(".gradient")).map((key) => key.split("."));

test.each(trained)("%s on %s: the position table's gradient is PyTorch's", async (method, name) => {
  const withoutDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  const folder = await copyOf(name!, withoutDropout);
  const model = await AutoModelForSequenceClassification.fromPretrained(folder, { threads: 1 });
  onTestFinished(() => model.dispose());
  methods[method!]!(model.network, `${method}.${name}`);
  const io = await readTensors(`${folder}/io.safetensors`);
  const { feeds, rules } = model.prepareInputs({ ...inputsOf(io), labels: io.get("labels")! });
  const program = await model.runner.trainingProgram(rules);
  await program.accumulate(feeds);
  const gradients = await program.gradients();
  const gradient = gradients[`${name!.split("_")[0]}.embeddings.position_embeddings.weight`];
  expect(maxDifference(gradient, golden.get(`${method}.${name}.gradient`))).toBeLessThan(TOLERANCE);
});

test("what is attached and taken away between two calls counts at once", async () => {
  const model = await load("bert_seqcls");
  const io = await readTensors(`${goldenFolder("bert_seqcls")}/io.safetensors`);
  const { network } = model;
  const before = await model(inputsOf(io));
  const double = attachment<"layerOutput">((stream) => stream.with(mul(stream.hidden, 2)));
  const [detach] = attachToLayers(network, "layerOutput", double);
  expect(network.siteSignature()).toBe("0(layerOutput:test),1(layerOutput:test)");
  expect(maxDifference((await model(inputsOf(io))).logits, before.logits)).toBeGreaterThan(0.01);
  detach!();
  expect(network.siteSignature()).toBe("1(layerOutput:test)");
  network.layers[1]!.sites.attach(
    "layerOutput",
    attachment((stream) => stream.with(mul(stream.hidden, 0.5))),
  );
  expect(await model(inputsOf(io))).toEqual(before);
});

describe("Sites", () => {
  const trace = new Trace("eval");
  const count = (by: number) =>
    attachment<"layerInput">((stream) => stream.with(mul(stream.hidden, by)), { signature: String(by) });

  test("transforms act in the order of attachment, those that do not act are passed by", () => {
    const sites = new Sites();
    const order: string[] = [];
    const note = (name: string, isActing: boolean) =>
      attachment<"layerOutput">(
        (stream) => {
          order.push(name);
          return stream;
        },
        { isActing, signature: name, addedPositions: 2 },
      );
    sites.attach("layerOutput", note("first", true));
    sites.attach("layerOutput", note("asleep", false));
    sites.attach("layerOutput", note("second", true));
    const stream = {} as SiteValues["layerOutput"];
    expect(sites.apply("layerOutput", trace, stream)).toBe(stream);
    expect(order).toEqual(["first", "second"]);
    expect(sites.signature()).toBe("layerOutput:first;layerOutput:second");
    expect(sites.virtualTokens).toBe(4);
  });

  test("the same attachment twice is two attachments; taking one away twice takes one", () => {
    const sites = new Sites();
    const twice = count(2);
    const detach = sites.attach("layerInput", twice);
    sites.attach("layerInput", twice);
    expect(sites.signature()).toBe("layerInput:2;layerInput:2");
    detach();
    detach();
    expect(sites.signature()).toBe("layerInput:2");
  });
});

const small = {
  num_hidden_layers: 3,
  hidden_size: 8,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  intermediate_size: 8,
  vocab_size: 60000,
};
const networks = modelTypes.flatMap((type) => architectures[type].heads.map((head) => [type, head] as const));

describe.each(networks)("every site of %s, %s", (type, head) => {
  const make = () => architectures[type].create(head, { model_type: type, ...small }, "config", {});
  const write = (network: Network) => traceNetwork(network, "eval", portsOf(network.inputs), false);
  const bytes = (network: Network) => {
    const { trace, outputs } = write(network);
    const inputs = [...trace.inputs.values(), ...trace.parameters.values()];
    return Buffer.from(encodeModel(modelOf(lowered(outputs, standardLowering, inputs)))).toString("base64");
  };
  /** Counts calls by site and layer. */
  const attachEverywhere = (network: Network, isActing: boolean) => {
    const calls = new Map<string, number>();
    const counting = <S extends SiteName>(sites: Sites, site: S, place: string) => {
      calls.set(place, 0);
      const identity = attachment<S>(
        (value) => {
          calls.set(place, calls.get(place)! + 1);
          return value;
        },
        { isActing },
      );
      sites.attach(site, identity);
    };
    counting(network.embeddingSites, "embeddings", "embeddings");
    for (const { index, sites } of network.layers) {
      for (const site of layerSites) counting(sites, site, `${site} ${index}`);
    }
    return calls;
  };

  test("is called once in a forward pass", () => {
    const network = make();
    expect(network.layers.map(({ index }) => index)).toEqual([0, 1, 2]);
    const calls = attachEverywhere(network, true);
    write(network);
    expect(calls.size).toBe(1 + 3 * layerSites.length);
    for (const [place, count] of calls) expect(count, place).toBe(1);
  });

  test("writes nothing where nothing acts", () => {
    const network = make();
    const calls = attachEverywhere(network, false);
    expect(bytes(network)).toBe(bytes(make()));
    expect([...calls.values()].every((count) => count === 0)).toBe(true);
    expect(network.siteSignature()).toBe("");
    expect(network.virtualTokens).toBe(0);
  });
});

test("tokens and keys before the sequence are counted by the network", () => {
  const network = architectures.bert.create("sequenceClassification", { model_type: "bert", ...small }, "config", {});
  network.embeddingSites.attach(
    "embeddings",
    attachment<"embeddings">((x) => x, { addedPositions: 3 }),
  );
  attachToLayers(
    network,
    "keysValues",
    attachment<"keysValues">((x) => x, { addedPositions: 5 }),
  );
  expect(network.virtualTokens).toBe(8);
});

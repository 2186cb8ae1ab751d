import { describe, expect, onTestFinished, test } from "vitest";
import type { TensorData } from "#graft/tensor-data";
import { copyOf } from "../models/folder.js";
import { gradientsOf, loadGoldenAdapter, metaOf, namesIn, plainName } from "./method-goldens.js";
import { loadClassifier } from "./models.js";
import { readGolden, relativeL2 } from "./numbers.js";

const withoutDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, classifier_dropout: null };

/** Of a key's bias, whose gradient is zero in theory. */
const ROUNDING_NORM = 1e-6;

describe.each(namesIn("dropout"))("%s with given masks", (name) => {
  test("has PEFT's loss and gradients in training", async () => {
    const folder = `dropout/${name}`;
    const base = await loadClassifier(await copyOf(metaOf(folder).base, withoutDropout));
    onTestFinished(() => base.dispose());
    const model = await loadGoldenAdapter(base, folder);
    const { tensors: io } = await readGolden(`${folder}/io.safetensors`);
    const count = [...io.keys()].filter((key) => key.startsWith("mask.")).length;
    const masks = Array.from({ length: count }, (_, site) => io.get(`mask.${site}`) as TensorData);
    const { loss, gradients } = await gradientsOf(model, io, masks);
    const wanted = Number(io.get("loss")?.data[0]);
    expect(Math.abs(loss - wanted)).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted)));
    const found = new Map(Object.entries(gradients).map(([key, tensor]) => [plainName(key), tensor]));
    const nameOf = (key: string): string => plainName(base.network.names.toV4(plainName(key.replace("grad.", ""))));
    const keys = [...io.keys()].filter((key) => key.startsWith("grad."));
    expect([...found.keys()].sort()).toEqual(keys.map(nameOf).sort());
    for (const key of keys) {
      const [own, other] = [found.get(nameOf(key)), io.get(key)];
      const isRounding = Math.hypot(...((other as TensorData).data as Float32Array)) < ROUNDING_NORM;
      if (isRounding)
        expect(Math.hypot(...((own as TensorData).data as Float32Array)), key).toBeLessThan(ROUNDING_NORM);
      else expect(relativeL2(own, other), key).toBeLessThan(1e-5);
    }
    // The masks matter: without dropout the numbers are others.
    const plain = await gradientsOf(model, io);
    expect(Math.abs(plain.loss - wanted)).toBeGreaterThan(1e-4);
  });
});

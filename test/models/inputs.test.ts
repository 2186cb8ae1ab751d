import {
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  type ModelInputs,
} from "graft-peft";
import { afterAll, describe, expect, it } from "vitest";
import type { TensorData } from "#graft/tensor-data";
import { goldenFolder, inputsOf, maxDifference, readTensors } from "./golden.js";

const silent = { threads: 1, onReport: () => {} };
const bert = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("bert_seqcls"), silent);
const multilabel = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("bert_multilabel"), silent);
const regression = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("bert_regression"), silent);
const roberta = await AutoModel.fromPretrained(goldenFolder("roberta_base"), silent);
const vit = await AutoModelForImageClassification.fromPretrained(goldenFolder("vit_imgcls"), silent);
const deberta = await AutoModelForSequenceClassification.fromPretrained(goldenFolder("deberta_seqcls"), silent);
const distilbert = await AutoModel.fromPretrained(goldenFolder("distilbert_base"), silent);
const loaded = [bert, multilabel, regression, roberta, vit, deberta, distilbert];
afterAll(() => Promise.all(loaded.map((model) => model.dispose())));

const pixels = (...shape: number[]): TensorData<"float32"> => ({
  dtype: "float32",
  shape,
  data: new Float32Array(shape.reduce((product, size) => product * size, 1)),
});
const row = (length: number) => [Array.from({ length }, () => 5)];
const wrongKey = { inputIds: row(3), pixels: row(3) } as ModelInputs;
const bytes: TensorData = { dtype: "uint8", shape: [1, 3, 32, 32], data: new Uint8Array(3072) };
const shortData: TensorData = { dtype: "int32", shape: [1, 4], data: new Int32Array(3) };

const bad: [string, { prepareInputs(inputs: ModelInputs): unknown }, ModelInputs, string, string][] = [
  ["an id beyond the vocabulary", bert, { inputIds: [[1, 64]] }, "invalid-token", "64; the model takes 0 to 63"],
  ["a negative id", bert, { inputIds: [[1, -1]] }, "invalid-token", "-1"],
  ["a sequence too long", bert, { inputIds: row(41) }, "invalid-argument", "41 tokens, but the model reads at most 40"],
  ["a sequence too long for RoBERTa", roberta, { inputIds: row(39) }, "invalid-argument", "at most 38"],
  ["an empty batch", bert, { inputIds: [] }, "shape-mismatch", "inputIds"],
  ["empty rows", bert, { inputIds: [[]] }, "shape-mismatch", "empty"],
  ["rows of different lengths", bert, { inputIds: [[1, 2], [3]] }, "invalid-argument", "lengths"],
  ["one row without a batch", bert, { inputIds: [1, 2] }, "shape-mismatch", "2 dimensions"],
  ["fractions as ids", bert, { inputIds: [[1.5]] }, "dtype-mismatch", "inputIds"],
  ["float tensors as ids", bert, { inputIds: pixels(1, 4) }, "dtype-mismatch", "float32"],
  ["data that do not fill the shape", bert, { inputIds: shortData }, "shape-mismatch", "3 elements"],
  ["a mask of another length", bert, { inputIds: row(4), attentionMask: row(3) }, "shape-mismatch", "attentionMask"],
  ["a mask of other numbers", bert, { inputIds: row(2), attentionMask: [[1, 2]] }, "invalid-argument", "attentionMask"],
  ["a third segment", bert, { inputIds: row(2), tokenTypeIds: [[0, 2]] }, "invalid-argument", "type_vocab_size"],
  ["no ids", bert, { attentionMask: row(2) }, "invalid-argument", "inputIds is missing"],
  ["an input unknown here", bert, wrongKey, "invalid-argument", "pixels is unknown"],
  ["token types for DistilBERT", distilbert, { inputIds: row(2), tokenTypeIds: row(2) }, "invalid-argument", "unknown"],
  ["a sequence too long for DistilBERT", distilbert, { inputIds: row(41) }, "invalid-argument", "at most 40"],
  ["labels without a head", roberta, { inputIds: row(2), labels: [0] }, "invalid-argument", "labels is unknown"],
  ["a label outside the map", bert, { inputIds: row(2), labels: [3] }, "invalid-label", "3; "],
  ["more labels than rows", bert, { inputIds: row(2), labels: [0, 1] }, "shape-mismatch", "labels"],
  ["class ids for several labels", multilabel, { inputIds: row(2), labels: [2] }, "invalid-label", "from 0 to 1"],
  ["a target that is no number", regression, { inputIds: row(2), labels: [Number.NaN] }, "invalid-label", "NaN"],
  ["an image of another size", vit, { pixelValues: pixels(1, 3, 16, 16) }, "shape-mismatch", "dimension 2 must be 32"],
  ["an image with one channel", vit, { pixelValues: pixels(1, 1, 32, 32) }, "shape-mismatch", "dimension 1 must be 3"],
  ["pixels that are still bytes", vit, { pixelValues: bytes }, "dtype-mismatch", "uint8"],
];

describe("inputs that do not fit are refused before the engine sees them", () => {
  it.each(bad)("%s", (_, model, inputs, code, part) => {
    expect(() => model.prepareInputs(inputs)).toThrow(
      expect.objectContaining({ name: "GraftError", code, message: expect.stringContaining(part) }),
    );
  });

  it("the call itself rejects, and the model goes on working", async () => {
    await expect(bert({ inputIds: [[99]] })).rejects.toMatchObject({ code: "invalid-token" });
    expect((await bert({ inputIds: [[9, 8]] })).logits.shape).toEqual([1, 3]);
  });
});

describe("a batch of a data set", () => {
  const batch = (inputIds: number[][], labels: number[]): ModelInputs => ({ inputIds, labels });
  const check = (model: typeof bert, inputs: ModelInputs) => () => model.prepareInputs(inputs, [17, 4]);

  it("may hold ignored labels", () => {
    expect(check(bert, batch([row(2)[0]!, row(2)[0]!], [0, 2]))).not.toThrow();
    expect(check(bert, batch([row(2)[0]!, row(2)[0]!], [-100, 2]))).not.toThrow();
  });

  it("is refused with the row's number", () => {
    const ids = [row(2)[0]!, row(2)[0]!];
    expect(check(bert, batch(ids, [0, 3]))).toThrow(/row 4 has the label 3; .* takes 0 to 2/);
    expect(check(bert, batch(ids, [-1, 0]))).toThrow(/row 17 has the label -1/);
    expect(
      check(
        bert,
        batch(
          [
            [0, 1],
            [64, 9],
          ],
          [0, 1],
        ),
      ),
    ).toThrow(/row 4, position 0, holds the token id 64; .* 0 to 63/);
    expect(check(regression, batch(ids, [0, Number.NaN]))).toThrow(/row 4 has the label NaN/);
  });
});

describe("inputs in other forms", () => {
  it("token types are passed over by DeBERTa without them; without absolute positions a sequence may have any length", async () => {
    const inputIds = row(60);
    const plain = await deberta({ inputIds });
    expect(await deberta({ inputIds, tokenTypeIds: [inputIds[0]!.map((_, i) => i % 2)] })).toEqual(plain);
    expect((await deberta({ inputIds: row(1) })).logits.shape).toEqual([1, 3]);
  });

  it("an input that is undefined is not there", () => {
    const ids = [[9, 8]];
    const names = (inputs: ModelInputs) => Object.keys(bert.prepareInputs(inputs).feeds);
    const absent = { inputIds: ids, labels: undefined, pixelValues: undefined } as unknown as ModelInputs;
    expect(names(absent)).toEqual(names({ inputIds: ids }));
    expect(() => bert.prepareInputs({ inputIds: undefined } as unknown as ModelInputs)).toThrow("inputIds is missing");
  });

  it("nested lists, int64 and int32 give the same logits", async () => {
    const io = await readTensors(`${goldenFolder("bert_seqcls")}/io.safetensors`);
    const ids = io.get("input_ids")!;
    const [rows, length] = ids.shape as [number, number];
    const flat = Array.from(ids.data, Number);
    const lists = Array.from({ length: rows }, (_, i) => flat.slice(i * length, (i + 1) * length));
    const int32: TensorData = { dtype: "int32", shape: ids.shape, data: Int32Array.from(flat) };
    for (const inputIds of [lists, int32, ids]) {
      expect(maxDifference((await bert({ inputIds })).logits, io.get("ids_alone.logits"))).toBeLessThan(1e-5);
    }
  });

  it("rows with label -100 do not count; a column of targets is a list of targets", async () => {
    const io = await readTensors(`${goldenFolder("bert_seqcls")}/io.safetensors`);
    const inputs = inputsOf(io);
    const { logits, loss } = await bert({ ...inputs, labels: [1, -100, -100] });
    const [a, b, c] = logits.data as unknown as [number, number, number];
    expect(loss).toBeCloseTo(Math.log(Math.exp(a) + Math.exp(b) + Math.exp(c)) - b, 5);
    const inputIds = row(2);
    const flat = await regression({ inputIds, labels: [0.5] });
    expect((await regression({ inputIds, labels: [[0.5]] })).loss).toBe(flat.loss);
    expect(flat.loss).toBeCloseTo((Number(flat.logits.data[0]) - 0.5) ** 2, 5);
  });
});

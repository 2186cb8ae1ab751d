import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoConfig, AutoImageProcessor, AutoTokenizer, ImageProcessor, rawImage } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Tokenizer } from "#graft/data/index";

const golden = fileURLToPath(new URL("../golden/", import.meta.url));
const wordpiece = `${golden}data/tiny-wordpiece`;

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "graft-auto-data-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe("a tokenizer that is called", () => {
  test("is the tokenizer: its methods, its fields, its class", async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(wordpiece);
    expect(tokenizer).toBeInstanceOf(Tokenizer);
    expect(typeof tokenizer).toBe("function");
    const plain = await Tokenizer.fromFolder(wordpiece);
    expect(tokenizer.vocabSize).toBe(plain.vocabSize);
    expect(tokenizer.encode("a fine day")).toEqual(plain.encode("a fine day"));
    await tokenizer.savePretrained(join(scratch, "saved"));
    expect((await AutoTokenizer.fromPretrained(join(scratch, "saved"))).padTokenId).toBe(plain.padTokenId);
  });

  test("one text is a batch of one; several are padded as asked", async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(wordpiece);
    const short = tokenizer.encode("a day").inputIds;
    const long = tokenizer.encode("a fine day it is").inputIds;
    expect(tokenizer("a day").inputIds).toEqual({ dtype: "int32", shape: [1, short.length], data: short });
    const texts = ["a day", "a fine day it is"];
    expect(tokenizer(texts, { padding: true })).toEqual(tokenizer.padBatch(tokenizer.encodeBatch(texts)));
    expect(tokenizer(texts, { padding: "longest" }).attentionMask?.data.slice(0, long.length)).toEqual(
      Int32Array.from(long, (_, at) => (at < short.length ? 1 : 0)),
    );
    expect(tokenizer(texts, { padding: true, padToMultipleOf: 32 }).inputIds.shape).toEqual([2, 32]);
    expect(tokenizer(texts, { padding: "max_length", maxLength: 20 }).inputIds.shape).toEqual([2, 20]);
    expect(tokenizer(texts, { padding: true, truncation: true, maxLength: 4 }).inputIds.shape).toEqual([2, 4]);
    expect(tokenizer(["a day", "a fine day it is"], { maxLength: 4 }).inputIds.shape).toEqual([2, 4]);
  });

  test("pairs are given as pairs or beside one another", async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(wordpiece);
    const pair = tokenizer([["a day", "it is"]]);
    expect(tokenizer("a day", { textPair: "it is" })).toEqual(pair);
    expect(tokenizer(["a day"], { textPair: ["it is"] })).toEqual(pair);
    expect(pair.inputIds.data).toEqual(tokenizer.encode("a day", "it is").inputIds);
  });

  test("what makes no tensor is refused with what helps", async () => {
    const tokenizer = await AutoTokenizer.fromPretrained(wordpiece);
    expect(() => tokenizer(["a day", "a fine day it is"])).toThrow(
      expect.objectContaining({ code: "invalid-argument", hint: expect.stringContaining("padding: true") }),
    );
    expect(() => tokenizer(["a"], { textPair: ["b", "c"] })).toThrow(/1 texts and 2 second texts/);
    expect(() => tokenizer([["a", "b"]], { textPair: ["b"] })).toThrow(/beside rows that are pairs/);
    for (const texts of [[], 3, null, undefined]) {
      expect(() => tokenizer(texts as unknown as string)).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    }
  });
});

describe("an image processor that is called", () => {
  const grey = (size: number) => rawImage(size, size, 1, new Uint8Array(size * size).fill(100));

  test("prepares one picture or several as the model takes them", async () => {
    const processor = ImageProcessor.fromJson({ size: { height: 4, width: 6 } });
    await processor.savePretrained(join(scratch, "processor"));
    const again = await AutoImageProcessor.fromPretrained(join(scratch, "processor"));
    expect(again).toBeInstanceOf(ImageProcessor);
    const { pixelValues } = await again(grey(8));
    expect(pixelValues.shape).toEqual([1, 3, 4, 6]);
    expect(pixelValues.data).toEqual(processor.preprocess(grey(8)).data);
    expect((await again([grey(8), grey(9)])).pixelValues.shape).toEqual([2, 3, 4, 6]);
  });

  test("pictures that stay of different sizes, and none, are refused", async () => {
    const processor = ImageProcessor.fromJson({ do_resize: false });
    await expect(processor([grey(8), grey(9)])).rejects.toMatchObject({ code: "shape-mismatch" });
    await expect(processor([])).rejects.toMatchObject({ code: "invalid-argument" });
  });
});

test("AutoConfig reads config.json, with what is set over it", async () => {
  const folder = join(scratch, "model");
  await cp(`${golden}models/bert_seqcls`, folder, { recursive: true });
  const config = await AutoConfig.fromPretrained(folder);
  expect([config.modelType, config.raw.model_type]).toEqual(["bert", "bert"]);
  expect((await AutoConfig.fromPretrained(folder, { id2label: ["x", "y", "z"] })).label2id).toEqual({
    x: 0,
    y: 1,
    z: 2,
  });
  await expect(AutoConfig.fromPretrained(folder, { numLabels: 0 })).rejects.toMatchObject({ code: "invalid-config" });
});

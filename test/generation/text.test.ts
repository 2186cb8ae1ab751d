import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForCausalLM, AutoTokenizer, getPeftModel, LoraConfig, pipeline, TextGenerator } from "graft-peft";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { graft } from "../cli/graft.js";

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const model = golden("models/llama_lm");
/** Words w4 to w63 for the ids 4 to 63. */
const words = golden("data/tiny-words");

async function generator(): Promise<TextGenerator> {
  const llama = await AutoModelForCausalLM.fromPretrained(model, { threads: 1 });
  onTestFinished(() => llama.dispose());
  return new TextGenerator(llama, await AutoTokenizer.fromPretrained(words));
}

describe("TextGenerator", () => {
  test("gives what follows each prompt, and one prompt the same alone as beside a longer one", async () => {
    const texts = await generator();
    const [short, long] = await texts.generate(["w9 w8", "w30 w31 w32 w33"], { maxNewTokens: 5 });
    const [alone] = await texts.generate(["w9 w8"], { maxNewTokens: 5 });
    expect(alone).toEqual(short);
    expect(short?.prompt).toBe("w9 w8");
    expect(long?.text.trim().split(" ")).toHaveLength(5);
  });

  test("streams the text in pieces", async () => {
    const texts = await generator();
    const [whole] = await texts.generate(["w9 w8"], { maxNewTokens: 6, eosTokenId: [] });
    const pieces: string[] = [];
    for await (const piece of texts.stream("w9 w8", { maxNewTokens: 6, eosTokenId: [] })) pieces.push(piece);
    expect(pieces.join("")).toBe(whole?.text);
    expect(pieces.length).toBeGreaterThan(2);
  });

  test("ends before a stop string, and never tells a part of one", async () => {
    const texts = await generator();
    const [whole] = await texts.generate(["w9 w8"], { maxNewTokens: 6, eosTokenId: [] });
    const text = whole?.text ?? "";
    const third = text.trim().split(" ")[2] as string;
    const cut = text.slice(0, text.indexOf(third));
    const options = { maxNewTokens: 6, eosTokenId: [], stopStrings: [third] };
    expect((await texts.generate(["w9 w8"], options))[0]?.text).toBe(cut);
    const pieces: string[] = [];
    for await (const piece of texts.stream("w9 w8", options)) pieces.push(piece);
    expect(pieces.join("")).toBe(cut);
    await expect(texts.generate(["w9"], { stopStrings: [""] })).rejects.toThrow(/stopStrings is empty/);
  });
});

describe("pipeline", () => {
  test("text-generation: a model that was given, with its adapter", async () => {
    const llama = await AutoModelForCausalLM.fromPretrained(model, { threads: 1 });
    onTestFinished(() => llama.dispose());
    const peft = getPeftModel(llama, new LoraConfig({ initLoraWeights: false, taskType: "CAUSAL_LM" }));
    const generate = await pipeline("text-generation", peft, { processing: words });
    const [one] = await generate("w9 w8", { maxNewTokens: 4 });
    const [[first], [second]] = (await generate(["w9 w8", "w7"], { maxNewTokens: 4 })) as [
      { generatedText: string }[],
      { generatedText: string }[],
    ];
    expect(first).toEqual(one);
    expect(second?.generatedText.startsWith("w7")).toBe(true);
    const [tail] = await generate("w9 w8", { maxNewTokens: 4, returnFullText: false });
    expect(`w9 w8${tail?.generatedText}`).toBe(one?.generatedText);
    await generate.dispose();
    expect((await peft({ inputIds: [[9]] })).logits).toBeDefined();
  });

  test("text-classification and token-classification: labels with probabilities", async () => {
    const classify = await pipeline("text-classification", golden("models/bert_seqcls"), {
      processing: words,
      threads: 1,
    });
    onTestFinished(() => classify.dispose());
    const all = await classify("w9 w8", { topK: 3 });
    expect(all.map(({ label }) => label).sort()).toEqual(["negative", "neutral", "positive"]);
    expect(all.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 5);
    expect(await classify("w9 w8")).toEqual(all.slice(0, 1));
    expect(await classify(["w9 w8", "w7"], { topK: 3 })).toHaveLength(2);

    const tag = await pipeline("token-classification", golden("models/bert_tokencls"), {
      processing: words,
      threads: 1,
    });
    onTestFinished(() => tag.dispose());
    const tags = await tag("w9 w8 w7", { ignoreLabels: [] });
    expect(tags.map(({ word, index }) => [word, index])).toEqual([
      ["w9", 0],
      ["w8", 1],
      ["w7", 2],
    ]);
    expect((await tag("w9 w8 w7")).length).toBe(tags.filter(({ entity }) => entity !== "O").length);
  });

  test("refuses another task, a model with another head, and a tokenizer that is nowhere", async () => {
    await expect(pipeline("summarization" as "text-generation", model)).rejects.toThrow(/no task of a pipeline/);
    const llama = await AutoModelForCausalLM.fromPretrained(model, { threads: 1 });
    onTestFinished(() => llama.dispose());
    const classify = await pipeline("text-classification", llama, { processing: words });
    await expect(classify("w9")).rejects.toThrow(/LlamaForCausalLM is no model for text-classification/);
    const fresh = AutoModelForCausalLM.fromConfig(llama.config.raw, { threads: 1 });
    await expect(pipeline("text-generation", fresh)).rejects.toThrow(/not loaded from a folder/);
  });
});

describe("graft generate", () => {
  let folder: string;
  const run = (...args: string[]) => graft(folder, ["generate", ...args]);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "graft-generate-"));
    const { cp } = await import("node:fs/promises");
    await cp(model, join(folder, "llama"), { recursive: true });
    await cp(words, join(folder, "llama"), {
      recursive: true,
      filter: (path) => !path.endsWith("config.json") || path.endsWith("tokenizer_config.json"),
    });
    await writeFile(join(folder, "prompts.txt"), "w9 w8\n\nw30 w31 w32\n");
    return () => rm(folder, { recursive: true });
  });

  test("one prompt, a file of them, and the same as JSON", async () => {
    const one = await run("llama", "w9 w8", "--max-new-tokens", "4");
    expect([one.status, one.stderr]).toEqual([0, ""]);
    const file = await run("llama", "--file", "prompts.txt", "--max-new-tokens", "4", "--json");
    const rows = file.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.map(({ prompt }) => prompt)).toEqual(["w9 w8", "w30 w31 w32"]);
    expect(one.stdout).toBe(`w9 w8${rows[0].text}\n`);
    const beams = await run(
      "llama",
      "w9",
      "--num-beams",
      "3",
      "--num-return-sequences",
      "2",
      "--max-new-tokens",
      "4",
      "--json",
    );
    expect(
      beams.stdout
        .trim()
        .split("\n")
        .map((line) => typeof JSON.parse(line).score),
    ).toEqual(["number", "number"]);
  });

  test("refuses what it cannot do, and prints nothing else", async () => {
    for (const [args, message] of [
      [["llama"], /no prompt/],
      [["llama", "w9", "--temperature", "hot"], /--temperature takes a number/],
      [["llama", "w9", "--max-new-tokens", "60"], /60 new tokens/],
      [["llama", "w9", "--interactive"], /Leave the prompts out/],
      [["llama", "--file", "nowhere.txt"], /nowhere.txt cannot be read/],
      [["nowhere", "w9"], /nowhere/],
    ] as const) {
      const { status, stdout, stderr } = await run(...args);
      expect(status, args.join(" ")).not.toBe(0);
      expect(stdout).toBe("");
      expect(stderr).toMatch(message);
      expect(stderr).not.toMatch(/\n\s+at /);
    }
  });
});

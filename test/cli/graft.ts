import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";

const binary = fileURLToPath(new URL("../../dist/node/cli/main.js", import.meta.url));
const golden = fileURLToPath(new URL("../golden/models/", import.meta.url));

/** What a run of the binary left behind. */
export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line in a folder. */
export function graft(cwd: string, args: readonly string[]): Promise<Finished> {
  const { GRAFT_DEBUG: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [binary, ...args], { cwd, env }, (error, stdout, stderr) => {
      resolve({ status: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

/** The path of the built command line, for tests that signal it. */
export const graftBinary = binary;

/** A fresh folder for a test. */
export function workFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), "graft-cli-"));
}

const words = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "good",
  "fine",
  "great",
  "bad",
  "poor",
  "awful",
  "film",
  "a",
  "the",
  "is",
];

const tokenizer = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: words.slice(0, 4).map((content, id) => ({ id, content, special: true })),
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
      { Sequence: { id: "B", type_id: 1 } },
      { SpecialToken: { id: "[SEP]", type_id: 1 } },
    ],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
};

async function copyModel(name: string, target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const file of ["config.json", "model.safetensors"]) await copyFile(join(golden, name, file), join(target, file));
}

/** A tiny BERT with a tokenizer of a dozen words; the one without a head by default. */
export async function textModel(target: string, name = "bert_base"): Promise<void> {
  await copyModel(name, target);
  await writeFile(join(target, "tokenizer.json"), JSON.stringify(tokenizer));
  await writeFile(
    join(target, "tokenizer_config.json"),
    JSON.stringify({ tokenizer_class: "BertTokenizer", pad_token: "[PAD]", model_max_length: 16 }),
  );
}

/** A tiny ViT of 32 x 32 pixels. */
export async function imageModel(target: string): Promise<void> {
  await copyModel("vit_imgcls", target);
  await writeFile(join(target, "preprocessor_config.json"), JSON.stringify({ size: { height: 32, width: 32 } }));
}

/** Rows that a bag of words tells apart. */
export function rows(count: number): [text: string, label: string][] {
  const good = words.slice(4, 7);
  const bad = words.slice(7, 10);
  return Array.from({ length: count }, (_, at) => {
    const isGood = at % 2 === 0;
    return [`the film is ${(isGood ? good : bad)[Math.floor(at / 2) % 3]}`, isGood ? "up" : "down"];
  });
}

export async function writeTable(path: string, count: number): Promise<void> {
  const lines = rows(count).map(([text, label]) => `${text}\t${label}`);
  await writeFile(path, `${["sentence\tlabel", ...lines].join("\n")}\n`);
}

const colours = { blue: { r: 20, g: 40, b: 220 }, red: { r: 220, g: 40, b: 20 } };

/** A folder with pictures of two colours. */
export async function writePictures(folder: string, each: number): Promise<void> {
  for (const [name, background] of Object.entries(colours)) {
    await mkdir(join(folder, name), { recursive: true });
    for (let at = 0; at < each; at++) {
      const shade = { ...background, g: background.g + at * 5 };
      const picture = sharp({ create: { width: 40, height: 36, channels: 3, background: shade } });
      await picture.png().toFile(join(folder, name, `${at}.png`));
    }
  }
}

/** Flags that make a short run learn something. */
export const fast = ["--learning-rate", "0.02", "--num-train-epochs", "20", "--threads", "1", "--save-strategy", "no"];

import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AutoModelForCausalLM } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fast, graft, textModel, workFolder } from "./graft.js";

let folder: string;
const run = (...args: string[]) => graft(folder, args);

const template =
  "{% for m in messages %}{% if m.role == 'critic' %}{{ raise_exception('no critics') }}{% endif %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
const config = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  vocab_size: 360,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  max_position_embeddings: 96,
  rms_norm_eps: 1e-5,
  hidden_act: "silu",
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
};

const chat = (question: string, answer: string) => ({
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: answer },
  ],
});

async function languageModel(name: string, changes: Record<string, unknown> = {}): Promise<void> {
  const target = join(folder, name);
  const model = AutoModelForCausalLM.fromConfig({ ...config, ...changes });
  await model.savePretrained(target);
  await model.dispose();
  await cp(resolve("test/golden/data/chat/bytes"), target, { recursive: true });
  const path = join(target, "tokenizer_config.json");
  const plain = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...plain, chat_template: template }));
}

const jsonLines = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join("\n");

beforeAll(async () => {
  folder = await workFolder();
  await languageModel("lm");
  await languageModel("small", { vocab_size: 64 });
  await textModel(join(folder, "bert"));
  const rows = ["Hello", "How are you?", "What is it?", "Tell me a story"].map((text) => chat(text, "I am fine."));
  const files: Readonly<Record<string, string>> = {
    "chat.jsonl": jsonLines([...rows, ...rows]),
    "dev.jsonl": jsonLines(rows.slice(0, 2)),
    "unanswered.jsonl": jsonLines([rows[0], { messages: [{ role: "user", content: "Hi" }] }]),
    "critic.jsonl": jsonLines([{ messages: [{ role: "critic", content: "x" }, ...rows[0]!.messages] }]),
    "long.jsonl": jsonLines([chat("you ".repeat(100), "No."), rows[0]]),
    "other.jsonl": jsonLines([{ body: "x" }]),
    "book.txt": "Tell me a story about a small cat. ".repeat(30),
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const training = ["--model", "lm", "--per-device-train-batch-size", "2", "--target-modules", "q_proj,v_proj", ...fast];

describe("a language model: train, eval, inspect-data", () => {
  it("learns the assistant's turns, packed, and evaluates perplexity and token accuracy", async () => {
    const data = ["--train", "chat.jsonl", "--eval", "dev.jsonl", "--assistant-only", "--packing"];
    const args = ["--task", "text-generation", "--method", "lora", ...data, "--output", "out"];
    const { status, stdout, stderr } = await run("train", ...args, ...training, "--json");
    expect(stderr).toMatch(/chat.jsonl: chats \(messages, as OpenAI has them\)/);
    expect(stderr).toMatch(/train: 8 rows packed into \d of up to 96 tokens/);
    expect(status).toBe(0);
    const { eval: scores, labels } = JSON.parse(stdout);
    expect(labels).toEqual([]);
    expect(scores.eval_perplexity).toBeCloseTo(Math.exp(scores.eval_loss), 6);
    expect(scores.eval_token_accuracy).toBeGreaterThanOrEqual(0);
    const adapter = JSON.parse(await readFile(join(folder, "out/adapter_config.json"), "utf8"));
    expect(adapter).toMatchObject({ task_type: "CAUSAL_LM", modules_to_save: null });
    expect(JSON.parse(await readFile(join(folder, "out/graft.json"), "utf8"))).toMatchObject({
      task: "text-generation",
      language: { assistant_only: true, packing: true },
    });
    // The adapter's own settings count: the same tokens are learnt, though rows are apart.
    const apart = JSON.parse((await run("eval", "out", "dev.jsonl", "--no-packing", "--json")).stdout);
    expect(apart.metrics.loss).toBeCloseTo(scores.eval_loss, 4);
  });

  it("is the task of a language model by itself, and reads plain text in pieces", async () => {
    const { status, stdout, stderr } = await run("train", "--train", "book.txt", "--output", "book", ...training);
    expect(status).toBe(0);
    expect(stderr).toMatch(/1 text longer than 96 tokens: read in pieces/);
    expect(stdout).toContain("adapter");
  });

  it("inspect-data shows what is learnt", async () => {
    const { stdout } = await run("inspect-data", "dev.jsonl", "--model", "lm", "--assistant-only", "--rows", "1");
    expect(stdout).toMatch(
      /^row 1: \d+ tokens, \d+ of them learnt \[in brackets\]\n<\|im_start\|>\|.*Ċ \[.*<\|im_end\|>\|Ċ\]\n/,
    );
    expect(stdout).toMatch(/\n2 rows, \d+ tokens, \d+ of them learnt\n$/);
    const all = JSON.parse((await run("inspect-data", "dev.jsonl", "--model", "lm", "--json")).stdout);
    expect(all.rows).toBe(2);
    expect(all.learnt).toBe(all.tokens - 2);
    expect(all.shown[0][1]).toMatchObject({ id: expect.any(Number), token: expect.any(String), learnt: true });
  });
});

describe("what a language model is not taught", () => {
  const train = (data: string, ...more: string[]) => [
    "train",
    "--train",
    data,
    "--output",
    `no-${data}`,
    "--overwrite",
    ...training,
    ...more,
  ];
  it.each([
    ["a chat without an answer", train("unanswered.jsonl"), /unanswered.jsonl:2: the chat has no assistant's turn/],
    ["roles that the template refuses", train("critic.jsonl"), /critic.jsonl:1: .*no critics/],
    [
      "a prompt that fills the context",
      train("long.jsonl", "--assistant-only"),
      /long.jsonl:1 has \d+ tokens, and rows may have 96; its prompt/,
    ],
    ["columns that show nothing", train("other.jsonl"), /columns body, which show no texts/],
    [
      "a template that is none",
      train("chat.jsonl", "--chat-template", "rag"),
      /which is no template and not one of the tokenizer's \(default\)/,
    ],
    ["a template's file that is missing", train("chat.jsonl", "--chat-template", "no.jinja"), /no\.jinja/],
    ["classes", train("chat.jsonl", "--labels", "a,b"), /text-generation has no labels/],
    ["a metric of classes", train("chat.jsonl", "--metrics", "f1"), /the metric f1 compares classes/],
    [
      "ids beyond the vocabulary",
      [...train("chat.jsonl"), "--model", "small"],
      /the token id \d+; the model takes 0 to 63/,
    ],
    ["an encoder", [...train("chat.jsonl", "--task", "text-generation"), "--model", "bert"], /bert/],
    ["a prediction", ["predict", "lm", "Hello"], /goes on with a text/],
    ["the data of a classifier", ["inspect-data", "dev.jsonl", "--model", "bert"], /learns labels and no tokens/],
    ["no model", ["inspect-data", "dev.jsonl"], /which tokens the rows have/],
  ])("%s", async (_, args, message) => {
    const { status, stderr } = await run(...(args as string[]));
    expect(stderr).toMatch(message as RegExp);
    expect(stderr).toMatch(/hint: /);
    expect(status).toBe(1);
  });
});

import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForCausalLM, exportOnnx, generate } from "graft-peft";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { openWeights, readWeightHeaders, resolveFiles } from "#graft/hub/index";
import { AdapterFolder } from "#graft/peft/index";
import { describeAdapter } from "#graft/runs/inspect/adapter";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { HubServer } from "./server/hub-server.js";
import { safetensors } from "./server/safetensors.js";

const golden = fileURLToPath(new URL("../golden/", import.meta.url));
const bytes = (name: string): Uint8Array => readFileSync(join(golden, name));
const factors = { "layers.0.q.lora_A": [2, 6], "layers.0.q.lora_B": [4, 2] };
let server: HubServer;
let root: string;
let cacheDir: string;
let number = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-formats-"));
  server = await HubServer.start();
});
afterAll(async () => {
  await server.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  Object.assign(process.env, { HF_ENDPOINT: server.url, HF_HUB_OFFLINE: "0", HF_HUB_CACHE: join(root, "unused") });
  cacheDir = join(root, `cache-${++number}`);
});

it("pickled weights of a repository are read, in one file and in shards", async () => {
  const wanted = await readAllTensors(await openSafetensors(join(golden, "pickle/plain.safetensors")));
  const weight_map = Object.fromEntries([...wanted.keys()].map((name) => [name, "pytorch_model-00001-of-00001.bin"]));
  server.add("model", "org/pickled", { "config.json": "{}", "pytorch_model.bin": bytes("pickle/plain.pt") });
  server.add("model", "org/shards", {
    "config.json": "{}",
    "pytorch_model.bin.index.json": JSON.stringify({ weight_map }),
    "pytorch_model-00001-of-00001.bin": bytes("pickle/plain.pt"),
  });
  for (const name of ["org/pickled", "org/shards"]) {
    const files = await resolveFiles(name, "model", { cacheDir });
    expect(await readAllTensors(await openWeights(files))).toEqual(wanted);
    expect([...((await readWeightHeaders(files))?.entries.keys() ?? [])].sort()).toEqual([...wanted.keys()].sort());
  }
});

it("a SentencePiece model and chat templates are found", async () => {
  server.add("model", "org/spm", {
    "spm.model": bytes("data/spm/deberta.model"),
    "tokenizer_config.json": JSON.stringify({ tokenizer_class: "DebertaV2Tokenizer" }),
    "chat_template.jinja": "plain",
    "additional_chat_templates/rag.jinja": "more",
  });
  const tokenizer = await Tokenizer.fromFolder("org/spm", { cacheDir });
  expect(tokenizer.decode(tokenizer.encode("a").inputIds, { skipSpecialTokens: true })).toBe("a");
  expect(tokenizer.chatTemplates).toEqual({ default: "plain", rag: "more" });
});

it("a language model generates by its own defaults and is exported with its files, at its revision", async () => {
  const folder = join(golden, "models/llama_lm");
  const own = Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  const repository = server.add("model", "org/lm", {
    ...own,
    "generation_config.json": JSON.stringify({ max_new_tokens: 3 }),
  });
  const revision = repository.refs.get("main") as string;
  repository.commit({ "generation_config.json": JSON.stringify({ max_new_tokens: 5 }) });
  const model = await AutoModelForCausalLM.fromPretrained("org/lm", { cacheDir, revision, threads: 1 });
  try {
    const { sequences } = await generate(model, { inputIds: [[1, 5, 7]] });
    expect(sequences[0]).toHaveLength(6);
    await exportOnnx(model, join(root, "exported"));
  } finally {
    await model.dispose();
  }
  expect(JSON.parse(await readFile(join(root, "exported/generation_config.json"), "utf8"))).toEqual({
    max_new_tokens: 3,
  });
});

it("a loralib checkpoint is an adapter, and PEFT's is described from its header alone", async () => {
  server.add("model", "org/loralib", {
    "lora.safetensors": safetensors(factors),
  });
  const adapter = await AdapterFolder.open("org/loralib", { cacheDir, loraAlpha: 4 });
  expect(adapter.format).toBe("loralib");
  expect(adapter.config(() => {}).toJson()).toMatchObject({ r: 2, lora_alpha: 4, target_modules: ["q"] });

  process.env.HF_HUB_CACHE = cacheDir;
  server.add("model", "org/peft", {
    "adapter_config.json": JSON.stringify({ peft_type: "LORA", r: 2, target_modules: ["q"] }),
    "adapter_model.safetensors": safetensors({ "base_model.model.q.lora_A.weight": [2, 6], more: [900, 900] }),
  });
  const before = server.storeBytes;
  const told = await describeAdapter("org/peft");
  expect(told).toMatchObject({ format: "PEFT", ranks: { 2: 1 }, layers: [] });
  expect(server.storeBytes - before).toBeLessThan(5000);
  await (await AdapterFolder.open("org/peft")).tensors();
  expect((await describeAdapter("org/peft")).layers).toHaveLength(1);
});

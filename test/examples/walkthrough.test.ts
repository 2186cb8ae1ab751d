import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { walkthrough } from "../../examples/walkthrough.js";
import { HubServer } from "../hub/server/hub-server.js";

const golden = fileURLToPath(new URL("../golden", import.meta.url));
const variables = ["HF_ENDPOINT", "HF_HUB_CACHE", "HF_TOKEN", "HF_HUB_OFFLINE"] as const;
const before = Object.fromEntries(variables.map((name) => [name, process.env[name]]));

let folder: string;
let server: HubServer;
let stripes: Uint8Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-walkthrough-"));
  server = await HubServer.start();
  stripes = await readFile(join(golden, "datasets/stripes.parquet"));
  const model = join(golden, "models/vit_imgcls");
  server.add("dataset", "stripes", {
    "README.md":
      "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n",
    "data/train-00000-of-00001.parquet": stripes,
  });
  server.add("model", "org/vit-tiny", {
    "config.json": await readFile(join(model, "config.json")),
    "model.safetensors": await readFile(join(model, "model.safetensors")),
    "preprocessor_config.json": JSON.stringify({ size: { height: 32, width: 32 } }),
    "pytorch_model.bin": "a pickle that nobody wants",
  });
  Object.assign(process.env, {
    HF_ENDPOINT: server.url,
    HF_HUB_CACHE: join(folder, "cache"),
    HF_TOKEN: "hf_test_token",
    HF_HUB_OFFLINE: "0",
  });
});

afterAll(async () => {
  for (const name of variables) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("examples/walkthrough.ts", () => {
  it("loads by name, trains, pushes, and predicts with what it pushed", async () => {
    const lines: string[] = [];
    const { accuracy, predicted, repoName } = await walkthrough({
      dataset: "stripes",
      split: "train[:90%]",
      modelCheckpoint: "org/vit-tiny",
      output: folder,
      changes: { perDeviceTrainBatchSize: 8, gradientAccumulationSteps: 2, numTrainEpochs: 2, loggingSteps: 1 },
      log: (line) => lines.push(line),
      ...(await firstPicture()),
    });
    expect(repoName).toBe("tester/vit-tiny-finetuned-lora-stripes");
    expect([0, 0.5, 1]).toContain(accuracy);
    expect(["horizontal", "vertical"]).toContain(predicted);
    expect(lines[0]).toMatch(/^trainable params: (\d+) \|\| all params: \1 \|\| trainable%: 100\.00$/);
    expect(lines[1]).toMatch(/^trainable params: \d+ \|\| all params: \d+ \|\| trainable%: \d/);
    expect(lines).toContain("epoch  training loss  validation loss  accuracy");

    const pushed = server.repositories.get(`model/${repoName}`)?.at("main");
    expect([...(pushed?.files.keys() ?? [])].sort()).toEqual([
      ".gitattributes",
      "README.md",
      "adapter_config.json",
      "adapter_model.safetensors",
      "preprocessor_config.json",
    ]);
    const config = JSON.parse(new TextDecoder().decode(pushed?.files.get("adapter_config.json")?.bytes));
    expect(config).toMatchObject({ base_model_name_or_path: "org/vit-tiny", r: 16, peft_type: "LORA" });
    const card = new TextDecoder().decode(pushed?.files.get("README.md")?.bytes);
    expect(card).toMatch(/base_model: org\/vit-tiny\nbase_model_relation: adapter/);
    expect(card).toMatch(/type: accuracy\n\s+value: /);
    expect(card).not.toContain("hf_test_token");
    expect(server.log.filter((line) => line.includes("pytorch_model.bin"))).toEqual([]);

    const everything = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of everything.filter((each) => each.isFile())) {
      const bytes = await readFile(join(entry.parentPath, entry.name));
      expect(bytes.includes("hf_test_token"), entry.name).toBe(false);
    }
  });

  it("does the same with folders, and pushes nothing", async () => {
    await cp(join(golden, "datasets"), join(folder, "data"), {
      recursive: true,
      filter: (path) => !/\/(splits|table)/.test(path),
    });
    server.log.length = 0;
    const { repoName } = await walkthrough({
      dataset: join(folder, "data"),
      split: "train",
      modelCheckpoint: "org/vit-tiny",
      output: join(folder, "local"),
      changes: { maxSteps: 1, pushToHub: false, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 1 },
      log: () => {},
      ...(await firstPicture()),
    });
    expect(await readdir(repoName)).toEqual(expect.arrayContaining(["adapter_model.safetensors", "README.md"]));
    expect(server.log.filter((line) => line.startsWith("POST"))).toEqual([]);
  });
});

/** The bytes of the data set's first picture. */
async function firstPicture(): Promise<{ picture: Uint8Array }> {
  const { parquetReadObjects } = await import("hyparquet");
  const [row] = await parquetReadObjects({
    file: stripes.buffer.slice(stripes.byteOffset, stripes.byteOffset + stripes.byteLength) as ArrayBuffer,
    rowEnd: 1,
    utf8: false,
  });
  return { picture: (row as { image: { bytes: Uint8Array } }).image.bytes };
}

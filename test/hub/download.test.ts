import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HubProgress } from "#graft/hub/index";
import { holds, openWeights, resolveFiles } from "#graft/hub/index";
import type { Fault } from "./server/faults.js";
import { HubServer } from "./server/hub-server.js";
import { safetensors } from "./server/safetensors.js";

let server: HubServer;
let root: string;
let cacheDir: string;
let number = 0;

const weights = safetensors({ weight: [40, 50] });
const config = JSON.stringify({ model_type: "bert" });

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-download-"));
  server = await HubServer.start();
});
afterAll(async () => {
  await server.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  process.env.HF_ENDPOINT = server.url;
  process.env.HF_HUB_OFFLINE = "0";
  cacheDir = join(root, `cache-${++number}`);
  server.repositories.clear();
  server.log.length = 0;
});
afterEach(() => {
  server.fault = () => undefined;
  for (const name of ["HF_TOKEN", "HF_HOME", "HF_HUB_CACHE"]) delete process.env[name];
});

const addModel = (id = "org/model", options = {}) =>
  server.add(
    "model",
    id,
    { "config.json": config, "model.safetensors": weights, "pytorch_model.bin": "pickle" },
    options,
  );

const open = (id = "org/model", options = {}) => resolveFiles(id, "model", { cacheDir, ...options });
const download = async (id?: string, options?: object) => (await open(id, options)).path("model.safetensors", "a test");

describe("downloads", () => {
  it("lay files as huggingface_hub does, and fetch only what is asked for", async () => {
    const repository = addModel();
    const commit = repository.refs.get("main") as string;
    const files = await open();
    const path = await files.path("model.safetensors", "a test");
    expect(await readFile(path)).toEqual(Buffer.from(weights));
    await files.json("config.json", "a test");

    const folder = join(cacheDir, "models--org--model");
    expect(await readFile(join(folder, "refs/main"), "utf8")).toBe(commit);
    const snapshot = join(folder, "snapshots", commit);
    expect((await readdir(snapshot)).sort()).toEqual(["config.json", "model.safetensors"]);
    const stored = repository.at("main")?.files.get("model.safetensors");
    expect(await readlink(join(snapshot, "model.safetensors"))).toBe(`../../blobs/${stored?.etag}`);
    expect((await readdir(join(folder, "blobs"))).sort()).toEqual(
      ["config.json", "model.safetensors"].map((name) => repository.at("main")?.files.get(name)?.etag).sort(),
    );

    server.log.length = 0;
    await download();
    expect(server.log).toEqual(["GET hub /api/models/org/model/revision/main"]);
  });

  it("ask no server offline, and say what the cache lacks", async () => {
    await expect(open("org/model", { localFilesOnly: true })).rejects.toMatchObject({
      code: "file-not-found",
      message: expect.stringMatching(/no folder org\/model here.*localFilesOnly is on/),
    });
    addModel();
    await (await resolveFiles("org/model", undefined, { cacheDir })).path("model.safetensors", "a test");
    server.log.length = 0;
    await expect(open("org/model", { localFilesOnly: true })).rejects.toThrow("the cache holds no config.json");
    expect(server.log).toEqual([]);
  }, 20_000);

  it("use what is there when the server cannot be reached", async () => {
    addModel();
    await (await open()).path("config.json", "a test");
    await download();
    server.fault = () => ({ kind: "status", status: 503 });
    expect(await readFile(await download())).toEqual(Buffer.from(weights));
  }, 20_000);

  const faults: readonly (readonly [string, (count: number) => Fault | undefined])[] = [
    ["a reset", (count) => (count < 3 ? { kind: "reset" } : undefined)],
    ["a body that is cut", (count) => (count < 4 ? { kind: "cut", after: 1000 } : undefined)],
    ["a short body", (count) => (count < 3 ? { kind: "short", missing: 10 } : undefined)],
    ["a wrong byte", (count) => (count < 3 ? { kind: "corrupt", at: 999 } : undefined)],
    [
      "429 with Retry-After",
      (count) => (count < 2 ? { kind: "status", status: 429, headers: { "Retry-After": "0" } } : undefined),
    ],
    ["500", (count) => (count < 2 ? { kind: "status", status: 500 } : undefined)],
    ["a cut, then no ranges", (count) => (count === 1 ? { kind: "cut", after: 500 } : { kind: "ignore-range" })],
  ];
  it.each(faults)("come whole after %s", async (_, fault) => {
    addModel();
    let count = 0;
    server.fault = ({ host }) => (host === "store" ? fault(++count) : undefined);
    expect(await readFile(await download())).toEqual(Buffer.from(weights));
    const blobs = await readdir(join(cacheDir, "models--org--model/blobs"));
    expect(blobs.filter((name) => name.includes("graft"))).toEqual([]);
  });

  it("go on where an earlier one broke off", async () => {
    addModel();
    const etag = server.repositories.get("model/org/model")?.at("main")?.files.get("model.safetensors")?.etag;
    const files = await open();
    await files.path("config.json", "a test");
    const blobs = join(cacheDir, "models--org--model/blobs");
    // A process of another number left it.
    await writeFile(join(blobs, `${etag}.graft-999999999-0123abcd.part`), weights.subarray(0, 5000));
    server.log.length = 0;
    const told: HubProgress[] = [];
    const path = await download("org/model", { onProgress: (progress: HubProgress) => told.push(progress) });
    expect(await readFile(path)).toEqual(Buffer.from(weights));
    expect(told[0]?.loaded).toBeGreaterThan(5000);
    expect(told.at(-1)).toEqual({ file: "org/model/model.safetensors", loaded: weights.length, total: weights.length });
  });

  it("of a file that never comes right end in an error, and the cache stays whole", async () => {
    addModel();
    server.fault = ({ host }) => (host === "store" ? { kind: "corrupt", at: 5 } : undefined);
    await expect(download()).rejects.toMatchObject({
      code: "hub-unreachable",
      message: expect.stringContaining("another hash"),
    });
    expect(await readdir(join(cacheDir, "models--org--model")).catch(() => [])).not.toContain("snapshots");
  }, 30_000);

  it("stay at one commit though the branch moves between two files", async () => {
    const repository = addModel();
    const files = await open();
    await files.path("config.json", "a test");
    repository.commit({ "model.safetensors": safetensors({ other: [3] }) });
    expect(await readFile(await files.path("model.safetensors", "a test"))).toEqual(Buffer.from(weights));
    expect((await download()).includes(repository.refs.get("main") as string)).toBe(true);
  });

  it("bring all shards of an index, several at once", async () => {
    const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    server.add("model", "org/sharded", {
      "config.json": config,
      "model.safetensors.index.json": JSON.stringify({ weight_map: { a: names[0], b: names[1] } }),
      [names[0] as string]: safetensors({ a: [3] }),
      [names[1] as string]: safetensors({ b: [4] }),
    });
    const { entries } = await openWeights(await open("org/sharded"));
    expect([...entries.keys()]).toEqual(["a", "b"]);
  });

  it("honour revision and subfolder, and refuse names that lead out", async () => {
    const repository = addModel();
    const first = repository.refs.get("main") as string;
    repository.refs.set("refs/pr/1", repository.commit({ "inner/config.json": '{"model_type":"vit"}' }, "v2"));
    expect(
      await (await open("org/model", { revision: "v2", subfolder: "inner" })).json("config.json", "a test"),
    ).toEqual({
      model_type: "vit",
    });
    expect(
      (await (await resolveFiles("org/model", undefined, { cacheDir, revision: "refs/pr/1" })).list()).includes(
        "inner/config.json",
      ),
    ).toBe(true);
    expect(await (await open("org/model", { revision: first })).has("config.json")).toBe(true);
    await expect(open("org/model", { revision: "../../etc" })).rejects.toThrow(/no revision/);
    await expect(open("org/model", { subfolder: "../x" })).rejects.toThrow(/leads out/);
    await expect(open("org/model", { revision: "v9" })).rejects.toThrow('org/model has no revision "v9"');

    server.add("model", "org/evil", { "config.json": config, "../../outside.json": "{}", "/abs.json": "{}" });
    expect(await (await open("org/evil")).list()).toEqual(["config.json"]);
  });

  it("tell of repositories that are not there, gated, private, or refused", async () => {
    addModel("org/vit-base");
    await expect(open("org/vit-bsae")).rejects.toMatchObject({
      code: "file-not-found",
      hint: expect.stringContaining("org/vit-base"),
    });
    addModel("org/gated", { gated: true });
    await expect(download("org/gated")).rejects.toMatchObject({
      code: "hub-access",
      hint: expect.stringMatching(/Ask for access on http.*\/org\/gated, then log in/),
    });
    addModel("tester/private", { private: true });
    await expect(open("tester/private")).rejects.toThrow(/that anybody may see/);
    await expect(open("tester/private", { token: "hf_wrong" })).rejects.toMatchObject({ code: "hub-access" });
    expect(await readFile(await download("tester/private", { token: "hf_test_token" }))).toEqual(Buffer.from(weights));
    process.env.HF_TOKEN = "hf_test_token";
    await open("tester/private");
    await expect(open("tester/private", { token: false })).rejects.toThrow(/that anybody may see/);
    await expect(open("tester/private", { token: "hf bad\n secret" })).rejects.toThrow(/^(?!.*secret)/);
  });

  it("follow repositories that were renamed", async () => {
    addModel();
    server.renamed.set("old", "org/model");
    const files = await resolveFiles("old", "model", { cacheDir });
    expect(await readFile(await files.path("model.safetensors", "a test"))).toEqual(Buffer.from(weights));
    server.renamed.clear();
  });

  it("share one download among callers, and replace dangling links", async () => {
    addModel();
    const files = await open();
    const paths = await Promise.all([1, 2, 3].map(() => files.path("model.safetensors", "a test")));
    expect(new Set(paths).size).toBe(1);
    expect(server.log.filter((line) => line.startsWith("GET store")).length).toBe(1);
    await rm(join(cacheDir, "models--org--model/blobs"), { recursive: true });
    expect((await lstat(paths[0] as string)).isSymbolicLink()).toBe(true);
    expect(await readFile(await download())).toEqual(Buffer.from(weights));
  });

  it("find HF_HUB_CACHE and HF_HOME, and a folder wins over a repository", async () => {
    addModel();
    process.env.HF_HUB_CACHE = join(root, "by-variable");
    expect(await (await resolveFiles("org/model", "model")).path("config.json", "a test")).toContain("by-variable");
    delete process.env.HF_HUB_CACHE;
    process.env.HF_HOME = join(root, "home");
    expect(await (await resolveFiles("org/model", "model")).path("config.json", "a test")).toContain(
      join(root, "home/hub/models--org--model"),
    );
    expect(await holds("org/nothing", "config.json", { cacheDir })).toBe(false);
    expect(await holds("org/model", "config.json", { cacheDir })).toBe(true);
  });
});

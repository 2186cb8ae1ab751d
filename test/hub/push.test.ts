import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { login, logout, pushFolder, whoAmI } from "graft-peft";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { readWeightHeaders, resolveFiles } from "#graft/hub/index";
import { randomFaults } from "./random-faults.js";
import { HubServer } from "./server/hub-server.js";
import { safetensors } from "./server/safetensors.js";

let server: HubServer;
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "graft-push-"));
  server = await HubServer.start();
  await mkdir(join(root, "adapter/checkpoint-5"), { recursive: true });
  await writeFile(join(root, "adapter/adapter_config.json"), "{}");
  await writeFile(join(root, "adapter/adapter_model.safetensors"), safetensors({ a: [3, 4] }));
  await writeFile(join(root, "adapter/checkpoint-5/optimizer.bin"), "large");
});
afterAll(async () => {
  await server.stop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(() => {
  process.env.HF_ENDPOINT = server.url;
  process.env.HF_HUB_OFFLINE = "0";
  process.env.HF_TOKEN_PATH = join(root, "token");
  delete process.env.HF_TOKEN;
  server.fault = () => undefined;
});

const token = "hf_test_token";

it("pushes a folder as one commit, makes repository and branch, and uses LFS", async () => {
  const pushed = await pushFolder(join(root, "adapter"), "my-adapter", {
    token,
    private: true,
    revision: "v2",
    commitMessage: "First",
  });
  expect(pushed.repoId).toBe("tester/my-adapter");
  const repository = server.repositories.get("model/tester/my-adapter");
  expect(repository?.options.private).toBe(true);
  const commit = repository?.at("v2");
  expect(commit).toMatchObject({ sha: pushed.commit, title: "First" });
  expect([...(commit?.files.keys() ?? [])].sort()).toEqual([
    ".gitattributes",
    "adapter_config.json",
    "adapter_model.safetensors",
  ]);
  const stored = commit?.files.get("adapter_model.safetensors");
  expect(stored?.lfs).toBe(true);
  expect(Buffer.from(stored?.bytes ?? [])).toEqual(await readFile(join(root, "adapter/adapter_model.safetensors")));
});

it("tries again, and says who may not push", async () => {
  let calls = 0;
  server.fault = () => (++calls % 2 === 1 ? { kind: "status", status: 503 } : undefined);
  await pushFolder(join(root, "adapter"), "tester/again", { token });
  server.fault = () => undefined;
  await expect(pushFolder(join(root, "adapter"), "tester/x")).rejects.toMatchObject({
    code: "hub-access",
    hint: expect.stringContaining("graft login"),
  });
  await expect(pushFolder(join(root, "adapter"), "other/x", { token })).rejects.toMatchObject({ code: "hub-access" });
  await expect(pushFolder(join(root, "adapter"), "a/b/c", { token })).rejects.toMatchObject({
    code: "invalid-argument",
  });
});

it("keeps a token that the Hub takes, readable by the user alone", async () => {
  await expect(login({ token: "hf_other" })).rejects.toMatchObject({ code: "hub-access" });
  await expect(stat(join(root, "token"))).rejects.toThrow();
  expect(await login({ token })).toEqual({ name: "tester", orgs: [] });
  expect((await stat(join(root, "token"))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(root, "token"), "utf8")).toBe(token);
  expect((await whoAmI()).name).toBe("tester");
  expect(await logout()).toBe(false);
  await expect(whoAmI()).rejects.toThrow("nobody is logged in");
});

it("reads headers of weights by range requests alone", async () => {
  const weights = safetensors({ weight: [400, 500], bias: [7] });
  server.add("model", "org/big", { "config.json": "{}", "model.safetensors": weights });
  const files = await resolveFiles("org/big", "model", { cacheDir: join(root, "cache") });
  const header = await readWeightHeaders(files);
  expect([...(header?.entries.values() ?? [])].map(({ name, shape }) => [name, shape])).toEqual([
    ["weight", [400, 500]],
    ["bias", [7]],
  ]);
  expect(server.storeBytes).toBeLessThan(5000);
});

it("leaves every cache whole after random faults", async () => {
  const { whole, refused } = await randomFaults(40, 7);
  expect(whole + refused).toBe(40);
  expect(whole).toBeGreaterThan(5);
});

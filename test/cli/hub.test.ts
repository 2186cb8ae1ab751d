import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HubServer } from "../hub/server/hub-server.js";
import { safetensors } from "../hub/server/safetensors.js";
import { graft, workFolder } from "./graft.js";

const golden = fileURLToPath(new URL("../golden/models/vit_imgcls", import.meta.url));
let server: HubServer;
let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  server = await HubServer.start();
  server.add("model", "org/vit", {
    "config.json": await readFile(join(golden, "config.json")),
    "model.safetensors": await readFile(join(golden, "model.safetensors")),
  });
  Object.assign(process.env, {
    HF_ENDPOINT: server.url,
    HF_HUB_OFFLINE: "0",
    HF_HOME: join(folder, "home"),
    HF_HUB_CACHE: join(folder, "cache"),
    HF_TOKEN_PATH: join(folder, "token"),
    HF_TOKEN: "hf_test_token",
  });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it("inspects a model by its name, and what a method would train, without its weights", async () => {
  const { status, stdout, stderr } = await graft(folder, [
    "inspect",
    "org/vit",
    "--lora",
    "r=4,targets=query",
    "--json",
  ]);
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const told = JSON.parse(stdout);
  expect(told).toMatchObject({ kind: "model", modelType: "vit", adapter: { type: "LORA" } });
  expect(told.tensors.length).toBeGreaterThan(10);
  const size = (await readFile(join(golden, "model.safetensors"))).length;
  expect(server.storeBytes).toBeLessThan(size);
});

it("pushes a folder, and says who it is", async () => {
  await mkdir(join(folder, "out"));
  await writeFile(join(folder, "out/adapter_config.json"), "{}");
  await writeFile(join(folder, "out/adapter_model.safetensors"), safetensors({ a: [2] }));
  const pushed = await graft(folder, ["push", "out", "mine", "--private", "--json"]);
  expect(JSON.parse(pushed.stdout)).toMatchObject({ repoId: "tester/mine" });
  expect(server.repositories.get("model/tester/mine")?.options.private).toBe(true);
  expect((await graft(folder, ["whoami"])).stdout).toBe("tester\n");
});

it("says what is wrong with a name", async () => {
  const { status, stderr } = await graft(folder, ["inspect", "org/vti"]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/no folder org\/vti here, and no model org\/vti[\s\S]*org\/vit/);
});

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tuners } from "#graft/peft/index";
import { Engine } from "#graft/runtime/index";
import { openSafetensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { python, withPython } from "../onnx/official-checker.js";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden } from "./numbers.js";
import { type WrittenCase, writtenCases } from "./written-cases.js";

/** What PEFT said of one folder. */
interface Verdict {
  readonly relativeL2?: number;
  /** Those that PEFT's own file of the same adapter does not cause. */
  readonly warnings?: readonly string[];
  /** Where it refused the folder. */
  readonly error?: string;
}

/** What was written when PEFT was asked last, and what it said. */
interface Record {
  readonly versions: { readonly [name: string]: string };
  readonly cases: { readonly [name: string]: Verdict & { readonly sha256: string } };
}

const path = goldenPath("written.json");
const repository = fileURLToPath(new URL("../../", import.meta.url));
const record: Record = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { versions: {}, cases: {} };
const inputs = ["input_ids", "attention_mask", "token_type_ids", "pixel_values"];

let scratch: string;
let engine: Engine;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "graft-written-"));
  engine = await Engine.create({ threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
  await rm(scratch, { recursive: true });
});

/** One number for the two files of an adapter, or for its config and the names and shapes of its tensors. */
async function hashOf({ isComputed }: WrittenCase, folder: string): Promise<string> {
  const hash = createHash("sha256");
  if (isComputed) {
    const { entries } = await openSafetensors(join(folder, "adapter_model.safetensors"));
    for (const [key, { dtype, shape }] of entries) hash.update(`${key} ${dtype} ${shape}\n`);
    hash.update(await readFile(join(folder, "adapter_config.json")));
    return hash.digest("hex");
  }
  for (const file of ["adapter_config.json", "adapter_model.safetensors"])
    hash.update(await readFile(join(folder, file)));
  return hash.digest("hex");
}

/** Writes an adapter; with a batch's logits where PEFT is asked. */
async function write({ name, base: baseName, make }: WrittenCase, withLogits: boolean) {
  const base = await loadGoldenModel(baseName, { engine, threads: undefined });
  const model = await make(base);
  const folder = join(scratch, name.replace("/", "-"));
  await model.savePretrained(folder);
  const io = `${folder}.safetensors`;
  if (withLogits) {
    const { tensors } = await readGolden(`models/${baseName}/io.safetensors`);
    const { logits } = await model(inputsFor(base, tensors));
    const kept = [...tensors].filter(([key]) => inputs.includes(key));
    if (logits) await writeSafetensors(io, new Map([...kept, ["logits", logits]]));
  }
  await base.dispose();
  return { folder, io };
}

/** The rule: no warning of its own, and PEFT's logits are Graft's, but where PEFT draws weights when it loads. */
function isGood({ isUnstable }: Pick<WrittenCase, "isUnstable">, verdict: Verdict | undefined): boolean {
  const { relativeL2, warnings, error } = verdict ?? {};
  return error === undefined && warnings?.length === 0 && (isUnstable || (relativeL2 as number) < 1e-5);
}

test("every method that PEFT has is among the adapters", async () => {
  const types = await Promise.all(
    writtenCases.map(async (one) => {
      const { folder } = await write(one, false);
      return JSON.parse(await readFile(join(folder, "adapter_config.json"), "utf8")).peft_type;
    }),
  );
  const wanted = tuners().filter(
    ({ Config }) => Config.fromJson({ ...required(Config.peftType) }, "", () => {}).toJson().peft_version,
  );
  expect(wanted.map(({ type }) => type).filter((type) => !types.includes(type))).toEqual([]);
});

const required = (type: string): { [key: string]: unknown } => (type === "ADALORA" ? { total_step: 1000 } : {});

describe.each(writtenCases)("$name", (one) => {
  test("is written as it was when PEFT loaded it with the same logits and no warning of its own", async () => {
    const found = record.cases[one.name];
    expect(found, "PEFT was not asked: see reference/README.md").toBeDefined();
    const { folder } = await write(one, false);
    expect(await hashOf(one, folder)).toBe(found?.sha256);
    expect(isGood(one, found), JSON.stringify(found)).toBe(true);
  });
});

describe.runIf(python)(`Python${withPython}`, () => {
  test("PEFT loads all of them with the same logits and no warning of its own", { timeout: 900_000 }, async () => {
    const manifest = [];
    const hashes = new Map<string, string>();
    for (const one of writtenCases) {
      const { folder, io } = await write(one, true);
      hashes.set(one.name, await hashOf(one, folder));
      manifest.push({ name: one.name, base: `test/golden/models/${one.base}`, written: folder, own: one.own, io });
    }
    const [list, out] = [join(scratch, "manifest.json"), join(scratch, "verdicts.json")];
    await writeFile(list, JSON.stringify(manifest));
    const options = ["reference/check_written.py", "--manifest", list, "--out", out];
    await promisify(execFile)(python ?? "", options, { cwd: repository, maxBuffer: 1e8 });
    const { versions, cases } = JSON.parse(await readFile(out, "utf8")) as Record;
    const bad = writtenCases.filter((one) => !isGood(one, cases[one.name]));
    expect(Object.fromEntries(bad.map(({ name }) => [name, cases[name]]))).toEqual({});
    if (!process.env.GRAFT_RECORD_VERDICTS) return;
    const recorded = writtenCases.map(({ name }) => [name, { ...cases[name], sha256: hashes.get(name) }]);
    await writeFile(path, `${JSON.stringify({ versions, cases: Object.fromEntries(recorded) }, null, 1)}\n`);
  });
});

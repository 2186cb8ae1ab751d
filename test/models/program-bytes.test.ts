import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { autoClasses } from "#graft/models/index";
import { Engine } from "#graft/runtime/index";
import { goldenFolder, inputsOf, readTensors } from "./golden.js";
import { goldenModels } from "./registry.js";

/**
 * The programs of models without adapters, as SHA-256 of their ONNX bytes. What stands ready for tuning methods in the
 * modules (sites, streams, slots) must write nothing where nothing is attached. To renew the record after a change that
 * is meant to alter programs: delete the file and run this test.
 */
const record = fileURLToPath(new URL("../golden/onnx/program-bytes.json", import.meta.url));
const read = (): Record<string, string> => (existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : {});

/** Models that are written alike (sharded, with older names) have the same programs. */
const sameAsOthers = ["bert_gamma_beta", "bert_noprefix", "bert_sharded", "vit_v5names"];

test.each(goldenModels.filter(({ name }) => !sameAsOthers.includes(name)))(
  "$name: the bytes of its programs",
  async ({ name, head }) => {
    const model = await autoClasses[head].fromPretrained(goldenFolder(name), {
      threads: 1,
      onReport: () => {},
    });
    onTestFinished(() => model.dispose());
    const compile = vi.spyOn(Engine.prototype, "compile");
    onTestFinished(() => compile.mockRestore());
    const io = await readTensors(`${goldenFolder(name)}/io.safetensors`);
    await model(inputsOf(io));
    const kinds = ["prediction"];
    if (io.has("labels")) {
      const { rules } = model.prepareInputs({ ...inputsOf(io), labels: io.get("labels")! });
      await model.runner.trainingProgram(rules);
      kinds.push("training of all weights");
      for (const [key, parameter] of model.namedParameters()) parameter.trainable = key.startsWith("classifier");
      await model.runner.trainingProgram(rules);
      kinds.push("training of the head");
    }
    expect(compile).toHaveBeenCalledTimes(kinds.length);
    const found = compile.mock.calls.map(
      ([{ model: bytes }], index) =>
        [`${name}: ${kinds[index]}`, createHash("sha256").update(bytes).digest("hex")] as const,
    );
    if (process.env.GRAFT_RECORD) {
      writeFileSync(record, `${JSON.stringify({ ...read(), ...Object.fromEntries(found) }, null, 2)}\n`);
    }
    const recorded = read();
    for (const [key, hash] of found) expect(recorded[key], key).toBe(hash);
  },
);

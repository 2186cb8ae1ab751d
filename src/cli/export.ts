import { Command, Option } from "commander";
import { platform } from "#platform";
import { copyCompanions, outputPath } from "../hub/index.js";
import { exportOnnx } from "../index.js";
import { requireFiniteWeights } from "../runs/models/finite.js";
import { openOptions, openSource } from "../runs/models/open.js";
import { checkOutputFolder } from "../runs/models/output-folder.js";
import { resolveSource } from "../runs/models/source.js";
import { addRunFlags, readRun } from "./run-file/flags.js";
import { sourceHelp } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { formatBytes } from "./shell/format.js";
import { print, printJson, warn } from "./shell/print.js";

interface ExportFlags {
  readonly overwrite?: true;
  readonly json?: true;
}

async function exportModel(folder: string, output: string, flags: ExportFlags): Promise<void> {
  const run = await readRun(undefined, flags as Record<string, unknown>, [""]);
  const source = await resolveSource(folder, run.model);
  const sources = source.adapter === undefined ? [source.base] : [source.base, source.adapter];
  await checkOutputFolder(output, sources, flags.overwrite ?? false);
  const { peft, model } = await openSource(source, { ...openOptions(run), onWarning: warn });
  try {
    const merged = peft === undefined ? model : await peft.mergeAndUnload();
    await requireFiniteWeights(merged.network, folder);
    await platform.writeFolderAtomic(output, async (target) => {
      await exportOnnx(merged, target);
      await copyCompanions(source.processing, target);
    });
    const file = outputPath(output, "onnx/model.onnx");
    const bytes = await platform.fileSize(file);
    if (flags.json) printJson({ output, file, base: source.base, adapter: source.adapter ?? null, bytes });
    else print(`exported ${folder} to ${file} (${formatBytes(bytes)})`);
  } finally {
    await model.dispose();
  }
}

/** `graft export` */
export function exportCommand(): Command {
  const command = new Command("export")
    .description("Write a model, or an adapter merged into its base, as ONNX for transformers.js.")
    .argument("<folder>", "adapter folder, or model folder")
    .argument("<output>", "folder that onnx/model.onnx, config, tokenizer and preprocessor are written to")
    .addOption(new Option("--overwrite", "replace an output folder that holds a merged or exported model"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((folder: string, output: string, flags: ExportFlags) => exportModel(folder, output, flags));
  addRunFlags(command, { sections: [""], only: new Set(["model", "labels", "allowMissing"]), otherHelp: sourceHelp });
  return withExamples(command, [
    ["graft export runs/sst2 exported/sst2", "An adapter, merged into the base model that it names"],
    ["graft export models/vit-tiny exported/vit-tiny", "A model as it is"],
  ]);
}

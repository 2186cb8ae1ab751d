import { Command, Option } from "commander";
import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { copyCompanions, outputPath } from "../hub/index.js";
import { requireFiniteWeights } from "../runs/models/finite.js";
import { openAdapter, openOptions } from "../runs/models/open.js";
import { checkOutputFolder } from "../runs/models/output-folder.js";
import { resolveSource } from "../runs/models/source.js";
import { addRunFlags, readRun } from "./run-file/flags.js";
import { sourceHelp } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { formatBytes, formatCount } from "./shell/format.js";
import { print, printJson, warn } from "./shell/print.js";

interface MergeFlags {
  readonly overwrite?: true;
  readonly json?: true;
}

async function merge(adapter: string, output: string, flags: MergeFlags): Promise<void> {
  const run = await readRun(undefined, flags as Record<string, unknown>, [""]);
  const source = await resolveSource(adapter, run.model);
  await checkOutputFolder(output, [source.base, adapter], flags.overwrite ?? false);
  if (source.adapter === undefined) {
    throw new GraftError(
      "invalid-argument",
      `${adapter} is a model, not an adapter`,
      "Name the adapter's folder, and its base with --model.",
    );
  }
  const peft = await openAdapter(source, { ...openOptions(run), onWarning: warn });
  try {
    const merged = await peft.mergeAndUnload();
    await requireFiniteWeights(merged.network, `${adapter} on ${source.base}`);
    await platform.writeFolderAtomic(output, async (folder) => {
      await merged.savePretrained(folder);
      await copyCompanions(source.base, folder);
      await copyCompanions(source.processing, folder);
    });
    const parameters = merged.numParameters();
    const bytes = await platform.fileSize(outputPath(output, "model.safetensors"));
    if (flags.json) printJson({ output, base: source.base, adapter, parameters, bytes });
    else
      print(
        `merged ${adapter} into ${source.base}: ${output} (${formatCount(parameters)} parameters, ${formatBytes(bytes)})`,
      );
  } finally {
    await peft.dispose();
  }
}

/** `graft merge` */
export function mergeCommand(): Command {
  const command = new Command("merge")
    .description("Add an adapter to its base model's weights and write a plain transformers folder.")
    .argument("<adapter>", "adapter folder")
    .argument("<output>", "folder that the merged model is written to")
    .addOption(new Option("--overwrite", "replace an output folder that holds a merged or exported model"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((adapter: string, output: string, flags: MergeFlags) => merge(adapter, output, flags));
  addRunFlags(command, { sections: [""], only: new Set(["model", "labels", "allowMissing"]), otherHelp: sourceHelp });
  return withExamples(command, [
    ["graft merge runs/sst2 merged/sst2", "The base model is the folder that the adapter names"],
    ["graft merge runs/food101 merged/food101 --model models/vit-tiny", "The base model is in another folder"],
  ]);
}

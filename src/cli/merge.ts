import { Command, Option } from "commander";
import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { copyCompanions } from "../hub/index.js";
import type { PeftModel } from "../peft/index.js";
import { type MergeAction, type MergeReport, mergeActions, writeMerged } from "../runs/merge/stream.js";
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
  const { engine, ...options } = openOptions(run);
  // What no adapter changes stays in its dtype, where it lies.
  const peft = await openAdapter(source, { ...options, engine: { ...engine, storageDtype: "auto" }, onWarning: warn });
  try {
    let report: MergeReport | undefined;
    await platform.writeFolderAtomic(output, async (folder) => {
      report = await writeMerged(peft as PeftModel, source.base, folder, adapter);
      await copyCompanions(source.processing, folder);
    });
    const { tensors = [], files = [], parameters = 0, bytes = 0 } = report ?? {};
    if (flags.json) printJson({ output, base: source.base, adapter, parameters, bytes, files, tensors });
    else {
      const count = (action: MergeAction): number => tensors.filter((one) => one.action === action).length;
      const actions = mergeActions.flatMap((action) => (count(action) > 0 ? [`${count(action)} ${action}`] : []));
      print(
        `merged ${adapter} into ${source.base}: ${output} (${formatCount(parameters)} parameters, ${formatBytes(bytes)}; tensors: ${actions.join(", ")})`,
      );
    }
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

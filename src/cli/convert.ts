import { Command, Option } from "commander";
import { AdapterFolder } from "../peft/index.js";
import { type Reduction, readLora, reduceRanks } from "../runs/convert/factors.js";
import { type TargetFormat, targetFormats, writeConverted } from "../runs/convert/write.js";
import { checkOutputFolder, convertedFiles } from "../runs/models/output-folder.js";
import { withExamples } from "./shell/examples.js";
import { print, printJson, warn } from "./shell/print.js";
import { renderTable } from "./shell/table.js";
import { UsageError } from "./spelling/usage-error.js";

interface ConvertFlags {
  readonly to: TargetFormat;
  readonly loraAlpha?: number;
  readonly rank?: number;
  readonly keep?: number;
  readonly overwrite?: true;
  readonly json?: true;
}

/** Reads a number that an option needs. */
const numberIn =
  (fits: (value: number) => boolean, what: string) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== "" && fits(value)) return value;
    throw new UsageError(`${JSON.stringify(text)} is not ${what}`, "See graft convert --help.");
  };

function reductionOf({ rank, keep }: ConvertFlags): Reduction | undefined {
  if (rank !== undefined && keep !== undefined) {
    throw new UsageError("--rank and --keep both say how small the ranks become", "Give one of them.");
  }
  if (rank !== undefined) return { rank };
  return keep === undefined ? undefined : { keep };
}

async function convert(source: string, output: string, flags: ConvertFlags): Promise<void> {
  const reduction = reductionOf(flags);
  await checkOutputFolder(output, [source], flags.overwrite ?? false, convertedFiles);
  const opened = await AdapterFolder.open(source, flags.loraAlpha === undefined ? {} : { loraAlpha: flags.loraAlpha });
  const read = await readLora(opened, warn);
  const { adapter, losses } = reduction ? await reduceRanks(read, reduction) : { adapter: read, losses: [] };
  const remark = await writeConverted(adapter, flags.to, output);
  const updates = adapter.factors.length;
  if (flags.json) {
    printJson({ output, from: opened.format, to: flags.to, updates, losses, ...(remark !== undefined && { remark }) });
    return;
  }
  if (losses.length > 0) {
    const rows = losses.map(({ module, from, to, loss }) => [
      module,
      String(from),
      String(to),
      `${(100 * loss).toFixed(2)} %`,
    ]);
    const columns = [
      { title: "module" },
      { title: "rank", align: "right" },
      { title: "now", align: "right" },
      { title: "norm lost", align: "right" },
    ] as const;
    print(`${renderTable(columns, rows)}\n`);
  }
  print(`converted ${source} (${opened.format}) to ${flags.to}: ${output} (${updates} updates)`);
  if (remark !== undefined) print(remark);
}

/** `graft convert` */
export function convertCommand(): Command {
  const command = new Command("convert")
    .description("Write a LoRA adapter in another format, and with smaller ranks where asked for.")
    .argument("<adapter>", "adapter folder: PEFT's, mlx-lm's, or one that holds a loralib checkpoint")
    .argument("<output>", "folder that is written")
    .addOption(new Option("--to <format>", "format that is written").choices(targetFormats).default("peft"))
    .addOption(
      new Option("--lora-alpha <number>", "of a loralib checkpoint, which does not hold it").argParser(
        numberIn(Number.isFinite, "a number"),
      ),
    )
    .addOption(
      new Option("--rank <r>", "no rank above this one, by SVD; what is lost is printed").argParser(
        numberIn((value) => Number.isSafeInteger(value) && value > 0, "a whole number from 1"),
      ),
    )
    .addOption(
      new Option("--keep <share>", "the smallest ranks that keep this share of each update's norm").argParser(
        numberIn((value) => value > 0 && value <= 1, "a share above 0 and at most 1"),
      ),
    )
    .addOption(new Option("--overwrite", "replace the output folder"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((adapter: string, output: string, flags: ConvertFlags) => convert(adapter, output, flags));
  return withExamples(command, [
    ["graft convert runs/mnli converted/mnli --lora-alpha 16", "A loralib checkpoint becomes a PEFT adapter"],
    ["graft convert runs/sst2 small/sst2 --keep 0.95", "Smaller ranks, with what is lost"],
    ["graft convert runs/sst2 onnx/sst2 --to onnx_adapter", "For graphs exported with adapters as inputs"],
  ]);
}

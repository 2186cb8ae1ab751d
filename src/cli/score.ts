import { Command, Option } from "commander";
import { platform } from "#platform";
import { bleu, cider, nist, readExamples, rougeL } from "../nlg/index.js";
import { withExamples } from "./shell/examples.js";
import { formatCount } from "./shell/format.js";
import { print, printJson } from "./shell/print.js";
import { renderTable } from "./shell/table.js";

async function score(outputs: string, references: readonly string[], json: boolean): Promise<void> {
  const texts = await Promise.all(references.map((path) => platform.readText(path)));
  const examples = readExamples(await platform.readText(outputs), texts);
  const scores = {
    bleu: bleu(examples),
    nist: nist(examples),
    rougeL: rougeL(examples),
    cider: cider(examples),
  };
  if (json) {
    printJson({ outputs, examples: examples.length, ...scores });
    return;
  }
  const rows = [
    ["BLEU", scores.bleu.toFixed(4)],
    ["NIST", scores.nist.toFixed(4)],
    ["METEOR", "-"],
    ["ROUGE-L", scores.rougeL.toFixed(4)],
    ["CIDEr", scores.cider.toFixed(4)],
  ];
  print(renderTable([{ title: "metric" }, { title: "score", align: "right" }], rows));
  print(`\n${formatCount(examples.length)} outputs of ${platform.basename(outputs)}`);
}

/** `graft score` */
export function scoreCommand(): Command {
  const command = new Command("score")
    .description(
      "BLEU, NIST, ROUGE-L and CIDEr of written texts against references, as the E2E NLG challenge measures them.",
    )
    .argument("<outputs>", "file with one text on a line")
    .argument(
      "<references...>",
      "one file with the references of each text in a block, an empty line between blocks; or files with one on a line",
    )
    .addOption(new Option("--json", "print the scores as one JSON object"))
    .action((outputs: string, references: string[], flags: { json?: true }) =>
      score(outputs, references, flags.json ?? false),
    );
  return withExamples(command, [
    ["graft score baseline-output.txt devel-conc.txt", "The E2E challenge's form"],
    ["graft score outputs.txt reference0 reference1 reference2", "WebNLG's form"],
  ]);
}

import { Command, Option } from "commander";
import { GraftError } from "../errors.js";
import { type InspectedToken, inspectData } from "../runs/inspect/data.js";
import { addRunFlags, countFlag, readRun } from "./run-file/flags.js";
import { languageKeys, tableKeys } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { formatCount } from "./shell/format.js";
import { note, print, printJson, warn } from "./shell/print.js";

interface InspectDataFlags {
  readonly model?: string;
  readonly rows: string;
  readonly json?: true;
}

/** A token with its blanks and line ends to be seen. */
const shownToken = (token: string): string => JSON.stringify(token).slice(1, -1).replaceAll('\\"', '"');

/** Tokens in a row, those that are learnt in brackets: `a|b [c|d] e`. */
function shownRow(tokens: readonly InspectedToken[]): string {
  const parts: string[] = [];
  for (let start = 0; start < tokens.length; ) {
    let end = start;
    const first = tokens[start]!;
    while (tokens[end]?.learnt === first.learnt && tokens[end]?.segment === first.segment) end++;
    const text = tokens
      .slice(start, end)
      .map(({ token }) => shownToken(token))
      .join("|");
    const isNext = start > 0 && tokens[start - 1]?.segment !== first.segment;
    parts.push(`${isNext ? "/ " : ""}${first.learnt ? `[${text}]` : text}`);
    start = end;
  }
  return parts.join(" ");
}

async function show(path: string, flags: InspectDataFlags): Promise<void> {
  const run = await readRun(undefined, flags as unknown as Record<string, unknown>, ["", "data"]);
  if (run.model === undefined) {
    throw new GraftError(
      "invalid-argument",
      "which tokens the rows have is for a model to say, and none is named",
      "Give --model: the folder of a language model, or of an adapter.",
      { option: "model" },
    );
  }
  const rows = countFlag("--rows", flags.rows);
  const found = await inspectData(path, run.model, run, { rows, onWarning: warn, onInfo: note });
  if (flags.json) {
    printJson({ data: path, model: run.model, ...found });
    return;
  }
  found.shown.forEach((tokens, index) => {
    const learnt = tokens.filter((token) => token.learnt).length;
    print(
      `row ${index + 1}: ${formatCount(tokens.length)} tokens, ${formatCount(learnt)} of them learnt [in brackets]`,
    );
    print(`${shownRow(tokens)}\n`);
  });
  print(
    `${formatCount(found.rows)} rows, ${formatCount(found.tokens)} tokens, ${formatCount(found.learnt)} of them learnt`,
  );
}

/** `graft inspect-data` */
export function inspectDataCommand(): Command {
  const command = new Command("inspect-data")
    .description(
      "How a language model would be taught a file: the tokens of its first rows, those that are learnt marked.",
    )
    .argument("<data>", "text, JSON, JSON-lines, CSV or TSV file")
    .addOption(new Option("--rows <n>", "how many rows are shown").default("3"))
    .addOption(new Option("--json", "print everything as one JSON object"))
    .action((path: string, flags: InspectDataFlags) => show(path, flags));
  const keys = tableKeys.filter((key) => !["labelColumn", "labelSeparator", "textPairColumn"].includes(key));
  addRunFlags(command, {
    sections: ["", "data"],
    only: new Set(["model", "trainLimit", ...keys, ...languageKeys]),
    otherHelp: { model: "Folder of a language model, or of an adapter, whose settings then count" },
  });
  return withExamples(command, [
    ["graft inspect-data chat.jsonl --model models/smollm2 --assistant-only", "Which tokens of chats are learnt"],
    ["graft inspect-data book.txt --model models/gpt2 --packing --max-length 256 --rows 1", "A text in pieces, packed"],
  ]);
}

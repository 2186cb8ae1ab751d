import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import { messageOf } from "../errors.js";
import { analyzeCommand } from "./analyze.js";
import { convertCommand } from "./convert.js";
import { estimateCommand } from "./estimate.js";
import { evalCommand } from "./eval.js";
import { exportCommand } from "./export.js";
import { generateCommand } from "./generate.js";
import { inspectCommand } from "./inspect.js";
import { inspectDataCommand } from "./inspect-data.js";
import { loginCommand, logoutCommand, whoAmICommand } from "./login.js";
import { mergeCommand } from "./merge.js";
import { paramsCommand } from "./params.js";
import { predictCommand } from "./predict.js";
import { pushCommand } from "./push.js";
import { scoreCommand } from "./score.js";
import { downloadProgress } from "./shell/download-progress.js";
import { exitCodes, InterruptedError, reportError } from "./shell/errors.js";
import { UsageError } from "./spelling/usage-error.js";
import { trainCommand } from "./train.js";

/** One row for each verb; a new verb is a file and a row here. */
const verbs: readonly (() => Command)[] = [
  trainCommand,
  evalCommand,
  predictCommand,
  generateCommand,
  mergeCommand,
  exportCommand,
  inspectCommand,
  inspectDataCommand,
  analyzeCommand,
  paramsCommand,
  estimateCommand,
  scoreCommand,
  convertCommand,
  pushCommand,
  loginCommand,
  logoutCommand,
  whoAmICommand,
];

const overview = `
Start here:
  $ graft train run.yaml --model models/bert --train train.tsv --eval dev.tsv --output runs/first
  $ graft predict runs/first "a fine film"

graft <verb> --help shows every option of a verb, with examples.
Models and adapters are Hugging Face folders on this computer, or names on the Hugging Face Hub ("org/name").`;

async function packageVersion(): Promise<string> {
  const file = createRequire(import.meta.url).resolve("graft-peft/package.json");
  return String((JSON.parse(await readFile(file, "utf8")) as { version: unknown }).version);
}

function isHelp(error: CommanderError): boolean {
  return error.exitCode === 0;
}

/** Makes commander throw instead of ending the process, and leave the printing of faults to us. */
function throwing(command: Command): Command {
  command.exitOverride().configureOutput({ outputError: () => {} });
  for (const child of command.commands) throwing(child);
  return command;
}

/** What commander says of a switch with a value: `--overwrite=true`. */
function switchWithValue(message: string, { options }: Command): UsageError | undefined {
  const [, flag = "", value = ""] = /^unknown option '(--[a-z][\w-]*)=(.*)'/.exec(message) ?? [];
  const has = (name: string): boolean => options.some(({ long }) => long === name);
  if (!has(flag)) return undefined;
  const opposite = flag.startsWith("--no-") ? flag.replace("--no-", "--") : flag.replace("--", "--no-");
  const hint = has(opposite) ? `Write ${flag}, or ${opposite} for the opposite.` : `Write ${flag}, or leave it out.`;
  return new UsageError(`${flag}=${value}: ${flag} takes no value`, hint);
}

/**
 * What is wrong with a command line that commander refuses.
 * @param argv what follows the program's name
 */
export function usageOf(error: CommanderError, argv: readonly string[]): UsageError {
  const verb = verbs.map((make) => make()).find((command) => command.name() === argv[0]);
  const name = verb?.name();
  const message = messageOf(error)
    .replace(/^error: /, "")
    .replaceAll("\n", " ");
  const help = `See graft ${name ? `${name} ` : ""}--help.`;
  if (error.code !== "commander.unknownOption" || verb === undefined) return new UsageError(message, help);
  const isText = name === "predict" || name === "generate";
  const dashes = isText ? `A text that begins with "-" stands behind "--": graft ${name} <folder> -- "-text". ` : "";
  return switchWithValue(message, verb) ?? new UsageError(message, dashes + help);
}

/**
 * Runs the command line.
 * @param argv what follows the program's name
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const program = new Command("graft")
    .description("Parameter-efficient fine-tuning of transformers: Hugging Face folders in, PEFT adapters out.")
    .version(await packageVersion())
    .showSuggestionAfterError()
    // What stands behind a verb is the verb's: so "--" reaches it, and texts that begin with "-" behind that.
    .enablePositionalOptions()
    .addHelpText("after", overview);
  for (const verb of verbs) program.addCommand(verb());
  throwing(program);
  const json = argv.includes("--json");
  if (argv.length === 0) {
    program.outputHelp();
    return exitCodes.usage;
  }
  const downloads = downloadProgress();
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    downloads.stop();
    if (error instanceof InterruptedError) return exitCodes.interrupted;
    if (!(error instanceof CommanderError)) return reportError(error, json);
    if (isHelp(error)) return exitCodes.done;
    return reportError(usageOf(error, argv), json);
  } finally {
    downloads.stop();
  }
}

import type { Command } from "commander";

/** Adds "Examples:" to a verb's help: lines of [command, what it does]. */
export function withExamples(
  command: Command,
  examples: readonly (readonly [line: string, purpose: string])[],
): Command {
  const text = examples.map(([line, purpose]) => `  # ${purpose}\n  $ ${line}`).join("\n\n");
  return command.addHelpText("after", `\nExamples:\n${text}`);
}

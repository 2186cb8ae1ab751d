import { GraftError, messageOf } from "../../errors.js";
import { userSpelling } from "../spelling/spelling.js";
import { UsageError } from "../spelling/usage-error.js";

/** What the process ends with. */
export const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The user stopped the run; what was to be said about it has been said. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

interface Report {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/**
 * What people are told of an error.
 * @param argv what follows the program's name; default: the process's
 */
export function reportOf(error: unknown, argv?: readonly string[]): Report {
  if (error instanceof GraftError) {
    return {
      code: error.code,
      message: userSpelling(error.message, error.option, argv),
      hint: userSpelling(error.hint, error.option, argv),
    };
  }
  if (error instanceof UsageError) return { code: "usage", message: error.message, hint: error.hint };
  return {
    code: "unexpected",
    message: messageOf(error).split("\n")[0] ?? "",
    hint: "This is a fault of Graft. Run the command again with GRAFT_DEBUG=1 to see where it arose, and report it.",
  };
}

/**
 * Prints an error: two lines for people on standard error, or one JSON object on standard output with `--json`.
 * The stack is shown only with GRAFT_DEBUG=1.
 * @returns the exit status
 */
export function reportError(error: unknown, json: boolean): number {
  const report = reportOf(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: report })}\n`);
  else process.stderr.write(`error [${report.code}]: ${report.message}\nhint: ${report.hint}\n`);
  if (process.env.GRAFT_DEBUG === "1" && error instanceof Error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) process.stderr.write(`${at.stack ?? at}\n`);
  }
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}

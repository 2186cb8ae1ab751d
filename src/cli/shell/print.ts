import { userSpelling } from "../spelling/spelling.js";

/** Result lines for people, on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One result for machines, on one line of standard output. Numbers that JSON lacks (NaN) become null. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Remarks and progress, on standard error, so that standard output holds results alone. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A remark of the library that deserves attention, in the command line's words. */
export function warn(text: string): void {
  note(`warning: ${userSpelling(text)}`);
}

import type { LogEntry } from "../checkpoints/state.js";
import type { CallbackEvent, TrainerCallback } from "./types.js";

/** Prints every log as one line of JSON: losses, evaluations and the figures at the end. Without it a Trainer is silent. */
export class PrinterCallback implements TrainerCallback {
  /** @param print default `console.log` */
  constructor(private readonly print: (line: string) => void = console.log) {}

  onLog({ logs }: CallbackEvent & { readonly logs: LogEntry }): void {
    this.print(JSON.stringify(logs));
  }
}

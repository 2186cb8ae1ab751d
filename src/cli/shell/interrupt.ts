import { note } from "./print.js";

/**
 * Turns Ctrl-C (and a polite kill) into an AbortSignal: the first asks the run to end after its step and to save, the
 * second ends the process at once. Files are written whole or not at all: what was being written keeps its temporary
 * name, which the next run in the folder removes.
 */
export function interruptSignal(onFirst: () => void = () => {}): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stopListening = () => {
    process.off("SIGINT", listener);
    process.off("SIGTERM", listener);
  };
  const listener = () => {
    if (controller.signal.aborted) {
      // By the signal's own default: process.exit would tear ONNX Runtime down under a step that is running.
      stopListening();
      process.kill(process.pid, "SIGINT");
      return;
    }
    controller.abort();
    onFirst();
    note("\nstopping after this step and saving; press Ctrl-C again to stop at once");
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    release() {
      // A second one may come while the process ends, and a shell tells the same status then.
      if (!controller.signal.aborted) stopListening();
    },
  };
}

import { note } from "./print.js";

/** A run's answer to Ctrl-C. */
export interface Interrupt {
  readonly signal: AbortSignal;
  /** To be called once there is something to save: before that, the first Ctrl-C ends the process. */
  startWaiting(): void;
  release(): void;
}

/**
 * Turns Ctrl-C (and a polite kill) into an AbortSignal: the first asks the run to end after its step and to save, the
 * second ends the process at once; so does the first while no step is done, since the one to wait for may never begin.
 * Files are written whole or not at all: what was being written keeps its temporary name, which the next run in the folder
 * removes.
 */
export function interruptSignal(onFirst: () => void = () => {}): Interrupt {
  const controller = new AbortController();
  let isWaiting = false;
  const stopListening = () => {
    process.off("SIGINT", listener);
    process.off("SIGTERM", listener);
  };
  const endAtOnce = () => {
    // By the signal's own default: process.exit would tear ONNX Runtime down under a step that is running.
    stopListening();
    process.kill(process.pid, "SIGINT");
  };
  const listener = () => {
    if (controller.signal.aborted) {
      endAtOnce();
      return;
    }
    onFirst();
    if (!isWaiting) {
      note("\nstopped before the first step was done: nothing is saved");
      endAtOnce();
      return;
    }
    controller.abort();
    note("\nstopping after this step and saving; press Ctrl-C again to stop at once");
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    startWaiting: () => {
      isWaiting = true;
    },
    release() {
      // A second one may come while the process ends, and a shell tells the same status then.
      if (!controller.signal.aborted) stopListening();
    },
  };
}

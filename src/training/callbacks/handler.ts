import type { CallbackState } from "../checkpoints/state.js";
import type { CallbackEvent, CallbackExtra, CallbackMethod, TrainerCallback } from "./types.js";

/** Calls the callbacks in the order in which they were given. */
export class CallbackHandler {
  constructor(readonly callbacks: readonly TrainerCallback[]) {}

  async call<M extends CallbackMethod>(method: M, event: CallbackEvent, extra: CallbackExtra<M>): Promise<void> {
    const { args, state, control } = event;
    for (const callback of this.callbacks) {
      const listener = callback[method] as ((event: CallbackEvent & CallbackExtra<M>) => unknown) | undefined;
      await listener?.call(callback, { args, state, control, ...extra });
    }
  }

  /** Tells every callback that the run failed. What they throw themselves would hide why it did. */
  async tellError({ args, state, control }: CallbackEvent, error: unknown): Promise<void> {
    for (const callback of this.callbacks) {
      try {
        await callback.onTrainError?.({ args, state, control, error });
      } catch {}
    }
  }

  /** What callbacks keep in checkpoints, by name. */
  states(): Record<string, CallbackState> {
    const states: Record<string, CallbackState> = {};
    for (const callback of this.callbacks) {
      if (callback.name !== undefined && callback.saveState) states[callback.name] = callback.saveState();
    }
    return states;
  }

  restore(states: Readonly<Record<string, CallbackState>>): void {
    for (const callback of this.callbacks) {
      const state = callback.name === undefined ? undefined : states[callback.name];
      if (state) callback.restoreState?.(state);
    }
  }
}

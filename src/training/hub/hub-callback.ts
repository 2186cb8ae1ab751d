import { platform } from "#platform";
import { messageOf } from "../../errors.js";
import { pushFolder } from "../../hub/index.js";
import type { CallbackEvent, TrainerCallback } from "../callbacks/index.js";
import { type PushRunOptions, runRepoId } from "./push-run.js";

/** Pushes while a run goes on, as `hubStrategy` says. A push that fails is told and does not end the run. */
export class HubCallback implements TrainerCallback {
  constructor(
    private readonly push: (options: PushRunOptions) => Promise<unknown>,
    private readonly warn: (message: string) => void,
  ) {}

  /** Whoever is not logged in learns it before the run, not after it. */
  async onTrainBegin({ args }: CallbackEvent): Promise<void> {
    await runRepoId(args, {});
  }

  async onSave({ args, state, checkpoint }: CallbackEvent & { readonly checkpoint: string }): Promise<void> {
    const { hubStrategy } = args;
    if (hubStrategy === "end") return;
    const at = `Training in progress, step ${state.globalStep}`;
    try {
      await this.push({ commitMessage: at });
      if (hubStrategy === "every_save") return;
      const pathInRepo = hubStrategy === "checkpoint" ? "last-checkpoint" : platform.basename(checkpoint);
      await pushFolder(checkpoint, await runRepoId(args, {}), { commitMessage: `${at}, checkpoint`, pathInRepo });
    } catch (error) {
      this.warn(`pushing the checkpoint of step ${state.globalStep} failed; the run goes on: ${messageOf(error)}`);
    }
  }
}

import { platform } from "#platform";
import type { TrainingArguments } from "../arguments/index.js";
import {
  type CheckpointContents,
  checkpointPath,
  listCheckpoints,
  type ResumePoint,
  removeOldCheckpoints,
  writeCheckpoint,
} from "./checkpoint.js";
import type { TrainerState } from "./state.js";

/** Writes the checkpoints of one run, notes the best of them, and keeps as many as the arguments say. */
export class CheckpointKeeper {
  /** This run's checkpoints, oldest first. Others in the folder are of earlier runs, whatever their numbers. */
  private readonly own: string[] = [];
  private written: string | null = null;

  constructor(
    private readonly args: TrainingArguments,
    private readonly state: TrainerState,
  ) {}

  /** The last checkpoint that was written here. */
  get last(): string | null {
    return this.written;
  }

  /** Counts the checkpoints up to the one that the run goes on from as its own, where that one lies in outputDir. */
  async takeUp({ folder, state: { globalStep } }: ResumePoint): Promise<void> {
    const { outputDir } = this.args;
    if (platform.resolve(platform.dirname(folder)) !== platform.resolve(outputDir)) return;
    const before = (await listCheckpoints(outputDir)).filter(({ step }) => step <= globalStep);
    this.own.push(...before.map(({ path }) => path));
  }

  /**
   * At the end of a run that keeps a single checkpoint: the last one goes too where another is the best, as in
   * transformers.
   */
  async keepBestAlone(): Promise<void> {
    const { args, state, own } = this;
    const best = state.bestModelCheckpoint;
    if (args.saveTotalLimit !== 1 || best === null || !own.includes(best)) return;
    await removeOldCheckpoints(args.outputDir, 1, [...own.filter((path) => path !== best), best], best);
    this.written = best;
  }

  /**
   * Writes the checkpoint of the current update.
   * @param contents asked for after the state tells its best checkpoint
   * @param again whether to write one that is there already
   * @returns its folder; undefined where it is written already
   */
  async save(
    contents: () => Promise<Omit<CheckpointContents, "args" | "state">>,
    again: boolean,
  ): Promise<string | undefined> {
    const { args, state, own } = this;
    const path = checkpointPath(args.outputDir, state.globalStep);
    if (this.written === path && !again) return undefined;
    if (state.bestGlobalStep !== null) {
      const best = checkpointPath(args.outputDir, state.bestGlobalStep);
      if (best === path || own.includes(best)) state.bestModelCheckpoint = best;
    }
    await writeCheckpoint(path, { ...(await contents()), state, args });
    this.written = path;
    if (!own.includes(path)) own.push(path);
    if (args.saveTotalLimit !== null) {
      await removeOldCheckpoints(args.outputDir, args.saveTotalLimit, own, state.bestModelCheckpoint);
    }
    return path;
  }
}

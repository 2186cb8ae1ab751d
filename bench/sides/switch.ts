// Predictions of one row with the same adapter again, and with the other of two after a switch, in turn.
import { PeftModel } from "graft-peft";
import { tensorData } from "#graft/tensor-data";
import { type GraftSideOptions, loadBase, runAsSide } from "./common.js";

export interface SwitchResult {
  /** Seconds of predictions with the adapter of the prediction before. */
  readonly steady: readonly number[];
  /** Seconds of a switch and the prediction after it. */
  readonly switched: readonly number[];
  /** Sessions made and bytes sent while measuring. */
  readonly sessions: number;
  readonly bytesUploaded: number;
}

async function switches(options: GraftSideOptions): Promise<SwitchResult> {
  const base = await loadBase(options);
  const model = await PeftModel.fromPretrained(base, `${options.folder}/adapter`, { adapterName: "a" });
  await model.loadAdapter(`${options.folder}/adapter`, { adapterName: "b" });
  const row = { pixelValues: tensorData("float32", [1, 3, 224, 224], new Float32Array(3 * 224 * 224).fill(0.5)) };
  const timed = async (name?: string) => {
    const start = performance.now();
    if (name !== undefined) await model.setAdapter(name);
    await model(row);
    return (performance.now() - start) / 1000;
  };
  for (const name of ["a", "b", "a"]) await timed(name);
  const engine = await model.runner.engine();
  const before = await engine.counters();
  const steady: number[] = [];
  const switched: number[] = [];
  for (let step = 0; step < options.steps; step++) {
    steady.push(await timed());
    switched.push(await timed(step % 2 === 0 ? "b" : "a"));
  }
  const after = await engine.counters();
  await model.dispose();
  return {
    steady,
    switched,
    sessions: after.sessions - before.sessions,
    bytesUploaded: after.bytesUploaded - before.bytesUploaded,
  };
}

await runAsSide(switches);

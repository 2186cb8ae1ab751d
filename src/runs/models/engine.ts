import type { FromPretrainedOptions } from "../../models/index.js";
import type { Run } from "../definition/run.js";

/** The engine's options of a run. */
export function engineOf({ backend, threads }: Run): Pick<FromPretrainedOptions, "backend" | "threads"> {
  return { ...(backend && { backend }), ...(threads && { threads }) };
}

import { GraftError } from "../../errors.js";
import { type Network, readParameter } from "../../models/index.js";

const hint = "The weights are damaged (NaN or infinite): load another checkpoint.";

/** Refuses to write a model on that no one could use. @throws GraftError `not-finite` naming the tensor */
export async function requireFiniteWeights(network: Network, folder: string): Promise<void> {
  for (const parameter of network.parameters()) {
    requireFiniteElements(parameter.name, (await readParameter(parameter)).data, folder);
  }
}

/** @throws GraftError `not-finite` naming the tensor */
export function requireFiniteElements(name: string, data: Float32Array, folder: string): void {
  const at = data.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new GraftError("not-finite", `${name} of ${folder} holds ${data[at]}`, hint);
}

/** A loss must be a number before metrics are told beside it. @throws GraftError `not-finite` */
export function requireFiniteLoss(metrics: Readonly<Record<string, number>>, prefix: string, data: string): void {
  const loss = metrics[`${prefix}_loss`];
  if (loss === undefined || Number.isFinite(loss)) return;
  throw new GraftError("not-finite", `the loss on ${data} is ${loss}`, hint);
}

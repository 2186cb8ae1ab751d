import type { NameVersion } from "../models/index.js";
import type { TensorData } from "../tensor-data.js";

/** An adapter's tensors by their keys in adapter_model.safetensors. */
export type PeftStateDict = Readonly<Record<string, TensorData<"float32">>>;

/** Options of `getPeftModelStateDict`. */
export interface StateDictOptions {
  /** Default "default". */
  readonly adapterName?: string;
  /** The spelling of module names, as for `savePretrained`. Default "v5". */
  readonly moduleNames?: NameVersion;
}

/** What has adapters: a `PeftModel`. */
interface WithAdapters {
  /** @internal */
  stateDict(options: StateDictOptions): Promise<PeftStateDict>;
  /** @internal */
  loadStateDict(stateDict: Readonly<Record<string, TensorData>>, adapterName: string): Promise<void>;
}

/**
 * An adapter's tensors as they are now, under the keys that PEFT gives them in its file (without the adapter's name).
 * Asynchronous, for what is trained lies in the engine.
 * @throws GraftError `invalid-argument` for an unknown adapter, `missing-tensor` for a model without weights
 */
export function getPeftModelStateDict(model: WithAdapters, options: StateDictOptions = {}): Promise<PeftStateDict> {
  return model.stateDict(options);
}

/**
 * Gives an adapter other tensors, strictly: keys in either spelling, none missing, left over or of another shape.
 * @throws GraftError `adapter-mismatch` naming the tensors that differ, `invalid-argument` for an unknown adapter,
 *   `unsupported` where the file holds other tensors than are trained (an encoder's product, AdaLoRA's pruned ones)
 */
export function setPeftModelStateDict(
  model: WithAdapters,
  stateDict: Readonly<Record<string, TensorData>>,
  { adapterName = "default" }: Pick<StateDictOptions, "adapterName"> = {},
): Promise<void> {
  return model.loadStateDict(stateDict, adapterName);
}

import type { HubOptions } from "../hub/index.js";
import type { AdapterConfig, OnWarning } from "./config/config-class.js";
import { AdapterFolder } from "./folder/adapter-folder.js";

/** The config of an adapter of any method. */
export type PeftConfig = AdapterConfig;

/** Reads configs of adapters. */
export const PeftConfig = {
  /**
   * The config of an adapter in PEFT's format: of the class that its `peft_type` names.
   * @param onWarning told of keys that nobody knows; console.warn by default
   * @example
   * const { baseModelNameOrPath } = await PeftConfig.fromPretrained("runs/sst2");
   * @throws GraftError `file-not-found`, `invalid-json`, `lfs-pointer`, `pickle-refused` (weights as .bin),
   *   `invalid-config`, `unsupported` (a method or a field that Graft does not build)
   */
  async fromPretrained(
    reference: string,
    { onWarning = console.warn, ...options }: HubOptions & { readonly onWarning?: OnWarning } = {},
  ): Promise<PeftConfig> {
    return (await AdapterFolder.open(reference, options)).config(onWarning);
  },
};

import { GraftError } from "../../../errors.js";

/** The error for running an adapter of AdapterHub's own format. */
export function adapterHubRefused(where: string): GraftError {
  return new GraftError(
    "unsupported",
    `${where} is an adapter of AdapterHub's library "adapters", whose files Graft inspects and does not run`,
    "Its bottleneck methods are Graft's HOULSBY and PFEIFFER, to be trained anew; a LoRA can be saved in PEFT's format in Python.",
  );
}

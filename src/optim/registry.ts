import { adamw } from "./adamw.js";
import { lorafa } from "./lorafa.js";
import { sgd } from "./sgd.js";
import type { OptimizerDefinition, OptimizerName } from "./types.js";

/** Every optimiser by name; a new one is a file and a row here. */
export const optimizers: { readonly [K in OptimizerName]: OptimizerDefinition<K> } = { adamw, lorafa, sgd };

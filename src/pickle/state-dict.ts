import { damaged, refused } from "./faults.js";
import { kindOf, PickledDict, PickledTensor, type Value } from "./values.js";

/** Under these names training scripts keep the model's tensors beside their own notes. */
const wrappers = ["state_dict", "model_state_dict", "model", "module"];

/** The tensors of a state dict, and what lies beside them and is none. */
export interface PickledTensors {
  readonly tensors: ReadonlyMap<string, PickledTensor>;
  /** Names of other values, with what they are. */
  readonly others: ReadonlyMap<string, string>;
}

const hasTensors = (value: Value | undefined): boolean =>
  value instanceof PickledDict && [...value.items.values()].some((one) => one instanceof PickledTensor);

/** @throws GraftError `pickle-refused` for a pickle of no tensors by name */
export function stateDictOf(value: Value, path: string): PickledTensors {
  if (!(value instanceof PickledDict)) throw refused(path, `${kindOf(value)} in the place of tensors by name`);
  const wrapper = hasTensors(value) ? undefined : wrappers.find((name) => hasTensors(value.items.get(name)));
  const dict = wrapper === undefined ? value : (value.items.get(wrapper) as PickledDict);
  const tensors = new Map<string, PickledTensor>();
  const others = new Map<string, string>();
  for (const [key, one] of dict.items) {
    if (typeof key !== "string") throw damaged(path, `a tensor with ${kindOf(key)} for its name`);
    if (one instanceof PickledTensor) tensors.set(key, one);
    else others.set(key, kindOf(one));
  }
  if (tensors.size === 0) throw refused(path, "no tensors by name");
  return { tensors, others };
}

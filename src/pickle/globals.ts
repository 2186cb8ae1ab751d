import type { DType } from "../tensor-data.js";
import { damaged, refused } from "./faults.js";
import {
  type Key,
  kindOf,
  PickledDict,
  PickledGlobal,
  PickledList,
  PickledStorage,
  PickledTensor,
  PickledTuple,
  type Value,
} from "./values.js";

/** The classes of storages, which are named in a pickle and never called. */
const storages: ReadonlyMap<string, DType> = new Map([
  ["torch.DoubleStorage", "float64"],
  ["torch.FloatStorage", "float32"],
  ["torch.HalfStorage", "float16"],
  ["torch.BFloat16Storage", "bfloat16"],
  ["torch.LongStorage", "int64"],
  ["torch.IntStorage", "int32"],
  ["torch.ShortStorage", "int16"],
  ["torch.CharStorage", "int8"],
  ["torch.ByteStorage", "uint8"],
  ["torch.BoolStorage", "bool"],
]);

type Call = (args: readonly Value[], path: string) => Value;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function counts(value: Value | undefined, what: string, path: string): number[] {
  const values = value instanceof PickledTuple ? value.values : undefined;
  if (values?.every(isCount)) return [...(values as number[])];
  throw damaged(path, `a tensor's ${what} is not a tuple of whole numbers from 0`);
}

/** _rebuild_tensor(storage, offset, size, stride), and _v2 with requires_grad and hooks behind. */
const rebuildTensor: Call = ([storage, offset, size, stride], path) => {
  if (!(storage instanceof PickledStorage)) throw damaged(path, "a tensor has no storage");
  if (!isCount(offset)) throw damaged(path, "a tensor's offset is not a whole number from 0");
  const shape = counts(size, "shape", path);
  const strides = counts(stride, "stride", path);
  if (shape.length !== strides.length) throw damaged(path, "a tensor has not as many strides as axes");
  return new PickledTensor(storage, offset, shape, strides);
};

const rebuildParameter: Call = ([tensor], path) => {
  if (tensor instanceof PickledTensor) return tensor;
  throw damaged(path, "a parameter that is no tensor");
};

/** OrderedDict(), or of a list of pairs, as Python 2 wrote it. */
const orderedDict: Call = ([pairs], path) => {
  const dict = new PickledDict();
  if (pairs === undefined) return dict;
  const values = pairs instanceof PickledList ? pairs.values : undefined;
  if (!values) throw damaged(path, "an OrderedDict of something else than pairs");
  for (const pair of values) {
    const own = pair instanceof PickledTuple || pair instanceof PickledList ? pair.values : [];
    if (own.length !== 2) throw damaged(path, "an OrderedDict of something else than pairs");
    dict.items.set(dictKey(own[0] as Value, path), own[1] as Value);
  }
  return dict;
};

const size: Call = ([values], path) => {
  if (values instanceof PickledTuple) return values;
  throw damaged(path, "a torch.Size that is no tuple");
};

/** All that a pickle may call. Nothing of it is run: these lines stand in its place. */
const calls: ReadonlyMap<string, { readonly arity: readonly number[]; readonly call: Call }> = new Map([
  ["torch._utils._rebuild_tensor", { arity: [4], call: rebuildTensor }],
  ["torch._utils._rebuild_tensor_v2", { arity: [6, 7], call: rebuildTensor }],
  ["torch._utils._rebuild_parameter", { arity: [3], call: rebuildParameter }],
  ["collections.OrderedDict", { arity: [0, 1], call: orderedDict }],
  ["torch.Size", { arity: [1], call: size }],
]);

/** @throws GraftError `pickle-refused` naming what is on neither list */
export function importGlobal(module: string, name: string, path: string): PickledGlobal {
  const full = `${module}.${name}`;
  if (storages.has(full) || calls.has(full)) return new PickledGlobal(full);
  throw refused(path, `the name ${full.slice(0, 120)}`);
}

/** What calling an imported name gives. @throws GraftError `pickle-refused`, `invalid-pickle` */
export function callGlobal(callee: Value, args: Value, path: string): Value {
  if (!(callee instanceof PickledGlobal)) throw damaged(path, `it calls ${kindOf(callee)}`);
  const known = calls.get(callee.name);
  if (!known) throw refused(path, `a call of ${callee.name}`);
  const values = args instanceof PickledTuple ? args.values : undefined;
  if (!values || !known.arity.includes(values.length)) {
    throw damaged(path, `${callee.name} is called with ${values ? `${values.length} arguments` : kindOf(args)}`);
  }
  return known.call(values, path);
}

/** Python's key of a dict. @throws GraftError `pickle-refused` for keys that are neither texts nor numbers */
export function dictKey(value: Value, path: string): Key {
  if (value === null || typeof value !== "object") return value;
  throw refused(path, `a dict with ${kindOf(value)} for a key`);
}

/**
 * The storage that a persistent id names: ("storage", class, key, device, elements), in the format before zip with a view
 * behind, which must be none.
 * @throws GraftError `invalid-pickle`, `pickle-refused` for views
 */
export function storageOf(id: Value, path: string): PickledStorage {
  const values = id instanceof PickledTuple ? id.values : [];
  const [word, type, key, , length, view = null] = values;
  const dtype = type instanceof PickledGlobal ? storages.get(type.name) : undefined;
  if (word !== "storage" || values.length < 5 || !dtype || typeof key !== "string" || !isCount(length)) {
    throw damaged(path, "a persistent id that names no storage");
  }
  if (view !== null) throw refused(path, "a storage that is a view of another one");
  return new PickledStorage(key, dtype, length);
}

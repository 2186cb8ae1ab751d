import type { DType } from "../tensor-data.js";

/** A dict, or an OrderedDict. Its attributes (torch keeps `_metadata` there) are not kept. */
export class PickledDict {
  readonly items = new Map<Key, Value>();
}

export class PickledTuple {
  constructor(readonly values: readonly Value[]) {}
}

export class PickledList {
  readonly values: Value[] = [];
}

/** A name that the pickle imports in Python. Here it is looked up in a table and nothing else. */
export class PickledGlobal {
  constructor(readonly name: string) {}
}

/** The elements that one or more tensors lie in. */
export class PickledStorage {
  constructor(
    readonly key: string,
    readonly dtype: DType,
    /** Elements, as the pickle says. */
    readonly length: number,
  ) {}
}

/** A tensor as the pickle describes it; sizes are checked where its storage is known. */
export class PickledTensor {
  constructor(
    readonly storage: PickledStorage,
    /** First element in the storage. */
    readonly offset: number,
    readonly shape: readonly number[],
    /** Elements between neighbours, by axis. */
    readonly strides: readonly number[],
  ) {}
}

export type Key = string | number | boolean | bigint | null;

export type Value =
  | Key
  | Uint8Array
  | PickledDict
  | PickledTuple
  | PickledList
  | PickledGlobal
  | PickledStorage
  | PickledTensor;

/** What a value is, for messages. */
export function kindOf(value: Value): string {
  if (value === null) return "None";
  if (value instanceof PickledDict) return `a dict of ${value.items.size}`;
  if (value instanceof PickledTuple) return "a tuple";
  if (value instanceof PickledList) return "a list";
  if (value instanceof PickledGlobal) return `the name ${value.name}`;
  if (value instanceof PickledStorage) return "a storage";
  if (value instanceof PickledTensor) return "a tensor";
  return value instanceof Uint8Array ? "bytes" : `a ${typeof value === "bigint" ? "number" : typeof value}`;
}

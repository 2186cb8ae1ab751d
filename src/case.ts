// Names are in camelCase in TypeScript and in snake_case in graphs, files and Python; this is the one place that
// turns one into the other.

/** The type of a snake_case name in camelCase. */
export type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

/** An object type with its keys in camelCase. */
export type CamelKeys<T> = { readonly [K in keyof T as K extends string ? CamelCase<K> : never]: T[K] };

/** per_device_train_batch_size -> perDeviceTrainBatchSize. A digit has no case: an underscore before it stays. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** perDeviceTrainBatchSize -> per_device_train_batch_size. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

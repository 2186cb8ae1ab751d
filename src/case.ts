/** A name of the library as files write it: perDeviceTrainBatchSize -> per_device_train_batch_size. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A key of a file as the library names it: text_column -> textColumn. */
export function camelCase(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

import { platform } from "#platform";
import type { SafetensorsEntry } from "../../../safetensors/header.js";
import { bytesPerElement } from "../../../tensor-data.js";

/** A matrix of a file under another name, its rows as columns; put in order when it is read. */
export function transposedEntry(entry: SafetensorsEntry, name: string): SafetensorsEntry {
  const [rows, columns] = entry.shape as [number, number];
  const width = bytesPerElement(entry.dtype);
  const gather = async (): Promise<Uint8Array> => {
    const bytes = await (entry.gather?.() ?? platform.readRange(entry.file, entry.offset, entry.byteLength));
    const out = new Uint8Array(bytes.length);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const from = (row * columns + column) * width;
        out.set(bytes.subarray(from, from + width), (column * rows + row) * width);
      }
    }
    return out;
  };
  return { ...entry, name, shape: [columns, rows], gather };
}

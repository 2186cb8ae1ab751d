/** A safetensors file of float32 tensors with the given shapes. */
export function safetensors(shapes: Readonly<Record<string, readonly number[]>>): Uint8Array {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  const values = new Float32Array(offset / 4).map((_, index) => Math.sin(index));
  file.set(new Uint8Array(values.buffer), 8 + text.length);
  return file;
}

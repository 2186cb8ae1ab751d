/**
 * Memory that serves one piece of work after another. Fresh arrays for each would wait for the garbage collector by the
 * tens of megabytes, and the C library's heap keeps what it once held.
 */
export class Scratch {
  private readonly buffers = new Map<string, ArrayBuffer>();

  /** `byteLength` bytes for a use, holding what the last piece of work left in them. */
  bytes(use: string, byteLength: number): Uint8Array<ArrayBuffer> {
    let buffer = this.buffers.get(use);
    if (buffer === undefined || buffer.byteLength < byteLength) {
      buffer = new ArrayBuffer(byteLength);
      this.buffers.set(use, buffer);
    }
    return new Uint8Array(buffer, 0, byteLength);
  }
}

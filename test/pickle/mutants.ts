/** A whole number below a bound. */
export type Below = (bound: number) => number;

/** The same numbers for the same seed, so that a failing case can be made again (xorshift32). */
export function seeded(seed: number): Below {
  let state = Math.imul(seed + 1, 0x9e3779b9) | 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

const interesting = [0x00, 0x01, 0x28, 0x2e, 0x52, 0x62, 0x63, 0x71, 0x75, 0x7f, 0x80, 0x93, 0xff];

type Mutation = (bytes: Uint8Array, below: Below) => Uint8Array;

function spliced(bytes: Uint8Array, at: number, remove: number, insert: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.max(at, bytes.length - remove) + insert.length);
  out.set(bytes.subarray(0, at));
  out.set(insert, at);
  out.set(bytes.subarray(at + remove), at + insert.length);
  return out.subarray(0, bytes.length - Math.min(remove, bytes.length - at) + insert.length);
}

const mutations: readonly Mutation[] = [
  // A bit, a byte, a few bytes.
  (bytes, below) => {
    const at = below(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << below(8));
    return bytes;
  },
  (bytes, below) => {
    bytes[below(bytes.length)] = below(256);
    return bytes;
  },
  (bytes, below) => {
    bytes[below(bytes.length)] = interesting[below(interesting.length)] as number;
    return bytes;
  },
  (bytes, below) => {
    const at = below(bytes.length);
    for (let i = at; i < Math.min(bytes.length, at + 8); i++) bytes[i] = below(2) === 0 ? 0xff : 0;
    return bytes;
  },
  // Cut off, taken out, put in twice.
  (bytes, below) => bytes.subarray(0, below(bytes.length)),
  (bytes, below) => spliced(bytes, below(bytes.length), 1 + below(16), new Uint8Array(0)),
  (bytes, below) => {
    const from = below(bytes.length);
    return spliced(bytes, below(bytes.length), 0, bytes.slice(from, from + 1 + below(32)));
  },
];

/** A copy of some bytes with one to four mutations. */
export function mutated(original: Uint8Array, below: Below): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let count = 1 + below(4); count > 0 && bytes.length > 0; count--) {
    bytes = (mutations[below(mutations.length)] as Mutation)(bytes, below);
  }
  return bytes;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

const crc32 = (bytes: Uint8Array): number =>
  ~bytes.reduce((crc, byte) => (crc >>> 8) ^ (crcTable[(crc ^ byte) & 0xff] as number), -1) >>> 0;

/** A zip of stored files, as torch writes one: for pickles that are broken inside of a sound archive. */
export function storedZip(files: readonly (readonly [name: string, bytes: Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = 0;
  const header = (size: number, fields: readonly (readonly [at: number, bytes: 2 | 4, value: number])[]) => {
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    for (const [offset, width, value] of fields) {
      if (width === 2) view.setUint16(offset, value, true);
      else view.setUint32(offset, value, true);
    }
    return bytes;
  };
  for (const [name, bytes] of files) {
    const encoded = new TextEncoder().encode(`archive/${name}`);
    const crc = crc32(bytes);
    const sizes = (from: number) =>
      [
        [from, 4, crc],
        [from + 4, 4, bytes.length],
        [from + 8, 4, bytes.length],
        [from + 12, 2, encoded.length],
      ] as const;
    parts.push(header(30, [[0, 4, 0x04034b50], [6, 2, 0x800], ...sizes(14)]), encoded, bytes);
    central.push(header(46, [[0, 4, 0x02014b50], [8, 2, 0x800], ...sizes(16), [42, 4, at]]), encoded);
    at += 30 + encoded.length + bytes.length;
  }
  const centralSize = central.reduce((sum, { length }) => sum + length, 0);
  const end = header(22, [
    [0, 4, 0x06054b50],
    [8, 2, files.length],
    [10, 2, files.length],
    [12, 4, centralSize],
    [16, 4, at],
  ]);
  const all = [...parts, ...central, end];
  const out = new Uint8Array(at + centralSize + 22);
  let offset = 0;
  for (const part of all) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

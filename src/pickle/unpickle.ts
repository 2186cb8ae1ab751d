import { damaged, refused } from "./faults.js";
import { callGlobal, dictKey, importGlobal, storageOf } from "./globals.js";
import { kindOf, PickledDict, PickledList, type PickledStorage, PickledTuple, type Value } from "./values.js";

/** The bytes end within a pickle: more of the file may hold the rest. */
export class EndOfBytes extends Error {}

const MARK = Symbol("mark");

type Item = Value | typeof MARK;

/** Largest number of bytes of a whole number: what torch marks its files with has ten. */
const LARGEST_LONG = 16;

/**
 * A pickle's interpreter for the opcodes of tensors and what surrounds them. It makes values and does nothing else: no
 * import, no call, no attribute. An opcode makes at most one value, so that nothing grows beyond the pickle's own size.
 */
export class Unpickler {
  private readonly view: DataView;
  private stack: Item[] = [];
  private readonly memo = new Map<number, Value>();
  private readonly storages = new Map<string, PickledStorage>();

  /**
   * @param at where the pickle begins; afterwards, where it has ended
   * @param path names the file in messages
   */
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
    private readonly path: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * The value that the pickle makes.
   * @throws GraftError `pickle-refused` naming what is not read, `invalid-pickle`; `EndOfBytes`
   */
  load(): Value {
    this.stack = [];
    this.memo.clear();
    for (;;) {
      const code = this.take(1)[0] as number;
      if (code === 0x2e) return this.pop();
      const step = opcodes.get(code);
      if (!step) throw refused(this.path, `the pickle opcode ${shownOpcode(code)}`);
      step(this);
    }
  }

  take(length: number): Uint8Array {
    const end = this.at + length;
    if (end > this.bytes.length) throw new EndOfBytes();
    const taken = this.bytes.subarray(this.at, end);
    this.at = end;
    return taken;
  }

  uint8 = (): number => this.take(1)[0] as number;
  uint16 = (): number => this.view.getUint16(this.take(2).byteOffset - this.view.byteOffset, true);
  uint32 = (): number => this.view.getUint32(this.take(4).byteOffset - this.view.byteOffset, true);
  int32 = (): number => this.view.getInt32(this.take(4).byteOffset - this.view.byteOffset, true);
  float64 = (): number => this.view.getFloat64(this.take(8).byteOffset - this.view.byteOffset, false);

  length64(): number {
    const low = this.uint32();
    const high = this.uint32();
    if (high !== 0) throw damaged(this.path, "a length of more than 4 GB");
    return low;
  }

  text(length: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(length));
    } catch (error) {
      if (error instanceof EndOfBytes) throw error;
      throw damaged(this.path, "a text that is no UTF-8");
    }
  }

  /** A text up to the end of its line. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new EndOfBytes();
    const text = this.text(end - this.at);
    this.at = end + 1;
    return text;
  }

  long(length: number): void {
    if (length > LARGEST_LONG) throw damaged(this.path, `a whole number of ${length} bytes`);
    const bytes = this.take(length);
    let value = 0n;
    for (const [index, byte] of bytes.entries()) value |= BigInt(byte) << BigInt(8 * index);
    const signed = BigInt.asIntN(8 * length, value);
    const isSafe = signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER);
    this.push(isSafe ? Number(signed) : signed);
  }

  push(value: Item): void {
    this.stack.push(value);
  }

  pop(): Value {
    const value = this.stack.pop();
    if (value === undefined || value === MARK) throw damaged(this.path, "a pickle that takes more than it put down");
    return value;
  }

  top(): Value {
    const value = this.pop();
    this.push(value);
    return value;
  }

  /** Everything above the last mark. */
  popMark(): Value[] {
    const at = this.stack.lastIndexOf(MARK);
    if (at < 0) throw damaged(this.path, "a pickle without the mark that it needs");
    const values = this.stack.splice(at);
    return values.slice(1) as Value[];
  }

  put(index: number): void {
    this.memo.set(index, this.top());
  }

  memoize(): void {
    this.put(this.memo.size);
  }

  get(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw damaged(this.path, `a pickle that recalls the value ${index}, which it never kept`);
    this.push(value);
  }

  tuple(count: number): void {
    const values = Array.from({ length: count }, () => this.pop());
    this.push(new PickledTuple(values.reverse()));
  }

  setItems(values: readonly Value[]): void {
    const dict = this.top();
    if (!(dict instanceof PickledDict)) throw refused(this.path, `items of ${kindOf(dict)}`);
    if (values.length % 2 !== 0) throw damaged(this.path, "a dict with a key and no value");
    for (let i = 0; i < values.length; i += 2) {
      dict.items.set(dictKey(values[i] as Value, this.path), values[i + 1] as Value);
    }
  }

  append(values: readonly Value[]): void {
    const list = this.top();
    if (!(list instanceof PickledList)) throw refused(this.path, `elements of ${kindOf(list)}`);
    for (const value of values) list.values.push(value);
  }

  /** The state of an OrderedDict (torch's `_metadata`) says nothing of its tensors; nothing else has one. */
  build(): void {
    this.pop();
    const object = this.top();
    if (!(object instanceof PickledDict)) throw refused(this.path, `a state of ${kindOf(object)}`);
  }

  persistent(): void {
    const storage = storageOf(this.pop(), this.path);
    const known = this.storages.get(storage.key);
    if (known && (known.dtype !== storage.dtype || known.length !== storage.length)) {
      throw damaged(this.path, `the storage ${storage.key} as ${known.dtype} and as ${storage.dtype}`);
    }
    this.storages.set(storage.key, known ?? storage);
    this.push(known ?? storage);
  }

  importGlobal(module: string, name: string): void {
    this.push(importGlobal(module, name, this.path));
  }

  stackGlobal(): void {
    const name = this.pop();
    const module = this.pop();
    if (typeof name !== "string" || typeof module !== "string") throw damaged(this.path, "a name that is no text");
    this.importGlobal(module, name);
  }

  reduce(): void {
    const args = this.pop();
    this.push(callGlobal(this.pop(), args, this.path));
  }
}

const shownOpcode = (code: number): string =>
  code > 0x20 && code < 0x7f ? JSON.stringify(String.fromCharCode(code)) : `0x${code.toString(16).padStart(2, "0")}`;

/** What each opcode does, by its byte; Python's names beside. */
const opcodes: ReadonlyMap<number, (machine: Unpickler) => void> = new Map<number, (machine: Unpickler) => void>([
  [0x80, (m) => void m.take(1)], // PROTO
  [0x95, (m) => void m.take(8)], // FRAME
  [0x28, (m) => m.push(MARK)], // MARK
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x4a, (m) => m.push(m.int32())], // BININT
  [0x4b, (m) => m.push(m.uint8())], // BININT1
  [0x4d, (m) => m.push(m.uint16())], // BININT2
  [0x8a, (m) => m.long(m.uint8())], // LONG1
  [0x47, (m) => m.push(m.float64())], // BINFLOAT
  [0x58, (m) => m.push(m.text(m.uint32()))], // BINUNICODE
  [0x8c, (m) => m.push(m.text(m.uint8()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.text(m.length64()))], // BINUNICODE8
  [0x55, (m) => m.push(m.text(m.uint8()))], // SHORT_BINSTRING
  [0x54, (m) => m.push(m.text(m.uint32()))], // BINSTRING
  [0x42, (m) => m.push(m.take(m.uint32()))], // BINBYTES
  [0x43, (m) => m.push(m.take(m.uint8()))], // SHORT_BINBYTES
  [0x29, (m) => m.push(new PickledTuple([]))], // EMPTY_TUPLE
  [0x85, (m) => m.tuple(1)], // TUPLE1
  [0x86, (m) => m.tuple(2)], // TUPLE2
  [0x87, (m) => m.tuple(3)], // TUPLE3
  [0x74, (m) => m.push(new PickledTuple(m.popMark()))], // TUPLE
  [0x5d, (m) => m.push(new PickledList())], // EMPTY_LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popMark())], // APPENDS
  [0x7d, (m) => m.push(new PickledDict())], // EMPTY_DICT
  [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
  [0x75, (m) => m.setItems(m.popMark())], // SETITEMS
  [0x71, (m) => m.put(m.uint8())], // BINPUT
  [0x72, (m) => m.put(m.uint32())], // LONG_BINPUT
  [0x94, (m) => m.memoize()], // MEMOIZE
  [0x68, (m) => m.get(m.uint8())], // BINGET
  [0x6a, (m) => m.get(m.uint32())], // LONG_BINGET
  [0x63, (m) => m.importGlobal(m.line(), m.line())], // GLOBAL
  [0x93, (m) => m.stackGlobal()], // STACK_GLOBAL
  [0x52, (m) => m.reduce()], // REDUCE
  [0x62, (m) => m.build()], // BUILD
  [0x51, (m) => m.persistent()], // BINPERSID
]);

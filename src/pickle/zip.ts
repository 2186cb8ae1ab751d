import { type Entry, type FileEntry, Reader, ZipReader } from "@zip.js/zip.js/lib/zip-core-custom.js";
import { platform } from "#platform";
import { GraftError, messageOf } from "../errors.js";
import type { StorageExtent } from "./entries.js";
import { damaged } from "./faults.js";

/** Bytes of the fixed part of the header before each file of a zip, and where in it the lengths of the rest stand. */
const LOCAL_HEADER = 30;
const LOCAL_LENGTHS = 26;

class PlatformReader extends Reader<string> {
  constructor(
    private readonly path: string,
    override readonly size: number,
  ) {
    super(path);
  }

  override async readUint8Array(index: number, length: number): Promise<Uint8Array> {
    const within = Math.min(length, this.size - index);
    return index < 0 || within <= 0 ? new Uint8Array(0) : platform.readRange(this.path, index, within);
  }
}

const isFile = (entry: Entry): entry is FileEntry => !entry.directory;

/** A zip as torch.save writes it: nothing in it is compressed, so that a file's bytes can be read where they lie. */
export class TorchZip {
  private constructor(
    private readonly path: string,
    private readonly entries: ReadonlyMap<string, FileEntry>,
  ) {}

  /** @throws GraftError `invalid-pickle` for a zip with faults, or compressed */
  static async open(path: string, size: number): Promise<TorchZip> {
    const reader = new ZipReader(new PlatformReader(path, size), {
      // torch always writes the end record of large zips, too, which "strict" takes for something foreign.
      strictness: "balanced",
      checkLocalFilename: true,
      checkOverlappingEntry: true,
      maxAppendedDataSize: 0,
      checkSignature: true,
      useWebWorkers: false,
    });
    const files = await readingZip(path, async () => (await reader.getEntries()).filter(isFile));
    const entries = new Map<string, FileEntry>();
    for (const entry of files) {
      const { filename, compressionMethod, encrypted, compressedSize, uncompressedSize } = entry;
      if (compressionMethod !== 0 || encrypted || compressedSize !== uncompressedSize) {
        throw damaged(path, `${filename} is compressed or encrypted in it, as torch leaves nothing`);
      }
      // torch puts everything below one folder, whose name is that of the file when it was written.
      entries.set(filename.replace(/^[^/]*\//, ""), entry);
    }
    if (entries.size !== files.length) throw damaged(path, "it holds two archives");
    return new TorchZip(path, entries);
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  /**
   * Where the bytes of a file lie, after all of them have been read once and compared with their checksum.
   * @throws GraftError `invalid-pickle`
   */
  async locate(name: string): Promise<StorageExtent> {
    const entry = this.entries.get(name);
    if (!entry) throw damaged(this.path, `it lacks ${name}`);
    await readingZip(this.path, () => entry.getData(new WritableStream(), { checkSignature: true }));
    const header = await platform.readRange(this.path, entry.offset + LOCAL_LENGTHS, 4);
    const lengths = new DataView(header.buffer, header.byteOffset, 4);
    const offset = entry.offset + LOCAL_HEADER + lengths.getUint16(0, true) + lengths.getUint16(2, true);
    return { offset, byteLength: entry.uncompressedSize };
  }

  /** A file's bytes. @throws GraftError as `locate` */
  async read(name: string): Promise<Uint8Array> {
    const { offset, byteLength } = await this.locate(name);
    return platform.readRange(this.path, offset, byteLength);
  }
}

async function readingZip<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof GraftError) throw error;
    const reason = error instanceof Error && "reason" in error ? `, ${String(error.reason)}` : "";
    throw damaged(path, `its zip is broken: ${messageOf(error)}${reason}`);
  }
}

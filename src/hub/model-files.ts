import { platform } from "#platform";
import { type JsonObject, parseJsonObject } from "../json.js";
import type { ByteRanges } from "../safetensors/read.js";
import type { chatTemplateFolder, ListedName, ModelFileName } from "./file-names.js";
import type { FilesSource } from "./files-source.js";
import { LARGEST_POINTER, POINTER_START, pointerRefused } from "./lfs-pointer.js";

const BYTE_ORDER_MARK = "\ufeff";

/**
 * The files of one model, adapter, tokenizer or processor, by name. Every reader goes through here, so that where the
 * files lie is decided in one place.
 */
export class ModelFiles {
  /** The reference, as the caller wrote it: messages name it, and adapters note it as their base. */
  readonly origin: string;

  constructor(private readonly source: FilesSource) {
    this.origin = source.origin;
  }

  /** Whether there is such a file. */
  has(name: ModelFileName | ListedName): Promise<boolean> {
    return this.source.has(name);
  }

  /** Whether there may be more files than are known: a cache without its server. */
  get isPartial(): boolean {
    return this.source.isPartial;
  }

  /** Where the file is or would be, for messages: not for reading. */
  place(name: ModelFileName | ListedName): string {
    return this.source.place(name);
  }

  /**
   * The path of a file that is there; one of the Hub is downloaded now, unless it is in the cache.
   * @param purpose what it is needed for, for the message
   * @throws GraftError `file-not-found`, `lfs-pointer`, and of the Hub `hub-access`, `hub-unreachable`, `disk-full`
   */
  async path(name: ModelFileName | ListedName, purpose: string): Promise<string> {
    const path = await this.source.path(name, purpose);
    await refusePointer(path);
    return path;
  }

  /** Brings several files of the Hub at once, before they are asked for. */
  fetch(names: readonly (ModelFileName | ListedName)[]): Promise<void> {
    return this.source.fetch(names);
  }

  /**
   * A file's text, without the byte order mark that some editors put before it.
   * @throws GraftError as `path`, and `file-access` for bytes that are no UTF-8
   */
  async text(name: ModelFileName | ListedName, purpose: string): Promise<string> {
    const text = await platform.readText(await this.path(name, purpose));
    return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  }

  /** The object of a JSON file. @throws GraftError as `text`, and `invalid-json` with line and column */
  async json(name: ModelFileName, purpose: string): Promise<JsonObject> {
    return parseJsonObject(await this.text(name, purpose), `${this.place(name)} (${purpose})`);
  }

  /**
   * The names of all files, sorted; empty where the world cannot list them (the browser's URLs).
   * @param folder lists what is in that folder inside; empty where there is none
   */
  list(folder?: typeof chatTemplateFolder): Promise<string[]> {
    return this.source.list(folder);
  }

  /** Parts of a file of the Hub that is not in the cache, without bringing it; undefined for one that is here. */
  ranges(name: ModelFileName | ListedName): Promise<ByteRanges | undefined> {
    return this.source.ranges(name);
  }

  /** What a relative reference in one of the files means when it counts from here. */
  beside(reference: string): string {
    return this.source.beside(reference);
  }
}

/** @throws GraftError `lfs-pointer` for a file that only stands for another one, `file-not-found`, `file-access` */
export async function refusePointer(path: string): Promise<void> {
  const size = await platform.fileSize(path);
  if (size < POINTER_START.length || size > LARGEST_POINTER) return;
  const start = new TextDecoder().decode(await platform.readRange(path, 0, POINTER_START.length));
  if (start === POINTER_START) throw pointerRefused(path);
}

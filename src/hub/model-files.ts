import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { type JsonObject, parseJsonObject } from "../json.js";
import type { ModelFileName, ShardName } from "./file-names.js";
import { LARGEST_POINTER, POINTER_START, pointerRefused } from "./lfs-pointer.js";

const BYTE_ORDER_MARK = "\ufeff";

/**
 * The files of one model, adapter, tokenizer or processor, by name. Every reader goes through here, so that where the
 * files lie is decided in one place.
 */
export class ModelFiles {
  /** @param origin the folder, as the caller wrote it: messages name it, and adapters note it as their base */
  constructor(readonly origin: string) {}

  /** Whether there is such a file. */
  has(name: ModelFileName | ShardName): Promise<boolean> {
    return platform.exists(this.place(name));
  }

  /** Where the file is or would be, for messages: not for reading. */
  place(name: ModelFileName | ShardName): string {
    return platform.join(this.origin, name);
  }

  /**
   * The path of a file that is there.
   * @param purpose what it is needed for, for the message
   * @throws GraftError `file-not-found`, `lfs-pointer`
   */
  async path(name: ModelFileName | ShardName, purpose: string): Promise<string> {
    const path = this.place(name);
    if (!(await this.has(name))) throw this.missing(name, purpose);
    await refusePointer(path);
    return path;
  }

  /**
   * A file's text, without the byte order mark that some editors put before it.
   * @throws GraftError as `path`, and `file-access` for bytes that are no UTF-8
   */
  async text(name: ModelFileName, purpose: string): Promise<string> {
    const text = await platform.readText(await this.path(name, purpose));
    return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  }

  /** The object of a JSON file. @throws GraftError as `text`, and `invalid-json` with line and column */
  async json(name: ModelFileName, purpose: string): Promise<JsonObject> {
    return parseJsonObject(await this.text(name, purpose), `${this.place(name)} (${purpose})`);
  }

  /** The names of all files, sorted; empty where the world cannot list them (the browser's URLs). */
  async list(): Promise<string[]> {
    try {
      return (await platform.listDirectory(this.origin)).map((entry) => entry.name).sort();
    } catch (error) {
      if (platform.name === "web") return [];
      throw error;
    }
  }

  /** What a relative reference in one of the files means when it counts from here. */
  beside(reference: string): string {
    return platform.join(this.origin, reference);
  }

  private missing(name: string, purpose: string): GraftError {
    return new GraftError(
      "file-not-found",
      `${this.origin} has no ${name}, which is needed for ${purpose}`,
      "Copy the file from the model's repository into the folder.",
    );
  }
}

/** @throws GraftError `lfs-pointer` for a file that only stands for another one, `file-not-found`, `file-access` */
export async function refusePointer(path: string): Promise<void> {
  const size = await platform.fileSize(path);
  if (size < POINTER_START.length || size > LARGEST_POINTER) return;
  const start = new TextDecoder().decode(await platform.readRange(path, 0, POINTER_START.length));
  if (start === POINTER_START) throw pointerRefused(path);
}

import { platform } from "#platform";
import { GraftError } from "../errors.js";
import type { ByteRanges } from "../safetensors/read.js";

/** Where the files of one reference lie: a folder, or a repository of the Hub. */
export interface FilesSource {
  /** The reference, as the caller wrote it. */
  readonly origin: string;
  has(name: string): Promise<boolean>;
  /** Whether there may be more files than are known: a cache without its server. */
  readonly isPartial: boolean;
  /** Where a file is or would be, for messages. */
  place(name: string): string;
  /** The path of a file that is there. @throws GraftError `file-not-found` saying what it is needed for */
  path(name: string, purpose: string): Promise<string>;
  /** Brings several files at once, where they are not here yet; those that are not there are passed over. */
  fetch(names: readonly string[]): Promise<void>;
  /** Names of the files; or of those in a folder inside, empty where there is none. */
  list(folder?: string): Promise<string[]>;
  /** Parts of a file that is not here yet, without bringing it; undefined for one that is here. */
  ranges(name: string): Promise<ByteRanges | undefined>;
  /** What a relative reference in one of the files means when it counts from here. */
  beside(reference: string): string;
}

/** The files of a folder; in the browser also those below a URL. */
export class FolderSource implements FilesSource {
  readonly isPartial = false;

  constructor(
    readonly origin: string,
    private readonly folder = origin,
  ) {}

  has(name: string): Promise<boolean> {
    return platform.exists(this.place(name));
  }

  place(name: string): string {
    return platform.join(this.folder, name);
  }

  async path(name: string, purpose: string): Promise<string> {
    if (await this.has(name)) return this.place(name);
    throw new GraftError(
      "file-not-found",
      `${this.folder} has no ${name}, which is needed for ${purpose}`,
      "Copy the file from the model's repository into the folder.",
    );
  }

  async fetch(): Promise<void> {}

  async ranges(): Promise<undefined> {}

  async list(folder?: string): Promise<string[]> {
    const path = folder === undefined ? this.folder : this.place(folder);
    try {
      if (folder !== undefined && !(await platform.isDirectory(path))) return [];
      return (await platform.listDirectory(path)).map((entry) => entry.name).sort();
    } catch (error) {
      if (platform.name === "web") return [];
      throw error;
    }
  }

  beside(reference: string): string {
    return platform.join(this.folder, reference);
  }
}

/** What a file is written from: text (UTF-8), bytes, or pieces of bytes made on the way. */
export type FileContents = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** One entry of a folder. A link counts as what it points to. */
export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** Bytes of memory of the whole process, mapped files included. */
export interface MemoryUsage {
  /** Resident now. */
  readonly rss: number;
  /** The most that was ever resident (Linux: VmHWM). */
  readonly peakRss: number;
}

/** The far end of a worker, seen from the thread that started it. */
export interface WorkerHandle {
  /** Sends a structured-cloned message; the buffers in `transfer` move instead of being copied. */
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Called for every message of the worker, in order. */
  onMessage(listener: (message: unknown) => void): void;
  /** Called when the worker throws, cannot be loaded, or ends by itself with a failure. */
  onError(listener: (error: Error) => void): void;
  /** Ends the worker at once. Errors after this are not reported. */
  terminate(): Promise<void>;
  /** Lets the process wait for the worker (the state in which it starts). */
  ref(): void;
  /** Lets the process end although the worker still runs. */
  unref(): void;
}

/** The starting thread, seen from inside a worker. */
export interface WorkerPort {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  onMessage(listener: (message: unknown) => void): void;
}

/** The reading side of a world's files. */
export interface FileReading {
  readFile(path: string): Promise<Uint8Array>;
  /** The file as text. Bytes that are not UTF-8 are an error. */
  readText(path: string): Promise<string>;
  /** Exactly `length` bytes from `offset`, in a buffer of their own (so aligned for every dtype). */
  readRange(path: string, offset: number, length: number): Promise<Uint8Array>;
  /** Fills all of `bytes` from `offset`. */
  readInto(path: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** Bytes in the file. */
  fileSize(path: string): Promise<number>;
  /** A text that is another one once the file has been written anew; always the same in the browser. */
  fileVersion(path: string): Promise<string>;
  /** Whether a file or folder is there; a dangling link is not. */
  exists(path: string): Promise<boolean>;
  isDirectory(path: string): Promise<boolean>;
  /** Entries sorted by name. */
  listDirectory(path: string): Promise<DirectoryEntry[]>;
  /** The absolute path behind all links, with `/` between its parts on every system. */
  realPath(path: string): Promise<string>;
}

/** The writing side of a world's files. */
export interface FileWriting {
  /** Creates a folder and its parents; one that exists is fine. */
  makeDirectory(path: string): Promise<void>;
  /** A new empty folder in the system's temporary folder. The caller removes it. */
  makeTemporaryDirectory(prefix: string): Promise<string>;
  /**
   * Writes the whole file or nothing: temporary name in the same folder, fsync, rename, fsync of the folder.
   * An existing file is replaced; the folder must exist.
   */
  writeFileAtomic(path: string, contents: FileContents): Promise<void>;
  /**
   * Writes a whole folder or nothing: `fill` writes into a temporary sibling, which is then renamed into place.
   * A folder that was there is replaced with all it held, and stays untouched when `fill` fails. Parents are created.
   */
  writeFolderAtomic(path: string, fill: (temporaryPath: string) => Promise<void>): Promise<void>;
  /**
   * Writes some files of a folder that holds others, too: `fill` writes them into a temporary folder, and only when all are
   * whole does each take its place. `last` names files one of which makes the folder complete, the one that counts before the
   * others first: the first that is written is put in last, and it and those before it are taken away before that.
   */
  writeFilesInto(
    folder: string,
    last: readonly string[],
    fill: (temporaryPath: string) => Promise<void>,
  ): Promise<void>;
  /**
   * Puts right what writers in a folder left behind that were killed: a folder that was being replaced goes back to its
   * place where its successor never came, and temporary files are removed. Nothing to do in the browser.
   */
  mendInterruptedWrites(folder: string): Promise<void>;
  /** Appends text or bytes; creates the file. */
  appendFile(path: string, contents: string | Uint8Array): Promise<void>;
  /** Removes a file or a folder with all it holds; one that is not there is fine. */
  remove(path: string): Promise<void>;
  /**
   * Puts bytes, or a file that the user picked (a File is a Blob), under a path of the browser's in-memory store. A Blob
   * is read when it is needed, range by range. `unsupported` in Node, where real files exist.
   */
  mountFile(path: string, contents: Uint8Array | Blob): void;
}

/** A download on its way, kept under a name of its own until it is whole; what an earlier one left is gone on with. */
export interface PartialFile {
  /** Bytes that are there. */
  readonly size: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Drops what is there. */
  restart(): Promise<void>;
  digest(algorithm: "sha256" | "git-sha1"): Promise<string>;
  /** Puts the whole file in its place. */
  finish(path: string): Promise<void>;
  /** Leaves what is there for a later download. */
  close(): Promise<void>;
}

/** Files and settings that are shared with other programs: the Hub's cache and token. In the browser `unsupported`. */
export interface SharedFiles {
  /** A variable of the environment; undefined where it is not set, and in the browser. */
  environment(name: string): string | undefined;
  /** The user's own folder. */
  homeDirectory(): string;
  /** Hex digits; "git-sha1": of Git's blob. */
  digest(path: string, algorithm: "sha256" | "git-sha1"): Promise<string>;
  openPartial(path: string): Promise<PartialFile>;
  /** Makes `path` a relative link to `target`, or a copy where links are refused. Whatever was there is replaced. */
  linkFile(target: string, path: string): Promise<void>;
  /** Writes a file that only the user may read (mode 0600). */
  writePrivateFile(path: string, contents: string): Promise<void>;
}

/**
 * Everything that differs between Node and the browser. The rest of the project reaches it through
 * `import { platform } from "#platform"` and runs in both worlds.
 *
 * In the browser paths name files of an in-memory store (`mountFile`, and whatever is written) and, where nothing is
 * mounted, URLs that are fetched. Every failure is a GraftError: `file-not-found`, `file-access`, `disk-full`,
 * or `unsupported` for what one of the worlds cannot do.
 */
export interface Platform extends FileReading, FileWriting, SharedFiles {
  readonly name: "node" | "web";

  join(...parts: string[]): string;
  dirname(path: string): string;
  basename(path: string): string;
  /** Last extension with its dot (".json"), or "". */
  extname(path: string): string;
  /** Absolute path. */
  resolve(path: string): string;

  /**
   * Where the worker's module is: beside the module that asks, or in the installed package where a bundler took that
   * module away from it.
   * @param beside makes the first of these; it may throw where a bundler has left no place to start from
   * @throws GraftError `unsupported` where it is in neither place
   */
  findWorker(beside: () => URL): URL;
  /** Starts the module at `url` in a worker. */
  spawnWorker(url: URL): WorkerHandle;
  /** Inside a worker: the way back. @throws GraftError `engine` outside of one. */
  workerPort(): WorkerPort;

  /** Milliseconds since some fixed moment, never going back. */
  now(): number;
  /** `undefined` where the world does not tell. */
  memoryUsage(): MemoryUsage | undefined;
  /** Collects this thread's garbage at once, where the world allows that: large buffers may otherwise stay for long. */
  collectGarbage(): void;
  /** Threads that can run at once. */
  cpuCount(): number;
}

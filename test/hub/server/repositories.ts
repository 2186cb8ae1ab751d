import { createHash } from "node:crypto";

export type RepoType = "model" | "dataset";

/** A file as the Hub keeps it: in Git under its blob's SHA-1, or in LFS under its SHA-256. */
export interface StoredFile {
  readonly bytes: Uint8Array;
  readonly lfs: boolean;
  readonly etag: string;
}

export interface Commit {
  readonly sha: string;
  readonly title: string;
  readonly files: ReadonlyMap<string, StoredFile>;
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const gitSha1 = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

export function storedFile(bytes: Uint8Array, lfs: boolean): StoredFile {
  return { bytes, lfs, etag: lfs ? sha256(bytes) : gitSha1(bytes) };
}

/** Files that go to LFS whatever their size, as the Hub's .gitattributes have it. */
export const isLarge = (path: string): boolean => /\.(safetensors|parquet|bin|onnx|jpe?g|png)$/.test(path);

export interface RepositoryOptions {
  readonly private?: boolean;
  readonly gated?: boolean;
  readonly disabled?: boolean;
}

let commits = 0;

/** One repository with its commits and branches. */
export class Repository {
  readonly refs = new Map<string, string>();
  readonly commits = new Map<string, Commit>();

  constructor(
    readonly type: RepoType,
    readonly id: string,
    readonly options: RepositoryOptions = {},
  ) {}

  /** Commits onto a branch; null removes a file. */
  commit(files: Readonly<Record<string, Uint8Array | string | null>>, branch = "main", title = "Upload"): string {
    const all = new Map(this.at(branch)?.files ?? []);
    for (const [path, contents] of Object.entries(files)) {
      if (contents === null) all.delete(path);
      else {
        const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
        all.set(path, storedFile(bytes, isLarge(path)));
      }
    }
    const sha = createHash("sha1").update(`${this.id} ${++commits}`).digest("hex");
    this.commits.set(sha, { sha, title, files: all });
    this.refs.set(branch, sha);
    return sha;
  }

  at(revision: string): Commit | undefined {
    return this.commits.get(this.refs.get(revision) ?? revision);
  }
}

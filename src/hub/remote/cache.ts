import { platform } from "#platform";
import { isCommit, type RepoReference } from "./repo-id.js";

/**
 * The folder of one repository in the cache that huggingface_hub and Graft share: `refs/` (the commit behind a branch),
 * `blobs/` (contents by hash), `snapshots/` (a commit's files, links to blobs), `.no_exist/` (files that a commit has not).
 */
export class RepoCache {
  readonly folder: string;

  constructor(
    cacheDir: string,
    private readonly repo: RepoReference,
  ) {
    this.folder = platform.join(cacheDir, `${repo.type}s--${repo.id.replaceAll("/", "--")}`);
  }

  blob(etag: string): string {
    return platform.join(this.folder, "blobs", etag);
  }

  snapshot(commit: string): string {
    return platform.join(this.folder, "snapshots", commit);
  }

  file(commit: string, name: string): string {
    return platform.join(this.snapshot(commit), ...name.split("/"));
  }

  private get ref(): string {
    return platform.join(this.folder, "refs", ...this.repo.revision.split("/"));
  }

  /** The commit that the revision was at when it was last asked for; undefined where nobody asked. */
  async commit(): Promise<string | undefined> {
    const { revision } = this.repo;
    if (isCommit(revision)) return (await platform.isDirectory(this.snapshot(revision))) ? revision : undefined;
    if (!(await platform.exists(this.ref))) return undefined;
    const commit = (await platform.readText(this.ref)).trim();
    return isCommit(commit) && (await platform.isDirectory(this.snapshot(commit))) ? commit : undefined;
  }

  /** Notes the commit that the revision is at. Its snapshot must be there. */
  async writeRef(commit: string): Promise<void> {
    if (isCommit(this.repo.revision)) return;
    const known = (await platform.exists(this.ref)) ? (await platform.readText(this.ref)).trim() : "";
    if (known === commit) return;
    await platform.makeDirectory(platform.dirname(this.ref));
    await platform.writeFileAtomic(this.ref, commit);
  }

  /** Whether it is known that a commit has no such file. */
  lacks(commit: string, name: string): Promise<boolean> {
    return platform.exists(platform.join(this.folder, ".no_exist", commit, ...name.split("/")));
  }

  /** The files of a commit that are here, sorted. */
  async files(commit: string): Promise<string[]> {
    const found: string[] = [];
    const walk = async (folder: string, prefix: string): Promise<void> => {
      for (const { name, isDirectory } of await platform.listDirectory(folder)) {
        const path = platform.join(folder, name);
        if (isDirectory) await walk(path, `${prefix}${name}/`);
        else if (await platform.exists(path)) found.push(prefix + name);
      }
    };
    await walk(this.snapshot(commit), "");
    return found.sort();
  }
}

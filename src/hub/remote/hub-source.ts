import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { ByteRanges } from "../../safetensors/read.js";
import type { FilesSource } from "../files-source.js";
import { RepoCache } from "./cache.js";
import { downloadFile, remoteRanges } from "./download.js";
import { pageFile } from "./page-cache.js";
import { nearNames } from "./refusals.js";
import { checkedRevision, isCommit, isSafeName, type RepoReference, type RepoType } from "./repo-id.js";
import { type RepoState, repoState } from "./repository.js";
import type { HubOptions, HubSettings } from "./settings.js";
import { hubSettings } from "./settings.js";

/** Files that come at the same time. */
const AT_ONCE = 4;

/** The files of a repository of the Hub at one commit: brought into the shared cache when they are asked for. */
export class HubSource implements FilesSource {
  private constructor(
    readonly origin: string,
    private readonly settings: HubSettings,
    private readonly repo: RepoReference,
    /** undefined in the browser. */
    private readonly cache: RepoCache | undefined,
    private readonly state: RepoState,
    private readonly prefix: string,
    /** Whether the server was not asked, or did not answer: what the cache holds is all there is. */
    readonly isPartial: boolean,
  ) {}

  /**
   * Finds the commit behind a revision.
   * @param wanted files without which nobody could use it, and others that may be there: where the cache knows of all of
   *   them at a commit that never moves, no server is asked
   * @throws GraftError as `repoState`; `file-not-found` where there is no network and nothing in the cache
   */
  static async open(type: RepoType, id: string, options: HubOptions): Promise<HubSource> {
    const settings = await hubSettings(options);
    const repo = { type, id, revision: checkedRevision(options.revision ?? "main") };
    const cache = platform.name === "web" ? undefined : new RepoCache(settings.cacheDir, repo);
    const { subfolder = "" } = options;
    if (subfolder !== "" && !isSafeName(subfolder)) {
      throw new GraftError(
        "invalid-argument",
        `subfolder "${subfolder}" leads out of the repository`,
        "Name a folder in it.",
        {
          option: "subfolder",
        },
      );
    }
    const prefix = subfolder === "" ? "" : `${subfolder}/`;
    const made = (state: RepoState, isPartial: boolean) =>
      new HubSource(id, settings, repo, cache, state, prefix, isPartial);
    if (settings.offline) {
      const state = await cachedState(cache);
      if (state === undefined) throw notCached(settings, repo, options);
      return made(state, true);
    }
    try {
      return made(await repoState(settings, repo), false);
    } catch (error) {
      // Without a network what was downloaded before must still do.
      const isAway = error instanceof GraftError && error.code === "hub-unreachable";
      const state = isAway ? await cachedState(cache) : undefined;
      if (state === undefined) throw isAway ? withFolder(error, id) : error;
      return made(state, true);
    }
  }

  /** The commit whose files these are. */
  get commit(): string {
    return this.state.commit;
  }

  async has(name: string): Promise<boolean> {
    return this.state.files.includes(this.prefix + name);
  }

  place(name: string): string {
    return `${this.repo.id}/${this.prefix}${name}`;
  }

  async path(name: string, purpose: string): Promise<string> {
    if (!(await this.has(name))) throw this.missing(name, purpose);
    return this.download(this.prefix + name);
  }

  async fetch(names: readonly string[]): Promise<void> {
    const waiting = names.map((name) => this.prefix + name).filter((name) => this.state.files.includes(name));
    const next = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await this.download(name);
    };
    const lines = Array.from({ length: Math.min(AT_ONCE, waiting.length) }, next);
    // All of them end before an error is told, so that nothing is written behind the caller's back.
    const results = await Promise.allSettled(lines);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async list(folder?: string): Promise<string[]> {
    const prefix = folder === undefined ? this.prefix : `${this.prefix}${folder}/`;
    const below = this.state.files.filter((name) => name.startsWith(prefix));
    return below.map((name) => name.slice(prefix.length)).sort();
  }

  async ranges(name: string): Promise<ByteRanges | undefined> {
    const { settings, repo, cache, state, isPartial } = this;
    const file = { repo, commit: state.commit, name: this.prefix + name };
    if (cache === undefined || isPartial || (await platform.exists(cache.file(file.commit, file.name))))
      return undefined;
    return remoteRanges(settings, file);
  }

  beside(reference: string): string {
    return reference;
  }

  private download(name: string): Promise<string> {
    const { settings, repo, cache, state } = this;
    if (cache === undefined) return pageFile(settings, repo, name);
    if (this.isPartial) return Promise.resolve(cache.file(state.commit, name));
    return downloadFile(settings, cache, { repo, commit: state.commit, name });
  }

  private missing(name: string, purpose: string): GraftError {
    const { repo, state, isPartial, prefix } = this;
    const wanted = prefix + name;
    if (isPartial) {
      return new GraftError(
        "file-not-found",
        `the cache holds no ${wanted} of ${repo.id}, which is needed for ${purpose}`,
        "Download it with a network (localFilesOnly and HF_HUB_OFFLINE off).",
      );
    }
    const near = nearNames(wanted, state.files);
    return new GraftError(
      "file-not-found",
      `${repo.id} has no ${wanted} at "${repo.revision}", which is needed for ${purpose}`,
      near.length > 0
        ? `Its files: ${near.join(", ")}, ...; see revision and subfolder.`
        : "See revision and subfolder.",
    );
  }
}

async function cachedState(cache: RepoCache | undefined): Promise<RepoState | undefined> {
  const commit = await cache?.commit();
  return commit === undefined || cache === undefined ? undefined : { commit, files: await cache.files(commit) };
}

function notCached({ cacheDir }: HubSettings, { type, id, revision }: RepoReference, options: HubOptions): GraftError {
  const why = options.localFilesOnly ? "localFilesOnly is on" : "HF_HUB_OFFLINE is on";
  const at = revision === "main" ? "" : ` at ${isCommit(revision) ? revision.slice(0, 8) : `"${revision}"`}`;
  return new GraftError(
    "file-not-found",
    `there is no folder ${id} here, and no ${type} ${id}${at} in the cache ${cacheDir}; ${why}, so no server is asked`,
    "Check the path, or download once with a network.",
  );
}

/** Whoever meant a folder must learn that it is not there. */
function withFolder({ code, message, hint, cause }: GraftError, id: string): GraftError {
  return new GraftError(code, `there is no folder ${id} here, and ${message}`, hint, { cause });
}

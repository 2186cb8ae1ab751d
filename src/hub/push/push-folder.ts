import { commit, createBranch, createRepo, HubApiError, whoAmI } from "#hub-client";
import { platform } from "#platform";
import { GraftError, messageOf } from "../../errors.js";
import { isRepoId } from "../remote/repo-id.js";
import { type HubOptions, type HubSettings, hubSettings } from "../remote/settings.js";
import { writeFetch } from "./write-fetch.js";

/** Options of pushing. */
export interface PushOptions extends Pick<HubOptions, "token"> {
  /** Whether a new repository is private. Default: as the account has it. */
  readonly private?: boolean | undefined;
  /** Branch; created where it is missing. Default "main". */
  readonly revision?: string | undefined;
  /** Default "Upload with graft-peft". */
  readonly commitMessage?: string | undefined;
  /** Folder in the repository. Default: its root. */
  readonly pathInRepo?: string | undefined;
}

/** What a push made. */
export interface PushedCommit {
  /** "org/name" */
  readonly repoId: string;
  readonly commit: string;
  readonly url: string;
}

/** @throws GraftError `hub-access` where nobody is logged in */
async function writing(options: PushOptions): Promise<HubSettings & { readonly token: string }> {
  const settings = await hubSettings(options);
  const { token } = settings;
  if (token === undefined) {
    throw new GraftError(
      "hub-access",
      "pushing needs an access token, and there is none",
      `Make one with the right to write on ${settings.endpoint}/settings/tokens, then log in (graft login, or login() in a program; or set HF_TOKEN).`,
    );
  }
  return { ...settings, token };
}

/** The name with its owner: the token's account, where none is named. @throws GraftError `invalid-argument`, `hub-access` */
export async function fullRepoId(name: string, options: PushOptions = {}): Promise<string> {
  if (!isRepoId(name)) {
    throw new GraftError(
      "invalid-argument",
      `"${name}" is no name of a repository`,
      'Name it "org/name", with letters, digits, ".", "-" and "_".',
    );
  }
  if (name.includes("/")) return name;
  const { endpoint, token, ...settings } = await writing(options);
  const repo = { type: "model", id: name, revision: "main" } as const;
  const { name: owner } = await whoAmI({
    accessToken: token,
    hubUrl: endpoint,
    fetch: writeFetch({ endpoint, token, ...settings }, repo),
  });
  return `${owner}/${name}`;
}

/** What the client throws of its own accord, as an error that says what to do. */
async function explained<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GraftError) throw error;
    throw new GraftError(
      "hub-unreachable",
      `${what} failed: ${messageOf(error)}`,
      "Try again: nothing here was changed.",
      { cause: error },
    );
  }
}

/** Makes what may be there already. */
async function unlessThere(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof HubApiError && error.statusCode === 409) return;
    throw error;
  }
}

/** What a run leaves beside the model that it saves: it stays here, unless it is what is pushed. */
const isOfRun = (path: string): boolean => /^(checkpoint-\d+\/|events\.jsonl$)/.test(path);

/** Files below a folder; hidden ones and what a writer left half done are not pushed. */
async function filesBelow(folder: string, prefix = ""): Promise<string[]> {
  const entries = await platform.listDirectory(platform.join(folder, prefix));
  const found = await Promise.all(
    entries.map(async ({ name, isDirectory }) => {
      if (name.startsWith(".")) return [];
      return isDirectory ? filesBelow(folder, `${prefix}${name}/`) : [prefix + name];
    }),
  );
  return found.flat();
}

/**
 * Uploads a folder as one commit. The repository is made where it is missing; large files go to LFS. A push that fails
 * leaves the folder, and the repository's last commit, as they were.
 * @throws GraftError `hub-access` (no token, no right), `hub-unreachable`, `invalid-argument`, `empty-dataset` for no files
 */
export async function pushFolder(folder: string, name: string, options: PushOptions = {}): Promise<PushedCommit> {
  const settings = await writing(options);
  const { endpoint: hubUrl, token: accessToken } = settings;
  const id = await fullRepoId(name, options);
  const { revision: branch = "main", pathInRepo, commitMessage: title = "Upload with graft-peft" } = options;
  const names = (await filesBelow(folder)).filter((path) => !isOfRun(path));
  if (names.length === 0) {
    throw new GraftError("file-not-found", `${folder} holds no files to push`, "Name the folder that was saved.");
  }
  const call = { hubUrl, accessToken, fetch: writeFetch(settings, { type: "model", id, revision: branch }) };
  const repo = { type: "model", name: id } as const;
  const operations = await Promise.all(
    names.map(async (path) => ({
      operation: "addOrUpdate" as const,
      path: pathInRepo === undefined ? path : `${pathInRepo}/${path}`,
      content: new Blob([
        (await platform.readFile(platform.join(folder, ...path.split("/")))) as Uint8Array<ArrayBuffer>,
      ]),
    })),
  );
  return explained(`pushing ${folder} to ${id}`, async () => {
    const visibility =
      options.private === undefined ? {} : { visibility: options.private ? ("private" as const) : ("public" as const) };
    await unlessThere(() => createRepo({ ...call, repo, ...visibility }));
    if (branch !== "main") await unlessThere(() => createBranch({ ...call, repo, branch }));
    const made = await commit({ ...call, repo, branch, title, operations, useXet: false });
    const oid = made?.commit.oid ?? "";
    return { repoId: id, commit: oid, url: `${hubUrl}/${id}` };
  });
}

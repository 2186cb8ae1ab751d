import type { GraftError } from "../../errors.js";
import { isJsonObject, parseJson } from "../../json.js";
import { nearNames, refusal, unreachable } from "./refusals.js";
import { apiPath, isCommit, isSafeName, type RepoReference } from "./repo-id.js";
import { type HubAnswer, hubRequest, pause, readAnswer, reasonOf, waitBefore } from "./request.js";
import type { HubSettings } from "./settings.js";

/** A repository's state: the commit behind a revision, and the files in it. */
export interface RepoState {
  readonly commit: string;
  /** Names that could lead out of a folder are left out. */
  readonly files: readonly string[];
}

/**
 * Asks for JSON; an answer whose body breaks off is asked for again.
 * @throws GraftError as `hubRequest`, and what `refuse` makes of another status than 200
 */
export async function hubJson(
  settings: HubSettings,
  path: string,
  what: string,
  refuse: (response: Response) => Promise<GraftError>,
): Promise<{ readonly value: unknown; readonly answer: HubAnswer }> {
  const address = path.startsWith("http") ? path : settings.endpoint + path;
  for (let attempt = 1; ; attempt++) {
    const answer = await hubRequest(settings, address, what);
    if (!answer.response.ok) {
      const error = await refuse(answer.response);
      answer.abort();
      throw error;
    }
    try {
      const text = new TextDecoder().decode(await readAnswer(answer));
      return { value: parseJson(text, `the answer to ${address}`), answer };
    } catch (error) {
      if (attempt >= settings.tries) throw unreachable(settings, what, reasonOf(error), error);
      await pause(waitBefore(settings, attempt));
    }
  }
}

/** Repositories of like names, nearest first; as the server's search gives them. */
async function likeNames(settings: HubSettings, { type, id }: RepoReference): Promise<string[]> {
  const patient = { ...settings, tries: 1 };
  const words = [id.split("/").at(-1) ?? id, ...id.split(/[/_.-]/)].filter((word) => word.length > 2);
  const found = new Set<string>();
  for (const word of [...new Set(words)].slice(0, 3)) {
    const path = `/api/${type}s?search=${encodeURIComponent(word)}&limit=20`;
    const { value } = await hubJson(patient, path, "near names", async () => unreachable(settings, path, "refused"));
    for (const entry of Array.isArray(value) ? value : []) {
      if (isJsonObject(entry) && typeof entry.id === "string") found.add(entry.id);
    }
    if (found.size >= 3) break;
  }
  return nearNames(id, [...found]);
}

/**
 * The commit behind a revision, and its files.
 * @throws GraftError `file-not-found` (no such repository, with near names; no such revision), `hub-access` (gated, token),
 *   `hub-unreachable`
 */
export async function repoState(settings: HubSettings, repo: RepoReference): Promise<RepoState> {
  const path = `${apiPath(repo)}/revision/${encodeURIComponent(repo.revision)}`;
  const { value } = await hubJson(settings, path, repo.id, (response) =>
    refusal(settings, response, { repo }, () => likeNames(settings, repo)),
  );
  const { sha, siblings } = isJsonObject(value) ? value : {};
  if (typeof sha !== "string" || !isCommit(sha) || !Array.isArray(siblings)) {
    throw unreachable(settings, repo.id, "the answer names no commit and no files");
  }
  const names = siblings.map((each: unknown) => (isJsonObject(each) ? each.rfilename : undefined));
  const files = names.filter((name): name is string => typeof name === "string" && isSafeName(name));
  return { commit: sha, files };
}

/** A file of a tree. */
export interface TreeFile {
  readonly path: string;
  readonly size: number;
}

const nextPage = (link: string | null): string | undefined => /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? "")?.[1];

/** All files below a folder with their sizes, page by page. @throws GraftError as `repoState` */
export async function treeFiles(
  settings: HubSettings,
  repo: RepoReference,
  commit: string,
  folder = "",
): Promise<TreeFile[]> {
  const below = folder === "" ? "" : `/${folder.split("/").map(encodeURIComponent).join("/")}`;
  let path: string | undefined = `${apiPath(repo)}/tree/${encodeURIComponent(commit)}${below}?recursive=true`;
  const found: TreeFile[] = [];
  while (path !== undefined) {
    const page: { value: unknown; answer: HubAnswer } = await hubJson(
      settings,
      path,
      `the files of ${repo.id}`,
      (response) => refusal(settings, response, { repo }),
    );
    for (const entry of Array.isArray(page.value) ? page.value : []) {
      if (!isJsonObject(entry) || entry.type !== "file" || typeof entry.path !== "string") continue;
      if (isSafeName(entry.path)) found.push({ path: entry.path, size: Number(entry.size) });
    }
    const next = nextPage(page.answer.header("link"));
    // A page that is on another host would be told the token.
    path = next?.startsWith(settings.endpoint) ? next : undefined;
  }
  return found;
}

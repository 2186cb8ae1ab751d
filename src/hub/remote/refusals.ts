import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import type { RepoReference } from "./repo-id.js";
import type { HubSettings } from "./settings.js";

/** What is asked for, for messages. */
export interface Subject {
  readonly repo: RepoReference;
  /** The file, where one is asked for. */
  readonly file?: string;
}

const pageOf = ({ endpoint }: HubSettings, { type, id }: RepoReference): string =>
  `${endpoint}/${type === "model" ? "" : "datasets/"}${id}`;

const hostOf = ({ endpoint }: HubSettings): string => endpoint.replace(/^https?:\/\//, "");

const LOGIN = "log in (graft login, or login() in a program; or set HF_TOKEN)";

function gated(settings: HubSettings, repo: RepoReference): GraftError {
  return new GraftError(
    "hub-access",
    `${repo.id} is a gated ${repo.type}: its owners decide who may download it`,
    settings.token === undefined
      ? `Ask for access on ${pageOf(settings, repo)}, then ${LOGIN}.`
      : `Ask for access on ${pageOf(settings, repo)} with the account of your token, or take a token that may read gated repositories.`,
  );
}

async function unknown(
  settings: HubSettings,
  repo: RepoReference,
  names: () => Promise<string[]>,
): Promise<GraftError> {
  const near = await names().catch(() => []);
  const like = near.length > 0 ? ` Near names: ${near.join(", ")}.` : "";
  const isAnonymous = settings.token === undefined;
  return new GraftError(
    "file-not-found",
    `there is no folder ${repo.id} here, and no ${repo.type} ${repo.id} on ${hostOf(settings)}${isAnonymous ? " that anybody may see" : " that your token may see"}`,
    `Check the name.${like} For a private repository ${isAnonymous ? LOGIN : "take a token of an account that may read it"}.`,
  );
}

function ofStatus(settings: HubSettings, status: number, said: string, { repo, file }: Subject): GraftError {
  const what = file === undefined ? repo.id : `${repo.id}/${file}`;
  const tail = said === "" ? "" : `: ${said}`;
  if (status === 401) {
    return new GraftError(
      "hub-access",
      `${hostOf(settings)} refused the access token${tail}`,
      `Make a new one on ${settings.endpoint}/settings/tokens and ${LOGIN}; without a token (token: false) public repositories can be read.`,
    );
  }
  if (status === 403) {
    return new GraftError(
      "hub-access",
      `${hostOf(settings)} does not allow this for ${what}${tail}`,
      "Check that the token's account has a right to it, and that the token may do it (read, write).",
    );
  }
  if (status === 429) {
    return new GraftError(
      "hub-unreachable",
      `${hostOf(settings)} answers that there were too many requests`,
      "Wait a few minutes and start again: what has come is kept. Logged in, more are allowed.",
    );
  }
  return new GraftError(
    "hub-unreachable",
    `${hostOf(settings)} answered ${status} for ${what}${tail}`,
    "Try again later: what has come is kept.",
  );
}

/**
 * The error behind an answer that is a refusal.
 * @param names finds repositories of like names, for those that are not there
 */
export async function refusal(
  settings: HubSettings,
  response: Response,
  subject: Subject,
  names: () => Promise<string[]> = async () => [],
): Promise<GraftError> {
  const { repo, file } = subject;
  const code = response.headers.get("x-error-code");
  const said = (response.headers.get("x-error-message") ?? "").slice(0, 200);
  if (code === "GatedRepo") return gated(settings, repo);
  if (code === "RepoNotFound") return unknown(settings, repo, names);
  if (code === "RevisionNotFound") {
    return new GraftError(
      "file-not-found",
      `${repo.id} has no revision "${repo.revision}"`,
      `Name a branch, tag or commit of ${pageOf(settings, repo)}.`,
      { option: "revision" },
    );
  }
  if (code === "EntryNotFound" || (response.status === 404 && file !== undefined)) {
    return new GraftError(
      "file-not-found",
      `${repo.id} has no ${file ?? "such file"} at "${repo.revision}"`,
      `See its files on ${pageOf(settings, repo)}/tree/${repo.revision}.`,
    );
  }
  if (response.status === 404) return unknown(settings, repo, names);
  return ofStatus(settings, response.status, said, subject);
}

/** The error for a server that cannot be reached, or a connection that keeps breaking. */
export function unreachable(settings: HubSettings, what: string, reason: string, cause?: unknown): GraftError {
  return new GraftError(
    "hub-unreachable",
    `cannot get ${what} from ${hostOf(settings)}: ${reason}`,
    "Check the network (HF_ENDPOINT names another server) and start again: what has come is kept. Without a network, name a local folder.",
    { cause },
  );
}

/** Names near a wanted one, from a list. */
export function nearNames(wanted: string, known: readonly string[]): string[] {
  return nearest(wanted, known, 3);
}

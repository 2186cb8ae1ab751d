import { GraftError } from "../../errors.js";

export type RepoType = "model" | "dataset";

/** A repository of the Hub at a revision. */
export interface RepoReference {
  readonly type: RepoType;
  /** "org/name", or "name" for the oldest ones. */
  readonly id: string;
  readonly revision: string;
}

const LONGEST_ID = 96;

/** Whether a text has the form of a repository's name. */
export function isRepoId(text: string): boolean {
  const isForm = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/.test(text);
  return isForm && text.length <= LONGEST_ID && !/--|\.\.|\.git$/.test(text) && !/[.-](\/|$)/.test(text);
}

/** @throws GraftError `invalid-argument` for a revision that no Git takes */
export function checkedRevision(revision: string): string {
  const parts = revision.split("/");
  const isUsable = /^[\w./+@-]+$/.test(revision) && parts.every((part) => part !== "" && !/^\.+$/.test(part));
  if (isUsable) return revision;
  throw new GraftError(
    "invalid-argument",
    `"${revision}" is no revision`,
    'Name a branch, a tag or a commit, such as "main".',
    { option: "revision" },
  );
}

/** Whether a revision is a whole commit, which never moves. */
export const isCommit = (revision: string): boolean => /^[\da-f]{40}$/.test(revision);

/** Whether a file's name stays inside its folder on every system. */
export function isSafeName(name: string): boolean {
  if (name === "" || name.startsWith("/") || /[\\\0:]/.test(name)) return false;
  return name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** Name and revision in an address: slashes of a revision are escaped, those of a name are not. */
export const apiPath = ({ type, id }: RepoReference): string => `/api/${type}s/${id}`;

/** Where a file of a repository lies on the server. */
export function filePath({ type, id }: RepoReference, commit: string, name: string): string {
  const prefix = type === "model" ? "" : `${type}s/`;
  const path = name.split("/").map(encodeURIComponent).join("/");
  return `/${prefix}${id}/resolve/${encodeURIComponent(commit)}/${path}`;
}

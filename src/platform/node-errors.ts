import { GraftError, type GraftErrorCode, messageOf } from "../errors.js";

interface Explanation {
  readonly code: GraftErrorCode;
  readonly what: string;
  readonly hint: string;
}

const explanations: { readonly [errno: string]: Explanation } = {
  ENOENT: { code: "file-not-found", what: "does not exist", hint: "Check the path." },
  ENOTDIR: { code: "file-access", what: "lies below something that is not a folder", hint: "Check the path." },
  EISDIR: { code: "file-access", what: "is a folder, not a file", hint: "Name a file." },
  EACCES: { code: "file-access", what: "may not be accessed", hint: "Check its permissions." },
  EPERM: { code: "file-access", what: "may not be accessed", hint: "Check its permissions." },
  EROFS: { code: "file-access", what: "lies on a read-only file system", hint: "Choose a writable folder." },
  ENAMETOOLONG: { code: "file-access", what: "is too long a path", hint: "Choose a shorter name." },
  ELOOP: { code: "file-access", what: "is a link that leads back to itself", hint: "Check the path's links." },
  ENOSPC: { code: "disk-full", what: "did not fit on the disk", hint: "Free some space; nothing was replaced." },
  EDQUOT: { code: "disk-full", what: "exceeds the disk quota", hint: "Free some space; nothing was replaced." },
  EFBIG: { code: "disk-full", what: "is larger than the system allows", hint: "Raise the file size limit." },
};

/** Turns what a file operation threw into a GraftError about `path`; a GraftError passes unchanged. */
export function fileError(error: unknown, doing: string, path: string): GraftError {
  if (error instanceof GraftError) return error;
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const known = explanations[errno];
  const what = known ? known.what : messageOf(error);
  return new GraftError(
    known?.code ?? "file-access",
    `cannot ${doing} ${path}: it ${known ? what : `failed (${what})`}`,
    known?.hint ?? "Check the path and the disk.",
    { cause: error },
  );
}

/** Runs a file operation; whatever it throws becomes a GraftError about `path`. */
export async function explained<T>(doing: string, path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw fileError(error, doing, path);
  }
}

import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { PartialFile } from "../../platform/types.js";
import type { ByteRanges } from "../../safetensors/read.js";
import type { RepoCache } from "./cache.js";
import { refusal, unreachable } from "./refusals.js";
import { filePath, type RepoReference } from "./repo-id.js";
import { type HubAnswer, hubRequest, pause, readAnswer, reasonOf, waitBefore } from "./request.js";
import type { HubSettings } from "./settings.js";

/** A file of a commit. */
export interface RemoteFile {
  readonly repo: RepoReference;
  readonly commit: string;
  readonly name: string;
}

/** What the server says of a file before it sends it. */
interface FileFacts {
  /** Its hash: SHA-256 in LFS, else the SHA-1 of Git's blob. */
  readonly etag: string;
  readonly size: number;
}

const shown = ({ repo, name }: RemoteFile): string => `${repo.id}/${name}`;

const addressOf = ({ endpoint }: HubSettings, { repo, commit, name }: RemoteFile): string =>
  endpoint + filePath(repo, commit, name);

/** @throws GraftError as `refusal`, `hub-unreachable` */
async function factsOf(settings: HubSettings, file: RemoteFile): Promise<FileFacts> {
  const answer = await hubRequest(settings, addressOf(settings, file), shown(file), { method: "HEAD" });
  answer.abort();
  if (answer.response.status >= 400)
    throw await refusal(settings, answer.response, { repo: file.repo, file: file.name });
  const etag = (answer.header("x-linked-etag") ?? answer.header("etag") ?? "").replace(/^W\//, "").replaceAll('"', "");
  const size = Number(answer.header("x-linked-size") ?? answer.response.headers.get("content-length"));
  if (!/^[\w-]{1,128}$/.test(etag) || !Number.isSafeInteger(size)) {
    throw unreachable(settings, shown(file), "the server names no hash and no size of it");
  }
  return { etag, size };
}

/** Parts of a file by range requests. @throws GraftError as `refusal`, `hub-unreachable` */
export async function remoteRanges(settings: HubSettings, file: RemoteFile): Promise<ByteRanges> {
  const { etag, size } = await factsOf(settings, file);
  const address = addressOf(settings, file);
  return {
    path: shown(file),
    version: etag,
    size,
    read: async (offset, length) => {
      for (let attempt = 1; ; attempt++) {
        const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
        const answer = await hubRequest(settings, address, shown(file), { headers });
        try {
          if (!answer.response.ok) throw await refusal(settings, answer.response, { repo: file.repo, file: file.name });
          if (!goesOn(answer, offset)) throw unreachable(settings, shown(file), "the server sends no parts of files");
          const bytes = await readAnswer(answer);
          if (bytes.length === length) return bytes;
          throw new Error(`${bytes.length} of ${length} bytes came`);
        } catch (error) {
          answer.abort();
          if (error instanceof GraftError) throw error;
          if (attempt >= settings.tries) throw unreachable(settings, shown(file), reasonOf(error), error);
          await pause(waitBefore(settings, attempt));
        }
      }
    },
  };
}

/** How a hash is checked; undefined for one that is no hash of the contents. */
const algorithmOf = (etag: string): "sha256" | "git-sha1" | undefined =>
  /^[\da-f]{64}$/.test(etag) ? "sha256" : /^[\da-f]{40}$/.test(etag) ? "git-sha1" : undefined;

/** Whether an answer goes on where the partial file ends. */
const goesOn = ({ response }: HubAnswer, from: number): boolean =>
  response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${from}-`) === true;

/** Appends what comes of one answer. Returns where the body ends or has brought more than the file should have. */
async function receive(answer: HubAnswer, partial: PartialFile, size: number, tell: () => void): Promise<void> {
  const reader = answer.response.body?.getReader();
  if (reader === undefined) return;
  try {
    while (partial.size <= size) {
      const { done, value } = await reader.read();
      if (done) return;
      answer.touch();
      await partial.append(value);
      tell();
    }
  } finally {
    answer.abort();
  }
}

/** One try at bringing the partial file to its end. @throws what broke it off */
async function attempt(settings: HubSettings, file: RemoteFile, facts: FileFacts, partial: PartialFile): Promise<void> {
  if (partial.size > facts.size) await partial.restart();
  if (partial.size === facts.size) return;
  const from = partial.size;
  const headers: Record<string, string> = from > 0 ? { Range: `bytes=${from}-` } : {};
  const answer = await hubRequest(settings, addressOf(settings, file), shown(file), { headers });
  if (!answer.response.ok) {
    answer.abort();
    if (answer.response.status === 416) return partial.restart();
    throw await refusal(settings, answer.response, { repo: file.repo, file: file.name });
  }
  if (from > 0 && !goesOn(answer, from)) await partial.restart();
  const { onProgress } = settings;
  const tell = () => onProgress?.({ file: shown(file), loaded: partial.size, total: facts.size });
  await receive(answer, partial, facts.size, tell);
}

/** Whether the partial file is whole; one that is whole but wrong is dropped. */
async function isWhole(partial: PartialFile, { etag, size }: FileFacts): Promise<boolean> {
  if (partial.size < size) return false;
  const algorithm = algorithmOf(etag);
  if (partial.size === size && (algorithm === undefined || (await partial.digest(algorithm)) === etag)) return true;
  await partial.restart();
  return false;
}

async function downloadBlob(settings: HubSettings, file: RemoteFile, facts: FileFacts, blob: string): Promise<void> {
  const partial = await platform.openPartial(blob);
  try {
    let reason: unknown;
    let damaged = 0;
    for (let failures = 0; failures < settings.tries && damaged < settings.tries; ) {
      const before = partial.size;
      try {
        await attempt(settings, file, facts, partial);
        const isFull = partial.size >= facts.size;
        if (await isWhole(partial, facts)) return await partial.finish(blob);
        if (isFull) damaged++;
        reason = new Error(isFull ? "what comes has another hash than it should" : "the connection breaks off");
      } catch (error) {
        if (error instanceof GraftError) throw error;
        reason = error;
      }
      // A slow line that breaks off again and again, but brings something each time, gets there.
      failures = partial.size > before ? 0 : failures + 1;
      if (failures < settings.tries) await pause(waitBefore(settings, Math.max(failures, 1)));
    }
    throw unreachable(settings, shown(file), reasonOf(reason), reason);
  } finally {
    await partial.close().catch(() => {});
  }
}

/** Downloads on their way, by the place that they are for. */
const running = new Map<string, Promise<void>>();

/** One at a time for each place: a second caller waits for the first one's file. */
async function sharing(place: string, work: () => Promise<void>): Promise<void> {
  const known = running.get(place);
  if (known) return known;
  const promise = work().finally(() => running.delete(place));
  running.set(place, promise);
  return promise;
}

/**
 * Brings a file of a commit into the cache, unless it is there. The size and the hash are checked before it takes its
 * place; what breaks off is gone on with.
 * @returns its path in the snapshot
 * @throws GraftError as `refusal`, `hub-unreachable`, `disk-full`, `file-access`
 */
export async function downloadFile(settings: HubSettings, cache: RepoCache, file: RemoteFile): Promise<string> {
  const path = cache.file(file.commit, file.name);
  await sharing(path, async () => {
    if (await platform.exists(path)) return;
    const facts = await factsOf(settings, file);
    const blob = cache.blob(facts.etag);
    const isThere = (await platform.exists(blob)) && (await platform.fileSize(blob)) === facts.size;
    if (!isThere) await sharing(blob, () => downloadBlob(settings, file, facts, blob));
    await platform.linkFile(blob, path);
  });
  await cache.writeRef(file.commit);
  return path;
}

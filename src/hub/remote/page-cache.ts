import { platform } from "#platform";
import { refusal } from "./refusals.js";
import { filePath, type RepoReference } from "./repo-id.js";
import { hubRequest, readAnswer } from "./request.js";
import type { HubSettings } from "./settings.js";

/** The browser's cache that transformers.js keeps its files in, too, under the same addresses. */
const CACHE = "transformers-cache";

const mounted = new Map<string, Promise<void>>();

/**
 * A file of a repository in the browser: from the cache that pages of this origin share with transformers.js, else from
 * the server and into it. Pages that may not use the cache (no https, private windows) fetch it each time.
 * @returns its address, under which it can be read
 */
export async function pageFile(settings: HubSettings, repo: RepoReference, name: string): Promise<string> {
  const address = settings.endpoint + filePath(repo, repo.revision, name);
  const known = mounted.get(address) ?? mount(settings, repo, name, address);
  mounted.set(address, known);
  try {
    await known;
  } catch (error) {
    mounted.delete(address);
    throw error;
  }
  return address;
}

async function mount(settings: HubSettings, repo: RepoReference, name: string, address: string): Promise<void> {
  const cache = typeof caches === "undefined" ? undefined : await caches.open(CACHE).catch(() => undefined);
  const kept = await cache?.match(address);
  if (kept !== undefined) return platform.mountFile(address, await kept.blob());
  const answer = await hubRequest(settings, address, `${repo.id}/${name}`);
  if (!answer.response.ok) throw await refusal(settings, answer.response, { repo, file: name });
  const { headers } = answer.response;
  const bytes = await readAnswer(answer);
  const whole = new Blob([bytes as Uint8Array<ArrayBuffer>]);
  // A full quota costs the cache alone.
  await cache?.put(address, new Response(whole, { headers })).catch(() => {});
  platform.mountFile(address, whole);
}

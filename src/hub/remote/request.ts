import { platform } from "#platform";
import { GraftError, messageOf } from "../../errors.js";
import { unreachable } from "./refusals.js";
import type { HubSettings } from "./settings.js";

const MOST_REDIRECTS = 10;
/** Seconds beyond which nobody waits for a server that asks for patience. */
const LONGEST_WAIT = 120;

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Answers that a second try may change. */
const isPassing = (status: number): boolean => status === 408 || status === 429 || status >= 500;

/** Milliseconds that an answer asks to wait; undefined where it does not say, or asks for too long. */
function askedWait(response: Response): number | undefined {
  const text = response.headers.get("retry-after");
  if (text === null) return undefined;
  const seconds = /^\d+$/.test(text.trim()) ? Number(text) : (Date.parse(text) - Date.now()) / 1000;
  return Number.isFinite(seconds) && seconds <= LONGEST_WAIT ? Math.max(0, 1000 * seconds) : undefined;
}

/** Milliseconds before the try of this number, from 1. */
export const waitBefore = ({ retryDelay }: HubSettings, attempt: number): number => retryDelay * 2 ** (attempt - 1);

/** An answer, with headers that the Hub's own host gave before it sent the client elsewhere. */
export interface HubAnswer {
  readonly response: Response;
  /** A header of the Hub's answers: of redirects, too. */
  header(name: string): string | null;
  /** Ends the connection. */
  abort(): void;
  /** Restarts the clock after which a silent connection is given up. */
  touch(): void;
}

interface RequestOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
}

function withoutToken(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "authorization"));
}

/** One try, with redirects followed by hand: the token goes to the Hub's own host alone, and its headers are kept. */
async function once(settings: HubSettings, address: string, options: RequestOptions): Promise<HubAnswer> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  const touch = () => {
    stop();
    timer = setTimeout(
      () => controller.abort(new Error(`no answer for ${settings.timeout / 1000} seconds`)),
      settings.timeout,
    );
    if (platform.name === "node") (timer as unknown as { unref(): void }).unref();
  };
  const own = new URL(settings.endpoint).origin;
  const seen: Headers[] = [];
  const answerOf = (response: Response): HubAnswer => ({
    response,
    header: (name) => seen.map((each) => each.get(name)).find((value) => value !== null) ?? null,
    abort: () => {
      stop();
      controller.abort();
    },
    touch,
  });
  let url = address;
  try {
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      touch();
      const isOwn = new URL(url).origin === own;
      const headers = {
        ...(platform.name === "node" && { "Accept-Encoding": "identity", "User-Agent": "graft-peft" }),
        ...(settings.token !== undefined && { Authorization: `Bearer ${settings.token}` }),
        ...options.headers,
      };
      const response = await fetch(url, {
        ...options,
        headers: isOwn ? headers : withoutToken(headers),
        redirect: platform.name === "web" ? "follow" : "manual",
        signal: controller.signal,
      });
      if (isOwn) seen.push(response.headers);
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null) {
        return answerOf(response);
      }
      const next = new URL(location, url).href;
      // An address of the store is signed for one GET: what the Hub says of the file must do.
      if (options.method === "HEAD" && new URL(next).origin !== own) return answerOf(response);
      await response.body?.cancel();
      url = next;
    }
  } catch (error) {
    stop();
    throw error;
  }
  stop();
  throw unreachable(settings, address, `more than ${MOST_REDIRECTS} redirects`);
}

/** What `fetch` says of a connection that failed hides in its cause. */
export function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause)})` : "";
  return `${messageOf(error)}${cause}`;
}

/**
 * Asks the server; broken connections, 429 and 5xx are tried again.
 * @param what names in messages what is asked for
 * @returns the answer, whatever its status; the body is the caller's to read
 * @throws GraftError `hub-unreachable` where no answer comes
 */
export async function hubRequest(
  settings: HubSettings,
  address: string,
  what: string,
  options: RequestOptions = {},
): Promise<HubAnswer> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt >= settings.tries;
    try {
      const answer = await once(settings, address, options);
      if (!isPassing(answer.response.status) || isLast) return answer;
      const wait = askedWait(answer.response);
      // A server that says when to come back, and means hours, is not asked again.
      if (wait === undefined && answer.response.headers.has("retry-after")) return answer;
      answer.abort();
      await pause(wait ?? waitBefore(settings, attempt));
    } catch (error) {
      if (error instanceof GraftError) throw error;
      if (isLast) throw unreachable(settings, what, reasonOf(error), error);
      await pause(waitBefore(settings, attempt));
    }
  }
}

/** Reads a body whole, or says that it broke off. */
export async function readAnswer(answer: HubAnswer): Promise<Uint8Array> {
  try {
    return new Uint8Array(await answer.response.arrayBuffer());
  } finally {
    answer.abort();
  }
}

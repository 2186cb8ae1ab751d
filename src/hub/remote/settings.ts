import { platform } from "#platform";
import { GraftError } from "../../errors.js";

/** Bytes of one file that have come so far. */
export interface HubProgress {
  /** "org/name/file" */
  readonly file: string;
  /** Bytes that are there. */
  readonly loaded: number;
  /** Bytes of the whole file. */
  readonly total: number;
}

/** Where and how files of the Hub are looked for; of every `fromPretrained` and `loadDataset`. */
export interface HubOptions {
  /** Branch, tag or commit. Default "main". */
  readonly revision?: string | undefined;
  /** Folder inside the repository (or inside the local folder). Default: its root. */
  readonly subfolder?: string | undefined;
  /** Access token; false: none, even where one is stored. Default: HF_TOKEN, else the stored one (`login`). */
  readonly token?: string | false | undefined;
  /** The cache's folder. Default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | undefined;
  /** Use what the cache holds and ask no server. Default: HF_HUB_OFFLINE. */
  readonly localFilesOnly?: boolean | undefined;
  /** Told of each piece that comes. */
  readonly onProgress?: ((progress: HubProgress) => void) | undefined;
}

/** The options with what the environment says. */
export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly token: string | undefined;
  /** Empty in the browser, which has a cache of its own. */
  readonly cacheDir: string;
  readonly offline: boolean;
  /** Milliseconds without a byte after which a connection is given up. */
  readonly timeout: number;
  /** Tries of a request that fails on the way. */
  readonly tries: number;
  /** Milliseconds before the second try; doubled before each further one. */
  readonly retryDelay: number;
  readonly onProgress: ((progress: HubProgress) => void) | undefined;
}

const HUGGING_FACE = "https://huggingface.co";
const TIMEOUT = 30_000;

const isOn = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

/** `~` as Python's expanduser has it. */
const expanded = (path: string): string => path.replace(/^~(?=$|[/\\])/, () => platform.homeDirectory());

/** A variable that is set to something. */
function variable(name: string): string | undefined {
  const value = platform.environment(name)?.trim();
  return value === "" ? undefined : value;
}

/** Hugging Face's own folder: HF_HOME, else ~/.cache/huggingface. */
export function hubHome(): string {
  const home = variable("HF_HOME");
  if (home !== undefined) return expanded(home);
  const caches = variable("XDG_CACHE_HOME");
  return platform.join(caches ? expanded(caches) : platform.join(platform.homeDirectory(), ".cache"), "huggingface");
}

/** Where the token is kept: HF_TOKEN_PATH, else HF_HOME/token. */
export function tokenPath(): string {
  const path = variable("HF_TOKEN_PATH");
  return path === undefined ? platform.join(hubHome(), "token") : expanded(path);
}

/** The token of the environment; it wins over the stored one. */
export const environmentToken = (): string | undefined => variable("HF_TOKEN") ?? variable("HUGGING_FACE_HUB_TOKEN");

async function tokenOf(given: string | false | undefined): Promise<string | undefined> {
  if (given === false) return undefined;
  if (given !== undefined) return checkedToken(given);
  if (platform.name === "web") return undefined;
  const set = environmentToken();
  if (set !== undefined) return checkedToken(set);
  if (isOn(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN"))) return undefined;
  const path = tokenPath();
  if (!(await platform.exists(path))) return undefined;
  const stored = (await platform.readText(path)).trim();
  return stored === "" ? undefined : checkedToken(stored);
}

/** A token goes into a header: no line breaks. The message does not show it. @throws GraftError `hub-access` */
export function checkedToken(token: string): string {
  const trimmed = token.trim();
  if (/^[\x21-\x7e]+$/.test(trimmed)) return trimmed;
  throw new GraftError(
    "hub-access",
    "the access token holds characters that no token has",
    "Copy it again from https://huggingface.co/settings/tokens: it begins with hf_.",
  );
}

function cacheFolder(given: string | undefined): string {
  if (platform.name === "web") return "";
  const path = given ?? variable("HF_HUB_CACHE") ?? variable("HUGGINGFACE_HUB_CACHE");
  return path === undefined ? platform.join(hubHome(), "hub") : expanded(path);
}

/** The server's address: HF_ENDPOINT, else huggingface.co. @throws GraftError `invalid-argument` */
export function hubEndpoint(): string {
  const endpoint = (variable("HF_ENDPOINT") ?? HUGGING_FACE).replace(/\/+$/, "");
  if (/^https?:\/\/[^/\s]+/.test(endpoint)) return endpoint;
  throw new GraftError(
    "invalid-argument",
    `HF_ENDPOINT is "${endpoint}", which is no address`,
    "Set it to an address such as https://huggingface.co, or unset it.",
  );
}

/** What options and environment say together. @throws GraftError `hub-access` for a malformed token */
export async function hubSettings(options: HubOptions = {}): Promise<HubSettings> {
  const seconds = Number(variable("HF_HUB_DOWNLOAD_TIMEOUT"));
  return {
    endpoint: hubEndpoint(),
    token: await tokenOf(options.token),
    cacheDir: cacheFolder(options.cacheDir),
    offline: options.localFilesOnly ?? (isOn(variable("HF_HUB_OFFLINE")) || isOn(variable("TRANSFORMERS_OFFLINE"))),
    timeout: seconds > 0 ? 1000 * seconds : TIMEOUT,
    tries: 5,
    retryDelay: 300,
    onProgress: options.onProgress ?? listener,
  };
}

let listener: ((progress: HubProgress) => void) | undefined;

/** Who is told of all downloads that name no `onProgress` of their own; undefined: nobody. */
export function onHubProgress(told: ((progress: HubProgress) => void) | undefined): void {
  listener = told;
}

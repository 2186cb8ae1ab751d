import { GraftError, messageOf } from "../errors.js";
import { extname } from "./web-paths.js";

async function request(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    throw new GraftError(
      "file-not-found",
      `cannot fetch ${path}: ${messageOf(error)}`,
      "Mount the file with platform.mountFile, or check the URL, the network and the server's CORS headers.",
      { cause: error },
    );
  }
}

/** Servers of single-page applications answer every path that they do not have with their page and status 200. */
function isFallbackPage(path: string, response: Response): boolean {
  const isPage = response.headers.get("content-type")?.startsWith("text/html") ?? false;
  return isPage && !/^\.html?$/i.test(extname(path));
}

/** @throws GraftError for an answer that is not the file */
function accept(path: string, response: Response): Response {
  const isPage = response.ok && isFallbackPage(path, response);
  if (response.ok && !isPage) return response;
  const missing = isPage || response.status === 404 || response.status === 410;
  const said = isPage ? "with a page of HTML" : `${response.status} ${response.statusText}`.trim();
  throw new GraftError(
    missing ? "file-not-found" : "file-access",
    `cannot fetch ${path}: the server answered ${said}`,
    missing ? "Mount the file with platform.mountFile, or check the URL." : "Check the server and your access to it.",
  );
}

/** @throws GraftError `file-access` where the connection breaks on the way */
async function bodyOf(path: string, response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw new GraftError(
      "file-access",
      `fetching ${path} broke off: ${messageOf(error)}`,
      "Check the network and try again.",
      { cause: error },
    );
  }
}

/** The whole body behind a URL. */
export async function fetchFile(path: string): Promise<Uint8Array> {
  return bodyOf(path, accept(path, await request(path, {})));
}

/** Part of a body: `whole` is set when the server ignored the range and sent everything. */
export async function fetchRange(
  path: string,
  offset: number,
  length: number,
): Promise<{ bytes: Uint8Array; whole: boolean }> {
  const range = { headers: { Range: `bytes=${offset}-${offset + length - 1}` } };
  const response = accept(path, await request(path, range));
  return { bytes: await bodyOf(path, response), whole: response.status !== 206 };
}

/** Size of a body as the server states it; `undefined` when it states none, or one of the compressed form. */
export async function fetchSize(path: string): Promise<number | undefined> {
  const response = accept(path, await request(path, { method: "HEAD" }));
  const length = response.headers.get("content-length");
  return length === null || response.headers.has("content-encoding") ? undefined : Number(length);
}

/** Whether a URL answers with a file. */
export async function fetchExists(path: string): Promise<boolean> {
  try {
    const response = await fetch(path, { method: "HEAD" });
    return response.ok && !isFallbackPage(path, response);
  } catch {
    return false;
  }
}

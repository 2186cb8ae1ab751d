import type { ServerResponse } from "node:http";

/** What a request asks for, for whoever decides on faults. */
export interface Asked {
  readonly host: "hub" | "store";
  readonly method: string;
  readonly path: string;
}

/** What goes wrong with one answer. */
export type Fault =
  | { readonly kind: "reset" }
  | { readonly kind: "cut"; readonly after: number }
  | { readonly kind: "short"; readonly missing: number }
  | { readonly kind: "corrupt"; readonly at: number }
  | { readonly kind: "status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: "ignore-range" };

/** Sends a body with what is wrong with it. */
export function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
  fault: Fault | undefined,
): void {
  if (fault?.kind === "cut") {
    response.writeHead(status, { ...headers, "Content-Length": String(body.length) });
    response.write(body.subarray(0, Math.min(fault.after, body.length)), () => response.destroy());
    return;
  }
  let sent = body;
  if (fault?.kind === "short") sent = body.subarray(0, Math.max(0, body.length - fault.missing));
  if (fault?.kind === "corrupt" && body.length > 0) {
    sent = body.slice();
    const at = fault.at % body.length;
    sent[at] = (sent[at] as number) ^ 0xff;
  }
  response.writeHead(status, { ...headers, "Content-Length": String(sent.length) });
  response.end(sent);
}

import { whoAmI as asked } from "#hub-client";
import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { checkedToken, environmentToken, type HubOptions, hubSettings, tokenPath } from "../remote/settings.js";
import { writeFetch } from "./write-fetch.js";

/** Who a token is of. */
export interface Account {
  readonly name: string;
  /** Names of the organisations that the account belongs to. */
  readonly orgs: readonly string[];
}

/**
 * The account of a token. @param options default: HF_TOKEN, else the stored token
 * @throws GraftError `hub-access` for no token, or one that the Hub refuses; `hub-unreachable`
 */
export async function whoAmI(options: Pick<HubOptions, "token"> = {}): Promise<Account> {
  const settings = await hubSettings(options);
  if (settings.token === undefined) {
    throw new GraftError("hub-access", "nobody is logged in", "Log in: graft login, or login() in a program.");
  }
  const answer = await asked({
    accessToken: settings.token,
    hubUrl: settings.endpoint,
    fetch: writeFetch(settings, { type: "model", id: "the account", revision: "main" }),
  });
  const orgs = "orgs" in answer && Array.isArray(answer.orgs) ? answer.orgs.map(({ name }) => String(name)) : [];
  return { name: answer.name, orgs };
}

/**
 * Checks a token and stores it where huggingface_hub looks for it (HF_TOKEN_PATH, else HF_HOME/token), readable by the user
 * alone. Without a token: HF_TOKEN, else the one that is stored already, is checked.
 * @throws GraftError `hub-access` for no token, or one that the Hub refuses: then nothing is stored
 */
export async function login({ token }: { readonly token?: string | undefined } = {}): Promise<Account> {
  if (token === undefined) return whoAmI();
  const checked = checkedToken(token);
  const account = await whoAmI({ token: checked });
  await platform.writePrivateFile(tokenPath(), checked);
  return account;
}

/** Removes the stored token. @returns whether a token of the environment (HF_TOKEN) goes on to count */
export async function logout(): Promise<boolean> {
  await platform.remove(tokenPath());
  return environmentToken() !== undefined;
}

import { createInterface } from "node:readline";
import { Command, Option } from "commander";
import { login, logout, whoAmI } from "../hub/index.js";
import { print, printJson, warn } from "./shell/print.js";
import { UsageError } from "./spelling/usage-error.js";

/** Asks for a token without showing what is typed; a pipe's first line is taken as it is. */
async function askToken(): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY) stderr.write("Access token (from https://huggingface.co/settings/tokens; it is not shown): ");
  const lines = createInterface({ input: stdin, terminal: stdin.isTTY ?? false });
  try {
    for await (const line of lines) return line.trim();
    return "";
  } finally {
    lines.close();
    if (stdin.isTTY) stderr.write("\n");
  }
}

async function loginWith({ token: given }: { readonly token?: string }): Promise<void> {
  if (given !== undefined) warn("--token stays in the shell's history; graft login asks for it without showing it");
  const token = given ?? (await askToken());
  if (token === "") throw new UsageError("no token was given", "Paste one, pipe one in, or set HF_TOKEN.");
  const { name } = await login({ token });
  print(`logged in as ${name}`);
}

/** `graft login` */
export function loginCommand(): Command {
  return new Command("login")
    .description("Store a Hugging Face access token where huggingface_hub looks for it, too.")
    .addOption(new Option("--token <token>", "the token; without it, it is asked for or read from standard input"))
    .action(loginWith);
}

/** `graft logout` */
export function logoutCommand(): Command {
  return new Command("logout").description("Remove the stored access token.").action(async () => {
    const goesOn = await logout();
    print("the stored token is removed");
    if (goesOn) warn("HF_TOKEN is set and goes on to count");
  });
}

/** `graft whoami` */
export function whoAmICommand(): Command {
  return new Command("whoami")
    .description("The account of the access token.")
    .addOption(new Option("--json", "print it as one JSON object"))
    .action(async ({ json }: { readonly json?: true }) => {
      const account = await whoAmI();
      if (json) printJson(account);
      else print(account.orgs.length === 0 ? account.name : `${account.name} (${account.orgs.join(", ")})`);
    });
}

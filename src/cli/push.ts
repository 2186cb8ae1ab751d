import { Command, Option } from "commander";
import { pushFolder } from "../hub/index.js";
import { withExamples } from "./shell/examples.js";
import { print, printJson } from "./shell/print.js";

interface PushFlags {
  readonly private?: true;
  readonly public?: true;
  readonly revision?: string;
  readonly message?: string;
  readonly json?: true;
}

async function push(folder: string, name: string, flags: PushFlags): Promise<void> {
  const { revision, message: commitMessage } = flags;
  const visibility = flags.private ? { private: true } : flags.public ? { private: false } : {};
  const pushed = await pushFolder(folder, name, { ...visibility, revision, commitMessage });
  if (flags.json) printJson(pushed);
  else print(`pushed ${folder} to ${pushed.url}, commit ${pushed.commit.slice(0, 8)}`);
}

/** `graft push` */
export function pushCommand(): Command {
  const command = new Command("push")
    .description("Upload a folder to the Hugging Face Hub as one commit; the repository is made where it is missing.")
    .argument("<folder>", "adapter, merged or exported model, or checkpoint")
    .argument("<name>", 'repository, "org/name"; without "org/" under your account')
    .addOption(new Option("--private", "make a new repository private").conflicts("public"))
    .addOption(new Option("--public", "make a new repository public"))
    .addOption(new Option("--revision <branch>", "branch; made where it is missing. Default: main"))
    .addOption(new Option("--message <text>", "commit message"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((folder: string, name: string, flags: PushFlags) => push(folder, name, flags));
  return withExamples(command, [
    ["graft push runs/sst2 my-name/bert-sst2 --private", "An adapter, in a private repository"],
    ["graft push merged/sst2 bert-sst2-merged --revision v2", "A merged model, on a branch"],
  ]);
}

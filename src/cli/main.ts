#!/usr/bin/env node
import { runProgram } from "./program.js";

// A reader that closes early (graft inspect model | head) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runProgram(process.argv.slice(2));

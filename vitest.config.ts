import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The package refers to itself by name in tests, exactly as a user's program does.
  resolve: {
    alias: {
      "graft-peft/method": fileURLToPath(new URL("./dist/node/method.js", import.meta.url)),
      "graft-peft": fileURLToPath(new URL("./dist/node/index.js", import.meta.url)),
    },
  },
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // No test asks the real Hub: those of downloads name a server of their own.
    env: { HF_HUB_OFFLINE: "1", HF_HUB_CACHE: "/nowhere/hub", HF_TOKEN_PATH: "/nowhere/token" },
    // The built package runs as plain Node modules: workers and package imports behave as they do for users.
    server: { deps: { external: [/\/dist\/.*\.js$/] } },
  },
});

// Replaces a folder and is killed before its n-th call to the file system: killed-writer.mjs FOLDER N
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const [folder, last] = process.argv.slice(2);
let calls = 0;
for (const name of ["mkdir", "open", "rename", "rm"]) {
  const original = fs[name];
  fs[name] = (...args) => {
    if (++calls > Number(last)) process.kill(process.pid, "SIGKILL");
    return original(...args);
  };
}
syncBuiltinESMExports();

const { platform } = await import("../../dist/platform/node.js");
await platform.writeFolderAtomic(folder, async (temporary) => {
  await platform.writeFileAtomic(platform.join(temporary, "one"), "new");
  await platform.writeFileAtomic(platform.join(temporary, "two"), "new");
});

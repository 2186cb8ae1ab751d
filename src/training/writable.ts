import { platform } from "#platform";

/** Writes to a folder and takes it back: what cannot be written is better known now than after an hour. */
export async function requireWritable(folder: string): Promise<void> {
  await platform.makeDirectory(folder);
  const probe = platform.join(folder, ".probe");
  await platform.writeFileAtomic(probe, "");
  await platform.remove(probe);
}

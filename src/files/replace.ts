/**
 * A file that appears whole or not at all, whatever happens meanwhile: written beside its place under another name, flushed
 * to the disk, then renamed over it. Whoever reads finds the old file or the new one. A process that is killed leaves at most a
 * `.part` file behind, which the next writer of the same name with the same process id replaces and nobody reads.
 */

import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes or replaces a file.
 * @param path absolute; its directory must exist
 * @throws what the file system says; the file that was there is then still there, unchanged
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.part`;
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** The new name survives a loss of power only when its directory is flushed too; not every system can. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // The file itself is safe.
  }
}

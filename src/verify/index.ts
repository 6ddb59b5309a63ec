/** `fna verify` as a function: `run.ts` with the golden vectors read from files. */

import { goldenFolder, loadGolden } from "./golden-files.js";
import { type VerifyOptions as RunOptions, type VerifyResult, verifyWith } from "./run.js";

export { type VerifyResult, type VerifyRow, verifyDevices, verifyGroups } from "./run.js";

/** What to verify; everything by default. */
export interface VerifyOptions extends RunOptions {
  /** Folder of the golden vectors. Default: that of the repository; an installed package has none and leaves them out. */
  golden?: string;
}

/**
 * Verifies the devices.
 * @param onProgress called before each row with the rows done, their total, and the name of the next
 * @throws InvalidArgumentError; the file system's error when there are no golden vectors in the folder
 */
export async function runVerify(
  { golden = goldenFolder(), ...options }: VerifyOptions = {},
  onProgress?: (done: number, total: number, label: string) => void,
): Promise<VerifyResult> {
  const load = golden === undefined ? undefined : (group: string) => loadGolden(group, golden);
  return verifyWith(load, options, onProgress);
}

/** Files in and out, with what goes wrong said in the words of the option that named them. */

import { access, constants, mkdir, open, readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { replaceFile } from "../files/replace.js";
import { UsageError } from "./errors.js";

/** Bytes of the beginning of a file, and whether there are more. */
export interface FileStart {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
}

/**
 * Reads at most `limit` bytes.
 * @param option the option that named the file, for the message
 * @throws UsageError when there is no such file, it is a directory, or it may not be read
 */
export async function readStart(option: string, directory: string, path: string, limit: number): Promise<FileStart> {
  try {
    const file = await open(resolve(directory, path), "r");
    try {
      const buffer = new Uint8Array(limit + 1);
      let length = 0;
      while (length <= limit) {
        const { bytesRead } = await file.read(buffer, length, limit + 1 - length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return { bytes: buffer.subarray(0, Math.min(length, limit)), truncated: length > limit };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new UsageError(`${option}: expected a file that can be read, got "${path}" (${reason(error)})`);
  }
}

/**
 * Reads a file of at most `limit` bytes, which must be below 2^31.
 * @param option the option that named the file, for the message
 * @throws UsageError when there is no such file, it is a directory or longer, or it may not be read
 */
export async function readWhole(option: string, directory: string, path: string, limit: number): Promise<Uint8Array> {
  let size: number;
  try {
    size = (await stat(resolve(directory, path))).size;
    if (size <= limit) return await readFile(resolve(directory, path));
  } catch (error) {
    throw new UsageError(`${option}: expected a file that can be read, got "${path}" (${reason(error)})`);
  }
  throw new UsageError(`${option}: expected a file of at most ${limit} bytes, got "${path}" (${size} bytes)`);
}

/**
 * Checks, before any work is done, that a file can be written somewhere; creates nothing.
 * @throws UsageError when the place is a directory, or what is above it is a file or may not be written
 */
export async function checkPlace(option: string, directory: string, path: string): Promise<void> {
  const target = resolve(directory, path);
  try {
    if (await isDirectory(target)) throw Object.assign(new Error(), { code: "EISDIR" });
    let above = dirname(target);
    while (!(await exists(above))) above = dirname(above);
    if (!(await isDirectory(above))) throw Object.assign(new Error(), { code: "ENOTDIR" });
    await access(above, constants.W_OK);
  } catch (error) {
    throw cannotWrite(option, path, error);
  }
}

/**
 * Writes a file whole, creating the directories above it.
 * @param option the option that named the place, for the message
 * @returns the absolute path
 * @throws UsageError when it cannot be written there
 */
export async function writeWhole(
  option: string,
  directory: string,
  path: string,
  content: string | Uint8Array,
): Promise<string> {
  const target = resolve(directory, path);
  try {
    await mkdir(dirname(target), { recursive: true });
    await replaceFile(target, content);
    return target;
  } catch (error) {
    throw cannotWrite(option, path, error);
  }
}

function cannotWrite(option: string, path: string, error: unknown): UsageError {
  return new UsageError(`${option}: expected a place that can be written, got "${path}" (${reason(error)})`);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

const reasons: Record<string, string> = {
  ENOENT: "no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
  EPERM: "not permitted",
  ENOTDIR: "a part of the path is a file, not a directory",
  EEXIST: "a part of the path is a file, not a directory",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the device",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
};

/** Why a file, or a stream, cannot be read or written, in words. */
export function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return reasons[code] ?? (code || (error instanceof Error ? error.message : String(error)));
}

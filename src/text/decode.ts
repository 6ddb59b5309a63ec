/**
 * Bytes to text, strictly: UTF-8 with or without a byte order mark, UTF-16 with one. Anything else is refused with its
 * reason, because a guessed encoding gives wrong tokens that nobody notices.
 *
 * Non-goals: other encodings, and guessing.
 */

/** Bytes that are not text in an encoding that is read here. The message says why and what to do. */
export class NotTextError extends Error {
  override name = "NotTextError";
}

/**
 * Decodes a text file.
 * @param bytes the file, or its beginning
 * @param truncated true when more bytes follow, so that a character cut at the end is dropped instead of refused
 * @throws NotTextError for binary data and for other encodings
 */
export function decodeText(bytes: Uint8Array, truncated = false): string {
  const utf16 = encodingOfMark(bytes);
  if (utf16 === undefined && bytes.includes(0)) {
    throw new NotTextError("this is a binary file: it holds zero bytes, which no UTF-8 text does");
  }
  const encoding = utf16 ?? "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: truncated });
  } catch {
    throw new NotTextError(
      `this is not ${encoding.toUpperCase()} text; convert it first, for example with iconv -f LATIN1 -t UTF-8`,
    );
  }
}

function encodingOfMark(bytes: Uint8Array): "utf-16le" | "utf-16be" | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

/** 32-bit FNV-1a of the UTF-8 bytes of a text: the same number everywhere, for seeds and shingles; not for secrets. */
export function fnv1a(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

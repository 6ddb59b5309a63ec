/**
 * Where the labels of points go: beside their point, never upon another label nor over the edge. Greedy: points in the
 * order given, each on the first free side of right, left, above and below; a label that finds none is left out, and so is
 * a second one of the same text nearby, which would say nothing new.
 *
 * Widths are estimated, since nothing here can measure text and the font is the reader's: by classes of letters, each as wide as
 * its widest in DejaVu Sans, the widest of the fonts that `system-ui` stands for.
 */

/** A label that found room. */
export interface PlacedLabel {
  /** Which point it belongs to. */
  readonly index: number;
  readonly anchor: "start" | "middle" | "end";
  /** Offset from the point, in pixels of the drawing. */
  readonly dx: number;
  readonly dy: number;
}

/** Edges of an area; y grows downwards. */
export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const fontSize = 10;
const distance = 6;
const sameTextWithin = 60;

/** Widths in units of the font size, of the first class that has a letter. */
const letterWidths: readonly [letters: RegExp, width: number][] = [
  [/[ijl'\p{M}\p{Cf}]/u, 0.3],
  [/[frt]/, 0.42],
  [/[a-ln-vx-z0-9]/, 0.64],
  // m and w, symbols, other alphabets, Chinese, Japanese and Korean.
  [/[ -\u05ff\u2e80-\uffff]/u, 1.05],
];
/** Emoji, arrows, Arabic. */
const widestLetter = 1.3;
/** How far, in pixels, a letter such as j may reach beyond where it stands. */
const overhang = 1;

/** Places what fits of `texts` beside `points`, inside `area`. */
export function placeLabels(
  texts: readonly string[],
  points: readonly (readonly [number, number])[],
  area: Box,
): PlacedLabel[] {
  const taken: Box[] = [];
  const placed: PlacedLabel[] = [];
  for (let index = 0; index < points.length; index++) {
    const [x, y] = points[index];
    const told = placed.some(
      (other) =>
        texts[other.index] === texts[index] &&
        Math.hypot(points[other.index][0] - x, points[other.index][1] - y) < sameTextWithin,
    );
    if (told) continue;
    const width = textWidth(texts[index]);
    for (const place of sides) {
      const left = x + place.dx - { start: 0, middle: width / 2, end: width }[place.anchor] - overhang;
      const top = y + place.dy - fontSize * 0.6;
      const box = { left, right: left + width + 2 * overhang, top, bottom: top + fontSize * 1.2 };
      if (box.left < area.left || box.right > area.right || box.top < area.top || box.bottom > area.bottom) continue;
      if (taken.some((other) => overlap(box, other))) continue;
      taken.push(box);
      placed.push({ index, ...place });
      break;
    }
  }
  return placed;
}

const sides: readonly Omit<PlacedLabel, "index">[] = [
  { anchor: "start", dx: distance, dy: 0 },
  { anchor: "end", dx: -distance, dy: 0 },
  { anchor: "middle", dx: 0, dy: -distance - 3 },
  { anchor: "middle", dx: 0, dy: distance + 3 },
];

function textWidth(text: string): number {
  let width = 0;
  for (const letter of text) width += letterWidths.find(([letters]) => letters.test(letter))?.[1] ?? widestLetter;
  return width * fontSize;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

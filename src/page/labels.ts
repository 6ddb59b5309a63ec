/**
 * Where the labels of points go: beside their point, never upon another label nor over the edge. Greedy: points in the
 * order given, each on the first free side of right, left, above and below; a label that finds none is left out, and so is
 * a second one of the same text nearby, which would say nothing new.
 *
 * Widths are estimated, since nothing here can measure text: a letter counts as 0.56 of the font size, which is above the
 * mean of system fonts, a wide one (CJK, emoji) as a whole.
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
      const left = x + place.dx - { start: 0, middle: width / 2, end: width }[place.anchor];
      const top = y + place.dy - fontSize * 0.6;
      const box = { left, right: left + width, top, bottom: top + fontSize * 1.2 };
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
  let letters = 0;
  for (const letter of text) letters += letter.codePointAt(0)! > 0x2e80 ? 1 : 0.56;
  return letters * fontSize;
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

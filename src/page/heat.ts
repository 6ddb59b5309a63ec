/**
 * The colour scale of every attention map, in the terminal, in SVG and on the page: one fixed scale for all matrices and
 * all lengths, so that no map is stretched to look livelier than another.
 *
 *   level = log₂(N · A_ij), in steps of 0.4 from 1/16 to 16 times the uniform weight 1/N, cut off at both ends
 *
 * The middle level is the uniform weight; a zero has no level and stays blank.
 */

/** Number of levels; the middle one is the uniform weight. */
export const levelCount = 21;

const octaves = 4;

/**
 * Level of a weight in 0 … levelCount − 1, or −1 for a weight of 0.
 * @param weight A_ij in [0, 1]
 * @param size N, the number of keys
 */
export function heatLevel(weight: number, size: number): number {
  if (!(weight > 0)) return -1;
  const level = Math.round((Math.log2(weight * size) / octaves + 1) * ((levelCount - 1) / 2));
  return Math.min(levelCount - 1, Math.max(0, level));
}

/** Red, green and blue, 0 … 255. */
export type Rgb = readonly [number, number, number];

// Lightness is monotone in both, so they read the same in grey and for every kind of colour vision.
const anchors: Record<"light" | "dark", readonly Rgb[]> = {
  light: [
    [248, 246, 240],
    [201, 221, 212],
    [121, 179, 185],
    [52, 117, 160],
    [41, 58, 112],
    [24, 14, 48],
  ],
  dark: [
    [21, 23, 28],
    [30, 50, 80],
    [42, 98, 130],
    [62, 155, 150],
    [166, 207, 140],
    [255, 243, 176],
  ],
};

/** Colour of each level, for a light or a dark background: the emptiest level is near the background. */
export function ramp(scheme: "light" | "dark"): Rgb[] {
  const stops = anchors[scheme];
  return Array.from({ length: levelCount }, (_, level) => {
    const at = (level / (levelCount - 1)) * (stops.length - 1);
    const below = Math.min(stops.length - 2, Math.floor(at));
    return stops[below].map((c, i) => Math.round(c + (stops[below + 1][i] - c) * (at - below))) as unknown as Rgb;
  });
}

/** `#rrggbb` */
export function hex(color: Rgb): string {
  return `#${color.map((c) => c.toString(16).padStart(2, "0")).join("")}`;
}

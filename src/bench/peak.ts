/** The fastest multiply-add loop of this machine. */

import type { Random } from "../../reference/random.js";
import { type PeakLoop, peakLoops } from "./roofline.js";
import { type Clock, sampleInterleaved, wallClock } from "./sampler.js";
import { median } from "./statistics.js";

/** Rounds of the race. */
const rounds = 9;

/** The fastest plain loop and the fastest relaxed one, as far as there are any, after a race; 10⁹ operations a second. */
export async function choosePeakLoops(
  random: Random,
  say: (message: string) => void,
  loops: readonly PeakLoop[] = peakLoops(),
  clock: Clock = wallClock,
): Promise<{ chosen: PeakLoop[]; figures: Record<string, number> }> {
  const entries = loops.map(({ name, run }) => ({ id: name, run, milliseconds: 0, rounds }));
  const samples = await sampleInterleaved(entries, rounds, random, (done) => say(`peak, round ${done}`), clock);
  const speed = ({ name, operations }: PeakLoop) => operations / median(samples.get(name) ?? []) / 1e6;
  const ranked = [...loops].sort((a, b) => speed(b) - speed(a));
  const chosen = [false, true].flatMap((relaxed) => ranked.filter((loop) => loop.relaxed === relaxed).slice(0, 1));
  return { chosen, figures: Object.fromEntries(ranked.map((loop) => [loop.name, speed(loop)])) };
}

/** The result of `fna attend` as JSON and as text for a terminal. */

import { strongestLinks } from "../page/attention-map.js";
import { hopsText, percent, titleOf } from "../page/format.js";
import type { ComparedAttention } from "../text/compare.js";
import type { DeviceName } from "../types.js";
import { renderLegend, renderMaps } from "./heat-map.js";
import { colorDepth, type Io } from "./io.js";
import { renderTable } from "./table.js";
import { type PreparedText, vectorsText } from "./text-options.js";

/** What `fna attend` found. */
export interface AttendResult extends PreparedText {
  readonly device: DeviceName;
  readonly attentions: readonly ComparedAttention[];
  /** Absolute paths of what was written. */
  readonly files: readonly string[];
}

/** The result as a line of JSON. */
export function attendJson(result: AttendResult): string {
  return `${JSON.stringify(attendResult(result))}\n`;
}

/** The result as an object for JSON. */
export function attendResult({ input, flags, verdict, device, attentions, files }: AttendResult): object {
  const { tokens } = input;
  return {
    source: input.source,
    tokens,
    truncated: input.truncated,
    device,
    options: { manifold: flags.manifold, kappa: flags.kappa, bandwidth: flags.bandwidth, dim: flags.dim },
    checkpoint: verdict ?? null,
    attentions: attentions.map((a) => ({
      name: a.name,
      alpha: a.alpha ?? null,
      spectralGap: a.gap,
      hops: a.hops,
      effectiveLinks: a.effectiveLinks,
      reach: a.reach,
      eigenvalues: Array.from(a.eigenvalues),
      links: tokens.map((_, i) => strongestLinks(a.weights, tokens.length, i, flags.links)),
      weights: tokens.map((_, i) => Array.from(a.weights.subarray(i * tokens.length, (i + 1) * tokens.length))),
    })),
    files,
  };
}

/** The result as text for a terminal. */
export function attendText(result: AttendResult, io: Io): string {
  const { input, flags, vectors, verdict, device, attentions, files } = result;
  const { tokens } = input;
  const depth = colorDepth(io.stdout, io.env);
  const lines: string[] = [];
  if (flags.links > 0) lines.push(linkTable(tokens, attentions, flags.links), "");
  const maps = attentions.map((a) => ({ title: titleOf(a), weights: a.weights }));
  lines.push(...renderMaps(maps, tokens.length, io.stdout.columns, depth), renderLegend(depth), "");
  const rows = attentions.map((a) => [
    titleOf(a),
    a.gap.byRealPart.toFixed(4),
    a.gap.byModulus.toFixed(4),
    hopsText(a.hops),
    String(a.hops.max),
    a.effectiveLinks.toFixed(1),
    a.reach.toFixed(1),
  ]);
  const head = ["attention", "gap (real)", "gap (modulus)", "mean hops", "most hops", "links", "reach"];
  lines.push(renderTable(head, rows, [1, 2, 3, 4, 5, 6]), "");
  const count = input.truncated ? `the first ${tokens.length} tokens (--max-tokens)` : `${tokens.length} tokens`;
  lines.push(`${input.source}: ${count}, ${device} device, ${vectorsText(vectors, verdict)}`);
  for (const file of files) lines.push(`wrote ${file}`);
  return `${lines.join("\n")}\n`;
}

function linkTable(tokens: readonly string[], attentions: readonly ComparedAttention[], count: number): string {
  const rows = tokens.map((token, i) => [
    `${i + 1}`,
    clip(token),
    ...attentions.map((a) =>
      strongestLinks(a.weights, tokens.length, i, count)
        .map(({ index, weight }) => `${clip(tokens[index])}(${index + 1}) ${percent(weight)}`)
        .join(", "),
    ),
  ]);
  return renderTable(["no.", "token", ...attentions.map(titleOf)], rows, [0]);
}

function clip(token: string): string {
  const letters = [...token];
  return letters.length > 20 ? `${letters.slice(0, 19).join("")}…` : token;
}

/** The page of a text: what `fna attend --out` and `fna report` share. Its code is loaded when a page is asked for. */

import manifest from "../../package.json" with { type: "json" };
import { describeMachine } from "../bench/machine.js";
import type { Timings } from "../page/evidence-sections.js";
import type { ComparedAttention } from "../text/compare.js";
import type { DeviceName } from "../types.js";
import type { VerifyResult } from "../verify/index.js";
import { writeWhole } from "./files.js";
import type { Io } from "./io.js";
import type { Progress } from "./progress.js";
import { type PreparedText, scalesText, writeMaps } from "./text-options.js";

/** What the page is about. */
export interface PageContent extends PreparedText {
  readonly device: DeviceName;
  readonly attentions: readonly ComparedAttention[];
  readonly timings?: Timings | undefined;
  readonly verification?: VerifyResult | undefined;
}

/** Renders and writes the page, after its maps with --svg; gives back the absolute paths, the page's last. */
export async function writePage(io: Io, path: string, content: PageContent, progress: Progress): Promise<string[]> {
  const { renderReport } = await import("../page/report.js");
  const { circleStudy, pathStudy } = await import("../page/studies.js");
  const { input, flags, vectors, verdict, device, attentions, timings, verification } = content;
  const html = renderReport({
    ...input,
    dim: vectors.dim,
    verdict,
    device,
    scales: scalesText(flags),
    attentions,
    circle: circleStudy((done, total) => progress.update(done, total, "spectra on the circle")),
    paths: pathStudy(),
    timings,
    verification,
    machine: { ...describeMachine(), date: io.now() },
    version: manifest.version,
  });
  const maps = flags.svg ? await writeMaps(io, path, input, attentions) : [];
  return [...maps, await writeWhole("--out", io.directory, path, html)];
}

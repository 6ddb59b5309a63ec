/** The parts of the page that say how far to trust it: times beside errors, verification, and the machine. */

import type { Machine } from "../bench/machine.js";
import type { VerifyResult } from "../verify/index.js";
import { chart, legend } from "./charts.js";
import { errorsTable, timedSizes, timingChart } from "./figures.js";
import { marginText, milliseconds, scientific } from "./format.js";
import { html, type Markup } from "./html.js";
import { toMarkup } from "./svg.js";
import { type DeviceTimings, sampledRows, timingDim } from "./timing-study.js";

/** Where the numbers were computed, and when. */
export interface PageMachine extends Machine {
  readonly date: Date;
}

/** The curves of the devices that ran, and why others did not. */
export interface Timings {
  readonly devices: readonly DeviceTimings[];
  readonly rejected: readonly { readonly device: string; readonly reason: string }[];
  /** What runs the webgpu device, in words. */
  readonly adapter?: string | undefined;
}

export function timingsSection(timings: Timings | undefined): Markup {
  if (timings === undefined) {
    return html`<section aria-labelledby="times"><h2 id="times">Times and errors</h2><p>Not part of this run;
<code>fna report</code> times every device that runs on the machine.</p></section>`;
  }
  const { devices, rejected, adapter } = timings;
  const sizes = timedSizes(devices);
  const options = timingChart(devices);
  const head = sizes.map((size) => html`<th scope="col" class="n">N\u00a0=\u00a0${size}</th>`);
  const rows = devices.map(({ name, points, failure }) => {
    const cells = sizes.map((size) => {
      const point = points.find((p) => p.size === size);
      if (point !== undefined) return html`<td class="n">${milliseconds(point.milliseconds)}</td>`;
      const failed = failure?.size === size && html`<span class="bad">wrong</span>`;
      return html`<td class="n">${failed || "–"}</td>`;
    });
    return html`<tr><th scope="row">${name}</th>${cells}</tr>
`;
  });
  return html`<section aria-labelledby="times"><h2 id="times">Times and errors</h2>
<div class="pair wide"><figure><h3>One forward call, milliseconds</h3>${legend(options.series)}<div class="chart">${toMarkup(
    (document) => chart(document, options),
  )}</div></figure>
<div><h3 id="errors">Checked before it is timed</h3>
<div class="scroll" tabindex="0" role="region" aria-labelledby="errors">${errorsTable(devices)}</div>
<p class="note">|output − float64 reference| in the first ${sampledRows} query rows, at the N and there at the number where it comes nearest to what
the arithmetic of the device allows. A device that misses the bound is not timed any further. (The reference is its own
measure.)</p></div></div>
<div class="scroll" tabindex="0" role="region" aria-label="Milliseconds by device and number of tokens"><table>
<thead><tr><th scope="col">device</th>${head}</tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="note">One head of ${timingDim} components, standard normal inputs, the paper’s options, from the call to the numbers in
memory. Medians of interleaved rounds in one short run, quartiles as upright lines; a device leaves when it gets slow. Where a
curve rises fourfold from one N to the next, its N² pairs are what is paid for; where it lies flat, the cost of asking is.
<code>npm run bench</code> in the repository measures with care, against other runtimes.</p>
${adapter !== undefined && html`<p class="note">webgpu ran on ${adapter}.</p>`}
${rejected.map(({ device, reason }) => html`<p class="note">${device} was not timed: ${reason}</p>`)}</section>`;
}

export function verificationSection(result: VerifyResult | undefined): Markup {
  if (result === undefined) {
    return html`<section aria-labelledby="verify"><h2 id="verify">Verification</h2><p>Not part of this run;
<code>fna verify</code> compares every backend with the golden vectors and the reference.</p></section>`;
  }
  const rows = result.rows.map(
    (
      r,
    ) => html`<tr><td>${r.device}</td><td>${r.group}</td><td class="n">${r.cases}</td><td class="n">${r.checks}</td><td class="n">${scientific(
      r.error,
    )}</td><td class="n">${scientific(r.bound)}</td><td class="n">${marginText(r.margin)}</td><td class="n">${r.seed ?? ""}</td><td>${
      r.passed ? "passed" : html`<span class="bad">FAILED</span>`
    }${r.note !== undefined && html`<br><span class="note">${r.note}</span>`}</td></tr>
`,
  );
  const checks = result.rows.reduce((sum, r) => sum + r.checks, 0);
  return html`<section aria-labelledby="verify"><h2 id="verify">Verification</h2>
<p>${
    result.passed
      ? `All ${checks.toLocaleString("en")} checks passed.`
      : html`<span class="bad">Some checks failed.</span>`
  } Error and bound are those of the check that came nearest to its bound; the margin is bound divided by error.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Table of the checks"><table>
<thead><tr><th scope="col">backend</th><th scope="col">group</th><th scope="col" class="n">cases</th><th scope="col" class="n">checks</th><th scope="col" class="n">error</th><th scope="col" class="n">bound</th><th scope="col" class="n">margin</th><th scope="col" class="n">seed</th><th scope="col">result</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${result.rejected.map(({ device, reason }) => html`<p class="note">${device} was not checked: ${reason}</p>`)}
${
  result.omitted.length > 0 &&
  html`<p class="note">Not checked, for want of the golden vectors of the repository: ${result.omitted.join(", ")}.</p>`
}</section>`;
}

export function machineSection(machine: PageMachine, version: string): Markup {
  const { cpu, cores, memoryGiB, system, node, v8, date } = machine;
  const facts: [string, string][] = [
    ["processor", `${cpu}, ${cores} core${cores === 1 ? "" : "s"}`],
    ["memory", `${memoryGiB} GiB`],
    ["system", system],
    ["runtime", `Node.js ${node}, V8 ${v8}`],
    ["package", `fractional-attention ${version}`],
    ["date", `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`],
  ];
  return html`<section aria-labelledby="machine"><h2 id="machine">The machine</h2>
<dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

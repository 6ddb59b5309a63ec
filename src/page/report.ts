/**
 * The report as one HTML file: no script, no font, no picture from elsewhere. What each part shows and how to read it
 * stands beside it, and every number on the page was computed in the run that wrote it.
 */

import type { ComparedAttention } from "../text/compare.js";
import type { VerifyResult } from "../verify/index.js";
import { attentionMap, strongestLinks } from "./attention-map.js";
import { chart, planePath, type Series, seriesStyles } from "./charts.js";
import { hopsText, marginText, percent, scientific, titleOf } from "./format.js";
import { levelCount } from "./heat.js";
import { html, Markup } from "./html.js";
import type { CircleStudy, PathStudy } from "./studies.js";
import { pageCss } from "./style.js";

/** Where the numbers were computed. */
export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly date: Date;
}

/** Everything that the page shows. */
export interface Report {
  /** Where the text came from, for people. */
  readonly source: string;
  readonly text: string;
  readonly tokens: readonly string[];
  /** True when the text has more tokens than are shown. */
  readonly truncated: boolean;
  /** D */
  readonly dim: number;
  readonly device: string;
  /** κ, ε and the manifold in words. */
  readonly scales: string;
  readonly attentions: readonly ComparedAttention[];
  readonly circle: readonly CircleStudy[];
  readonly paths: readonly PathStudy[];
  /** Result of `fna verify`, where it was run. */
  readonly verification: VerifyResult | undefined;
  readonly machine: Machine;
  readonly version: string;
}

/** The page as text. */
export function renderReport(report: Report): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Three ways to attend: ${report.source}</title>
<style>${new Markup(pageCss)}</style>
</head>
<body>
<header>
<h1>Three ways to attend to one text</h1>
${introduction(report)}
</header>
<main>
${maps(report)}
${numbers(report)}
${eigenvalues(report)}
${circle(report.circle)}
${paths(report.paths)}
${verification(report.verification)}
${links(report)}
</main>
${footer(report)}
</body>
</html>
`;
  return page.text;
}

function introduction({ text, source, tokens, truncated, dim, scales }: Report): Markup {
  const letters = [...text.trim()];
  const excerpt = letters.length > 700 ? `${letters.slice(0, 700).join("")} …` : letters.join("");
  return html`<p>Fractional neural attention (<a href="https://arxiv.org/abs/2511.10208">arXiv:2511.10208</a>) reads an
attention matrix as a random walk over tokens. Dot-product attention is the usual one; <em>local</em> attention takes
Brownian steps (α&nbsp;=&nbsp;2); <em>multiscale</em> attention takes Lévy flights (α&nbsp;&lt;&nbsp;2), many short steps and a few long ones.</p>
<blockquote dir="auto">${excerpt}</blockquote>
<p class="note">${source}: ${truncated ? `its first ${tokens.length} tokens` : `${tokens.length} tokens`} (lower-cased words,
numbers and symbols; punctuation only separates). There is no trained model here: a token’s vector of ${dim} components is
computed from its spelling (hashed character n-grams, unit variance) and its position (sinusoids), so tokens are near when they
share letters or stand close together, not when they mean the same. All three use the same vectors as queries and as keys, and no
token attends to itself. ${scales}</p>`;
}

function maps({ attentions, tokens }: Report): Markup {
  return html`<section aria-labelledby="maps"><h2 id="maps">The attention maps</h2>
<div class="maps">${attentions.map(
    (a) =>
      html`<figure><h3>${titleOf(a)}</h3>${attentionMap({
        id: `map-${a.name}`,
        title: titleOf(a),
        tokens,
        weights: a.weights,
      })}</figure>`,
  )}</div>
${heatLegend()}
<p class="note">Each row is a token, numbered from the top, and its cells are the tokens it attends to. The colour is the
weight against the uniform weight 1/${tokens.length} on a logarithmic scale that is the same for all three. A pale row with
few strong cells attends to few tokens; an even row attends to all alike. Cells that stand out are the same
or similarly spelt words elsewhere in the text, stripes beside the diagonal a passage that comes back, upright stripes a token that
many attend to. Point at a row or a strong cell to see its words; the table at the end has them
all.</p></section>`;
}

function heatLegend(): Markup {
  const boxes = Array.from(
    { length: levelCount },
    (_, level) => html`<rect class="box h${level}" x="${level * 12}" width="12" height="12"/>`,
  );
  const middle = (levelCount * 12) / 2;
  return html`<svg class="map" viewBox="-16 -1 ${levelCount * 12 + 32} 30" width="284" role="img" aria-label="Colour scale: from one sixteenth of the uniform weight to sixteen times the uniform weight">${boxes}<rect class="frame" width="${
    levelCount * 12
  }" height="12"/><g font-size="10" text-anchor="middle"><text x="6" y="25">1/16</text><text x="${middle}" y="25">uniform</text><text x="${
    levelCount * 12 - 6
  }" y="25">16 ×</text></g></svg>`;
}

function numbers({ attentions, tokens }: Report): Markup {
  const nearlyUniform = attentions.filter((a) => a.effectiveLinks > 0.9 * (tokens.length - 1));
  const rows = attentions.map(
    (
      a,
    ) => html`<tr><th scope="row">${titleOf(a)}</th><td class="n">${a.gap.byRealPart.toFixed(4)}</td><td class="n">${a.gap.byModulus.toFixed(
      4,
    )}</td><td class="n">${hopsText(a.hops)}</td><td class="n">${a.hops.max}</td><td class="n">${a.effectiveLinks.toFixed(
      1,
    )}</td><td class="n">${a.reach.toFixed(1)}</td></tr>
`,
  );
  return html`<section aria-labelledby="numbers"><h2 id="numbers">How far information gets</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="numbers"><table>
<thead><tr><th scope="col">attention</th><th scope="col" class="n">gap (real part)</th><th scope="col" class="n">gap (modulus)</th><th scope="col" class="n">mean hops</th><th scope="col" class="n">most hops</th><th scope="col" class="n">effective links</th><th scope="col" class="n">reach</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="note"><b>Gap</b>: 1 − λ₂ of the attention matrix, λ₂ its second eigenvalue by real part, or by modulus; the larger the
second, the sooner a walk forgets where it started. <b>Hops</b>: steps on the cheapest path between two tokens when a link costs
1/weight; 1 would mean that every token reaches every other directly. <b>Effective links</b>: to how many tokens a token attends,
as the exponential of the entropy of its row; ${tokens.length - 1} when it attends to all alike. <b>Reach</b>: mean distance in
the text, in tokens, between a token and what it attends to.</p>
${nearlyUniform.map(
  (
    a,
  ) => html`<p class="note">Here ${titleOf(a)}, is close to uniform: a large gap and single hops then say that everything is
linked, not that the right things are. With vectors that nobody trained, a length scale that keeps far tokens in sight keeps
all of them in sight; what a trained model does with that freedom is another question.</p>`,
)}</section>`;
}

function eigenvalues({ attentions, tokens }: Report): Markup {
  const series: Series[] = attentions.map((a, s) => ({
    name: titleOf(a),
    ...seriesStyles[s],
    points: Array.from(a.eigenvalues, (value, rank) => [rank + 1, value] as const),
  }));
  return html`<section aria-labelledby="eigenvalues"><h2 id="eigenvalues">Eigenvalues</h2>
<figure>${chart({
    label: "Eigenvalues of the three attention matrices against their rank",
    series,
    x: {
      label: "rank →",
      type: "log",
      ticks: [1, 2, 5, 10, 20, 50, 100, 200, 500].filter((t) => t <= tokens.length),
      tickFormat: "d",
    },
    y: { label: "↑ eigenvalue" },
    radius: 2.2,
  })}<figcaption>All eigenvalues of each matrix, largest first; the first is always 1. The drop from the first to the second
is the spectral gap. Slow decay means that the walk keeps distinguishing groups of tokens for many steps; values near zero are
directions that one step wipes out. They are real because query and key are the same vectors, and partly negative because no
token attends to itself.</figcaption></figure></section>`;
}

function circle(studies: readonly CircleStudy[]): Markup {
  const series: Series[] = studies.map((study, s) => ({
    name: `α = ${study.alpha}`,
    ...seriesStyles[s],
    points: study.fits,
  }));
  const list = (values: readonly number[]) =>
    values
      .map((value) => value.toFixed(2))
      .join(", ")
      .replace(/, ([^,]*)$/, " and $1");
  const at = (bandwidth: number) =>
    studies.map(({ fits }) => fits.find(([b]) => Math.abs(b / bandwidth - 1) < 1e-9)?.[1] ?? Number.NaN);
  const below = studies.map(({ alpha }) => alpha < 2);
  const pick = (values: readonly number[]) => list(values.filter((_, s) => below[s]));
  return html`<section aria-labelledby="circle"><h2 id="circle">Does the kernel make the right diffusion?</h2>
<figure>${chart({
    label: "Fitted exponent of the generator's spectrum on the circle against the bandwidth, for four orders",
    series,
    lines: true,
    grid: false,
    x: { label: "bandwidth ε →", type: "log", ticks: 4, tickFormat: "~e" },
    y: { label: "↑ fitted exponent", ticks: studies.map(({ alpha }) => alpha), domain: [0.6, 2.1] },
  })}<figcaption>On points spread evenly over a circle, theory says that the k-th eigenvalue of the generator grows as k to the
power α. Each point is the exponent fitted over the modes 5 to 50; the ticks of the vertical axis are the four values of α. The
fit comes to α only as ε → 0 (read from right to left), slowly for α &lt; 2 and at once for α = 2. At ε = 10⁻⁸ it is
${pick(at(1e-8))} for α = ${studies
    .filter((_, s) => below[s])
    .map((s) => s.alpha)
    .join(", ")}. At ε = 10⁻⁴, a usual choice, it is still off:
${pick(studies.map((s) => s.coarse))} on 500 points, ${pick(at(1e-4))} on 2,000.</figcaption></figure></section>`;
}

function paths(studies: readonly PathStudy[]): Markup {
  return html`<section aria-labelledby="paths"><h2 id="paths">A Lévy flight beside Brownian motion</h2>
<div class="pair">${studies.map(
    (study, s) =>
      html`<figure><h3>${study.alpha < 2 ? "Lévy flight" : "Brownian motion"}, α = ${study.alpha}</h3>${planePath(
        `Path of ${study.points.length - 1} steps in the plane for α = ${study.alpha}`,
        study.points,
        seriesStyles[s === 0 ? 2 : 1].color,
      )}</figure>`,
  )}</div>
<p class="note">The same number of isotropic steps (${studies[0].points.length - 1}) from the ring to the dot, each panel at its own scale. The largest
step of the flight is ${studies.map((s) => `${s.largestStep.toFixed(0)} times its median step (α = ${s.alpha})`).join(", that of the Brownian path ")}.
Clusters joined by long jumps are what gives multiscale attention its long links.</p></section>`;
}

function verification(result: VerifyResult | undefined): Markup {
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
  return html`<section aria-labelledby="verify"><h2 id="verify">Verification</h2>
<p>${result.passed ? "Every check passed." : html`<span class="bad">Some checks failed.</span>`} Error and bound are those of the check that came
nearest to its bound; the margin is bound divided by error.</p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="verify"><table>
<thead><tr><th scope="col">backend</th><th scope="col">group</th><th scope="col" class="n">cases</th><th scope="col" class="n">checks</th><th scope="col" class="n">error</th><th scope="col" class="n">bound</th><th scope="col" class="n">margin</th><th scope="col" class="n">seed</th><th scope="col">result</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${result.rejected.map(({ device, reason }) => html`<p class="note">${device} was not checked: ${reason}</p>`)}</section>`;
}

function links({ attentions, tokens }: Report): Markup {
  const size = tokens.length;
  const rows = tokens.map(
    (token, i) => html`<tr><td class="n">${i + 1}</td><th scope="row">${token}</th>${attentions.map(
      (a) =>
        html`<td>${strongestLinks(a.weights, size, i, 3)
          .map(({ index, weight }) => `${tokens[index]} (${index + 1}) ${percent(weight)}`)
          .join(", ")}</td>`,
    )}</tr>
`,
  );
  return html`<section aria-labelledby="links"><h2 id="links">The strongest links of every token</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="links"><table class="links">
<caption>The three tokens that each token attends to most, with their numbers and weights.</caption>
<thead><tr><th scope="col" class="n">no.</th><th scope="col">token</th>${attentions.map((a) => html`<th scope="col">${titleOf(a)}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div></section>`;
}

function footer({ machine, device, version }: Report): Markup {
  return html`<footer><p>Written by fractional-attention ${version} on ${machine.date.toISOString().slice(0, 16).replace("T", " ")} UTC;
Node.js ${machine.node}, ${machine.cpu}, ${machine.cores} cores; local and multiscale attention on the ${device} backend, dot-product
attention, spectra and hops by the float64 reference.</p></footer>`;
}

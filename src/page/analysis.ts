/** The page of `fna analyze`: trained models side by side, every number measured in the run that wrote it. */

import type { ModelAnalysis, WalkAt } from "../learn/analyze.js";
import type { ScoredAt } from "../learn/dynamic.js";
import { type ChartOptions, chart, legend, type Series, seriesStyles } from "./charts.js";
import { html, Markup } from "./html.js";
import { pageCss } from "./style.js";
import { toMarkup } from "./svg.js";

/** Everything that the page shows. */
export interface AnalysisPage {
  readonly corpus: string;
  readonly models: readonly ModelAnalysis[];
  /** Held-out documents that were scored. */
  readonly documents: number;
  readonly version: string;
  readonly date: Date;
}

/** What the paper reports for one trained model each, 500 tokens, width 8, IMDb. */
export const publishedHops = [
  { attention: "FNA, α = 1.2", mean: 1.146, max: 3 },
  { attention: "FNA, α = 2", mean: 3.019, max: 9 },
  { attention: "dot-product", mean: 4.477, max: 14 },
] as const;

/** How a model is called on the page. */
export function modelTitle({ attention, alpha, width, name }: ModelAnalysis): string {
  return `${attention}${alpha === undefined ? "" : `, α = ${Number(alpha.toFixed(3))}`}, width ${width} (${name})`;
}

/** The page as text. */
export function renderAnalysis(page: AnalysisPage): string {
  const { models } = page;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Trained attention on ${page.corpus}</title>
<style>${new Markup(pageCss)}</style>
</head>
<body>
<header>
<h1>What trained attention does</h1>
<p>Models trained on ${page.corpus}, looked at on its test part: documents that neither training nor the choice of the model
has seen. An attention matrix is read as a random walk over tokens (<a href="https://arxiv.org/abs/2511.10208">arXiv:2511.10208</a>).</p>
</header>
<main>
${walk(models)}
${reach(models)}
${dynamic(models, page.documents)}
${diffusion(models)}
</main>
<footer><p>Written by fractional-attention ${page.version} on ${page.date.toISOString().slice(0, 10)}.</p></footer>
</body>
</html>
`.text;
}

function figure(options: ChartOptions): Markup {
  return html`${legend(options.series)}<div class="chart">${toMarkup((document) => chart(document, options))}</div>`;
}

function seriesOf(
  models: readonly ModelAnalysis[],
  points: (model: ModelAnalysis) => readonly (readonly [number, number])[],
): Series[] {
  return models.map((model, m) => ({ name: modelTitle(model), ...seriesStyles[m], points: points(model) }));
}

function walk(models: readonly ModelAnalysis[]): Markup {
  const curve = (label: string, axis: string, value: (walk: WalkAt) => number) =>
    html`<figure>${figure({
      label,
      series: seriesOf(models, (model) => model.walk.map((w) => [w.length, value(w)])),
      lines: true,
      x: { label: "tokens →" },
      y: { label: `↑ ${axis}`, zero: true },
    })}<figcaption>${label}.</figcaption></figure>`;
  const rows = models.flatMap((model) =>
    model.walk.map(
      (
        w,
      ) => html`<tr><th scope="row">${modelTitle(model)}</th><td class="n">${w.length}</td><td class="n">${w.mails}</td><td class="n">${w.gapByRealPart.toFixed(4)}</td><td class="n">${w.gapByModulus.toFixed(4)}</td><td class="n">${w.meanHops.toFixed(3)}</td><td class="n">${w.maxHops}</td><td class="n">${w.effectiveLinks.toFixed(1)}</td><td class="n">${w.reach.toFixed(1)}</td></tr>
`,
    ),
  );
  return html`<section aria-labelledby="walk"><h2 id="walk">How far information gets</h2>
<div class="pair">${curve("Spectral gap 1 − λ₂ by real part against the length of the text", "gap", (w) => w.gapByRealPart)}
${curve("Mean hops on the cheapest path between two tokens", "hops", (w) => w.meanHops)}</div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="walk"><table>
<thead><tr><th scope="col">model</th><th scope="col" class="n">tokens</th><th scope="col" class="n">texts</th><th scope="col" class="n">gap (real part)</th><th scope="col" class="n">gap (modulus)</th><th scope="col" class="n">mean hops</th><th scope="col" class="n">most hops</th><th scope="col" class="n">effective links</th><th scope="col" class="n">reach</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="note">Means over texts cut to that many tokens. A link costs 1/weight. The paper reports, for one model each of width 8 on IMDb and
500 tokens: ${publishedHops.map((p) => `${p.mean} hops (at most ${p.max}) for ${p.attention}`).join(", ")}.</p></section>`;
}

function reach(models: readonly ModelAnalysis[]): Markup {
  return html`<section aria-labelledby="reach"><h2 id="reach">What is attended to</h2>
<div class="pair"><figure>${figure({
    label: "Mean weight against the distance in the text",
    series: seriesOf(models, (model) => positive(model.byTextDistance.map(({ at, weight }) => [at, weight]))),
    lines: true,
    x: { label: "tokens apart →", type: "log", tickFormat: "~s" },
    y: { label: "↑ weight / uniform weight", type: "log", tickFormat: "~g" },
  })}<figcaption>Mean weight of pairs so many tokens apart, in units of the uniform weight 1/N.</figcaption></figure>
<figure>${figure({
    label: "Mean weight against the distance of query and key",
    series: seriesOf(models, (model) => positive(model.byDistance.map(({ at, weight }) => [at, weight]))),
    lines: true,
    x: { label: "distance / mean distance →" },
    y: { label: "↑ weight / uniform weight", type: "log", tickFormat: "~g" },
  })}<figcaption>The same against the distance between query and key in the model’s own space.</figcaption></figure></div></section>`;
}

/** What a logarithmic axis can show. */
function positive(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  return points.filter(([, y]) => y > 0);
}

function dynamic(models: readonly ModelAnalysis[], documents: number): Markup {
  const curve = (label: string, axis: string, points: (model: ModelAnalysis) => readonly ScoredAt[]) =>
    html`<figure>${figure({
      label,
      series: seriesOf(models, (model) => points(model).map(({ at, scores }) => [at, scores.accuracy])),
      lines: true,
      x: { label: `${axis} →` },
      y: { label: "↑ accuracy" },
    })}<figcaption>${label}.</figcaption></figure>`;
  return html`<section aria-labelledby="dynamic"><h2 id="dynamic">With part of the attention taken away</h2>
<p class="note">Accuracy on ${documents} test documents under masks that the models never saw in training.</p>
<div class="pair">${curve("Pairs masked at random, each with probability p", "p", (model) => model.bernoulli)}
${curve("Only the nearest pairs kept (models of one layer and head)", "share of pairs kept", (model) => model.nearest)}</div>
<div class="pair">${curve("Only the beginning of each document read", "tokens", (model) => model.truncated)}</div></section>`;
}

function diffusion(models: readonly ModelAnalysis[]): Markup {
  return html`<section aria-labelledby="diffusion"><h2 id="diffusion">Diffusion maps of one document</h2>
<div class="maps">${models.map((model, m) =>
    model.diffusion === undefined
      ? html`<figure><h3>${modelTitle(model)}</h3><p>None: query and key differ, or some tokens have no link at all.</p></figure>`
      : html`<figure>${figure({
          label: `Diffusion map of ${model.diffusion.id}`,
          series: [{ name: modelTitle(model), ...seriesStyles[m], points: model.diffusion.points }],
          x: { label: "λ₁ψ₁ →", ticks: 4, tickFormat: "~g" },
          y: { label: "↑ λ₂ψ₂", ticks: 4, tickFormat: "~g" },
          radius: 2,
        })}<figcaption>Each point is a token of ${model.diffusion.id}. Eigenvalues: ${model.diffusion.eigenvalues
          .slice(0, 5)
          .map((value) => value.toFixed(3))
          .join(", ")}, …</figcaption></figure>`,
  )}</div></section>`;
}

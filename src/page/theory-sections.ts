/** The parts of the page that do not depend on the text: paths of the process, and the spectrum of its generator. */

import { chart, legend, planePath, type Series, seriesStyles } from "./charts.js";
import { html, type Markup } from "./html.js";
import type { CircleStudy, PathStudy } from "./studies.js";
import { toMarkup } from "./svg.js";

export function circleSection(studies: readonly CircleStudy[]): Markup {
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
  const options = {
    label: "Fitted exponent of the generator's spectrum on the circle against the bandwidth, for four orders",
    series,
    lines: true,
    grid: false,
    x: { label: "bandwidth ε →", type: "log", ticks: 4, tickFormat: powerOfTen },
    y: { label: "↑ fitted exponent", ticks: studies.map(({ alpha }) => alpha), domain: [0.6, 2.1] },
  } as const;
  return html`<section aria-labelledby="circle"><h2 id="circle">Does the kernel make the right diffusion?</h2>
<figure>${legend(series)}<div class="chart">${toMarkup((document) => chart(document, options))}</div><figcaption>On points spread evenly over a circle, theory says that the k-th eigenvalue of the generator grows as k to the
power α. Each point is the exponent fitted over the modes 5 to 50; the ticks of the vertical axis are the four values of α. The
fit comes to α only as ε → 0 (read from right to left), slowly for α &lt; 2 and at once for α = 2. At ε = 10⁻⁸ it is
${pick(at(1e-8))} for α = ${studies
    .filter((_, s) => below[s])
    .map((s) => s.alpha)
    .join(", ")}. At ε = 10⁻⁴, a usual choice, it is still off:
${pick(studies.map((s) => s.coarse))} on 500 points, ${pick(at(1e-4))} on 2,000.</figcaption></figure></section>`;
}

/** 10⁻⁴ for a tick. */
function powerOfTen(value: number): string {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const exponent = Math.round(Math.log10(value));
  return `10${exponent < 0 ? "⁻" : ""}${[...String(Math.abs(exponent))].map((d) => digits[Number(d)]).join("")}`;
}

export function pathsSection(studies: readonly PathStudy[]): Markup {
  return html`<section aria-labelledby="paths"><h2 id="paths">A Lévy flight beside Brownian motion</h2>
<div class="pair">${studies.map(
    (study, s) =>
      html`<figure><h3>${study.alpha < 2 ? "Lévy flight" : "Brownian motion"}, α = ${study.alpha}</h3>${toMarkup(
        (document) =>
          planePath(
            document,
            `Path of ${study.points.length - 1} steps in the plane for α = ${study.alpha}`,
            study.points,
            seriesStyles[s === 0 ? 2 : 1].color,
          ),
      )}</figure>`,
  )}</div>
<p class="note">The same number of isotropic steps (${studies[0].points.length - 1}) from the ring to the dot, each panel at its own scale. The largest
step of the flight is ${studies.map((s) => `${s.largestStep.toFixed(0)} times its median step (α = ${s.alpha})`).join(", that of the Brownian path ")}.
Clusters joined by long jumps are what gives multiscale attention its long links.</p></section>`;
}

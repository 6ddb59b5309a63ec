/** The parts of the page about the text: the maps, what they measure, where the tokens lie, and their strongest links. */

import type { ComparedAttention } from "../text/compare.js";
import { tokenPlaces } from "../text/places.js";
import { attentionMap, strongestLinks } from "./attention-map.js";
import { bars, chart, legend, tokenMap } from "./charts.js";
import { eigenvalueChart, heatLegend, hopBars, numbersTable } from "./figures.js";
import { percent, titleOf } from "./format.js";
import { html, type Markup } from "./html.js";
import { toMarkup } from "./svg.js";

/** A text and what was found on it. */
export interface AttentionContent {
  readonly tokens: readonly string[];
  readonly attentions: readonly ComparedAttention[];
}

export function mapsSection({ attentions, tokens }: AttentionContent): Markup {
  return html`<section aria-labelledby="maps"><h2 id="maps">The attention maps</h2>
<div class="maps">${attentions.map(
    (a) =>
      html`<figure><h3>${titleOf(a)}</h3><div class="probe">${attentionMap({
        id: `map-${a.name}`,
        title: titleOf(a),
        tokens,
        weights: a.weights,
      })}</div></figure>`,
  )}</div>
<p class="readout" id="readout" hidden></p>
${heatLegend()}
<p class="note">Each row is a token, numbered from the top, and its cells are the tokens it attends to. The colour is the
weight against the uniform weight 1/${tokens.length} on a logarithmic scale that is the same for all three. A pale row with
few strong cells attends to few tokens; an even row attends to all alike. Cells that stand out are the same
or similarly spelt words elsewhere in the text, stripes beside the diagonal a passage that comes back, upright stripes a token that
many attend to. Point at a cell, or walk over a map with the arrow keys, to read it in all three.</p></section>`;
}

export function numbersSection({ attentions, tokens }: AttentionContent): Markup {
  const nearlyUniform = attentions.filter((a) => a.effectiveLinks > 0.9 * (tokens.length - 1));
  return html`<section aria-labelledby="numbers"><h2 id="numbers">How far information gets</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Table of gaps, hops and links">${numbersTable(attentions)}</div>
<div class="pair wide">${eigenvalues({ attentions, tokens })}${hopLengths({ attentions, tokens })}</div>
<p class="note"><b>Gap</b>: 1 − λ₂ of the attention matrix, λ₂ its second eigenvalue by real part, or by modulus; the larger the
second, the sooner a walk forgets where it started. <b>Hops</b>: steps on the cheapest path between two tokens when a link costs
1/weight; 1 would mean that every token reaches every other directly. <b>Effective links</b>: to how many tokens a token attends,
as the exponential of the entropy of its row; ${tokens.length - 1} when it attends to all alike. <b>Reach</b>: mean distance in
the text, in tokens, between a token and what it attends to.</p>
${nearlyUniform.map(
  (
    a,
  ) => html`<p class="note">Here ${titleOf(a)}, is close to uniform: a large gap and single hops then say that everything is
linked, not that the right things are: a length scale that keeps far tokens in sight keeps all of them in sight.</p>`,
)}</section>`;
}

function eigenvalues({ attentions, tokens }: AttentionContent): Markup {
  const options = eigenvalueChart(attentions, tokens.length);
  return html`<figure><h3>Eigenvalues</h3>${legend(options.series)}<div class="chart">${toMarkup((document) => chart(document, options))}</div>
<figcaption>All eigenvalues of each matrix, largest first; the first is always 1, and the drop to the second is the spectral
gap. Slow decay: the walk keeps telling groups of tokens apart for many steps. Values near zero are directions that one step
wipes out. They are real because query and key are the same vectors, and partly negative because no token attends to itself.</figcaption></figure>`;
}

function hopLengths({ attentions, tokens }: AttentionContent): Markup {
  const pairs = tokens.length * (tokens.length - 1);
  const options = hopBars(attentions, tokens.length);
  return html`<figure><h3>Hop lengths</h3>${legend(options.series)}<div class="chart">${toMarkup((document) => bars(document, options))}</div>
<figcaption>How many steps the cheapest path between two tokens takes, over all ${pairs.toLocaleString("en")} ordered pairs${
    attentions.some((a) => a.hops.unreachable > 0) && "; pairs that no path joins are missing from the bars"
  }. One long link can stand for many short steps: the more of the bars at the left, the fewer layers a model needs to bring
any two tokens together.</figcaption></figure>`;
}

export function placesSection({ attentions, tokens }: AttentionContent): Markup {
  const figures = attentions.map((a) => {
    const places = tokenPlaces(a.weights, tokens.length);
    if (places === undefined) {
      return html`<figure><h3>${titleOf(a)}</h3><p class="note">Some tokens have no weight between them at all: there is no one map.</p></figure>`;
    }
    const [first, second] = places.eigenvalues;
    const label = `Diffusion map of ${tokens.length} tokens under ${titleOf(a)}`;
    return html`<figure><h3>${titleOf(a)}</h3>${toMarkup((document) => tokenMap(document, label, tokens, places.points))}
<figcaption>λ₁ = ${first.toFixed(3)} across, λ₂ = ${second.toFixed(3)} up</figcaption></figure>`;
  });
  return html`<section aria-labelledby="places"><h2 id="places">Where the tokens lie: diffusion maps</h2>
<div class="maps">${figures}</div>
<p class="note">Two tokens lie together when a walk that starts at one goes on like a walk that starts at the other: the
coordinates are the first two eigenvectors of each matrix after the constant one, times their eigenvalues. The colour runs
with the text, from its first token (nearest to the background) to its last. Where words of one spelling gather, spelling
decides; where the colours are sorted, the place in the text does. Labels that would cover others are left out: point at a dot
to read it. Signs and directions of the axes mean nothing, and the scales differ from panel to panel.</p></section>`;
}

export function linksSection({ attentions, tokens }: AttentionContent): Markup {
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
<details><summary>The three tokens that each token attends to most, with their numbers and weights</summary>
<div class="scroll" tabindex="0" role="region" aria-label="Table of the strongest links"><table class="links">
<thead><tr><th scope="col" class="n">no.</th><th scope="col">token</th>${attentions.map((a) => html`<th scope="col">${titleOf(a)}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div></details></section>`;
}

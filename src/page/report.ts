/**
 * The report as one HTML file: no font, no picture, no code from elsewhere, and a policy in its head that holds the
 * browser to that. What each part shows and how to read it stands beside it, and every number on the page was computed in
 * the run that wrote it. The one script (`probe.ts`) reads the maps out; all else works without.
 */

import { createHash } from "node:crypto";
import type { VerifyResult } from "../verify/index.js";
import {
  type AttentionContent,
  linksSection,
  mapsSection,
  numbersSection,
  placesSection,
} from "./attention-sections.js";
import {
  machineSection,
  type PageMachine,
  type Timings,
  timingsSection,
  verificationSection,
} from "./evidence-sections.js";
import { percent } from "./format.js";
import { html, Markup } from "./html.js";
import { probeScript } from "./probe.js";
import type { CircleStudy, PathStudy } from "./studies.js";
import { pageCss } from "./style.js";
import { circleSection, pathsSection } from "./theory-sections.js";

/** Everything that the page shows. */
export interface Report extends AttentionContent {
  /** Where the text came from, for people. */
  readonly source: string;
  readonly text: string;
  /** True when the text has more tokens than are shown. */
  readonly truncated: boolean;
  /** D */
  readonly dim: number;
  /** The trained model that the vectors are of; undefined for vectors of spelling. */
  readonly verdict:
    | {
        readonly corpus: string;
        readonly alpha: number;
        readonly unknown: number;
        readonly classes: readonly { readonly name: string; readonly probability: number }[];
      }
    | undefined;
  readonly device: string;
  /** κ, ε and the manifold in words. */
  readonly scales: string;
  readonly circle: readonly CircleStudy[];
  readonly paths: readonly PathStudy[];
  /** Times of the devices, where they were measured. */
  readonly timings: Timings | undefined;
  /** Result of `fna verify`, where it was run. */
  readonly verification: VerifyResult | undefined;
  readonly machine: PageMachine;
  readonly version: string;
}

/** The parts of the page in order: where a link leads, and what it says. */
const contents = [
  ["maps", "Maps"],
  ["numbers", "Spectrum and hops"],
  ["places", "Diffusion maps"],
  ["paths", "Lévy flights"],
  ["circle", "The generator"],
  ["times", "Times and errors"],
  ["verify", "Verification"],
  ["machine", "Machine"],
  ["links", "Links"],
] as const;

/** The page as text. */
export function renderReport(report: Report): string {
  const script = probeScript(report.attentions, report.tokens);
  const hash = createHash("sha256").update(script.text).digest("base64");
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Three ways to attend: ${report.source}</title>
<style>${new Markup(pageCss)}</style>
</head>
<body>
<header>
<h1>Three ways to attend to one text</h1>
${introduction(report)}
<nav aria-label="On this page"><ul>${contents.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
</header>
<main>
${mapsSection(report)}
${numbersSection(report)}
${placesSection(report)}
${pathsSection(report.paths)}
${circleSection(report.circle)}
${timingsSection(report.timings)}
${verificationSection(report.verification)}
${machineSection(report.machine, report.version)}
${linksSection(report)}
</main>
<footer><p>Local and multiscale attention were computed on the ${report.device} device, everything else by the float64 reference.</p></footer>
<script>${script}</script>
</body>
</html>
`;
  return page.text;
}

function introduction({ text, source, tokens, truncated, dim, verdict, scales }: Report): Markup {
  const letters = [...text.trim().replace(/\n{2,}/g, "\n")];
  const excerpt = letters.length > 700 ? `${letters.slice(0, 700).join("")} …` : letters.join("");
  return html`<p class="lead">Fractional neural attention (<a href="https://arxiv.org/abs/2511.10208">arXiv:2511.10208</a>) reads an
attention matrix as a random walk over tokens. Dot-product attention is the usual one; <em>local</em> attention takes
Brownian steps (α&nbsp;=&nbsp;2); <em>multiscale</em> attention takes Lévy flights (α&nbsp;&lt;&nbsp;2), many short steps and a few long ones.</p>
<div class="intro"><blockquote dir="auto">${excerpt}</blockquote>
<p class="note">${source}: ${truncated ? `its first ${tokens.length} tokens` : `${tokens.length} tokens`} (lower-cased words,
numbers and symbols; punctuation only separates). ${verdict === undefined ? spelling(dim) : trained(dim, verdict)} All three use
the same vectors as queries and as keys, and no token attends to itself. ${scales}</p></div>`;
}

function spelling(dim: number): Markup {
  return html`There is no trained model here: a token’s vector of ${dim} components is
computed from its spelling (hashed character n-grams, unit variance) and its position (sinusoids), so tokens are near when they
share letters or stand close together, not when they mean the same.`;
}

function trained(dim: number, { corpus, alpha, unknown, classes }: NonNullable<Report["verdict"]>): Markup {
  const answer = classes.map(({ name, probability }) => `${name} ${percent(probability)}`).join(", ");
  return html`A token’s vector of ${dim} components is what a classifier attends with that was trained on ${corpus} with
α&nbsp;=&nbsp;${Number(alpha.toFixed(3))}: its embedding and its position. ${unknown} tokens are unknown to it and share one
vector. It says of this text: ${answer}.`;
}

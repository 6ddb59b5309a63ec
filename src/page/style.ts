/** The style sheet of the page and of single SVG files: system fonts, light and dark, screen and paper, from 360 px up. */

import { hex, ramp } from "./heat.js";

const variables = {
  light:
    "--paper:#fdfcf9;--ink:#1d1f24;--soft:#5c6270;--line:#d9d6cc;--link:#1f5f99;--bad:#a61b1b;--s1:#8a5a00;--s2:#1f5f99;--s3:#a02066;--s4:#2b6e46",
  dark: "--paper:#101216;--ink:#e7e6e1;--soft:#a2a8b4;--line:#333842;--link:#8cc0f0;--bad:#ff8f85;--s1:#e0b050;--s2:#79b8f2;--s3:#f28cc0;--s4:#7fce9d",
};

function heatVariables(scheme: "light" | "dark"): string {
  return ramp(scheme)
    .map((color, level) => `--h${level}:${hex(color)}`)
    .join(";");
}

/** Variables for both colour schemes; paper is always light. */
export const schemeCss = `
:root{color-scheme:light dark;${variables.light};${heatVariables("light")}}
@media screen and (prefers-color-scheme:dark){:root{${variables.dark};${heatVariables("dark")}}}
${ramp("light")
  .map((_, level) => `.h${level}{color:var(--h${level})}`)
  .join("")}
.map text{fill:var(--soft);font-family:system-ui,sans-serif}
.map .cells path{fill:none;stroke:currentColor}
.map .box{fill:currentColor}
.map .frame{fill:none;stroke:var(--line);vector-effect:non-scaling-stroke}
.map .cross{fill:var(--s3);fill-opacity:.55;pointer-events:none}
.map .hit{fill:transparent;stroke:none}
.map .hit:hover{stroke:var(--bad);vector-effect:non-scaling-stroke;stroke-width:1.5}
`.trim();

export const pageCss = `${schemeCss}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;text-rendering:optimizeLegibility}
main,header,footer{max-width:72rem;margin:0 auto;padding:0 1rem}
header{padding-top:2.5rem}
h1{font-size:2rem;line-height:1.2;margin:0 0 .75rem;letter-spacing:-.01em}
h2{font-size:1.35rem;line-height:1.3;margin:3rem 0 .75rem;padding-top:1.25rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:0 0 .35rem}
p,li,dl{max-width:46rem}
.lead{font-size:1.06rem}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,.probe:focus-visible,.scroll:focus-visible{outline:2px solid var(--link);outline-offset:2px}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.9em;overflow-wrap:anywhere}
blockquote{margin:.5rem 0 1rem;padding:.25rem 1rem;border-left:3px solid var(--line);max-width:46rem;color:var(--soft);white-space:pre-line;overflow-wrap:anywhere}
.intro{display:grid;grid-template-columns:minmax(0,46rem) minmax(0,1fr);gap:0 2.5rem;align-items:start}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:1.25rem 0 0;padding:0;list-style:none;font-size:.9rem;max-width:none}
figure{margin:1rem 0;min-width:0}
figcaption,.note{color:var(--soft);font-size:.9rem;max-width:46rem}
svg{display:block;max-width:100%;height:auto}
.maps{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:1.25rem}
.pair{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:1.25rem;max-width:52rem}
.pair.wide{max-width:none;gap:1.25rem 2.5rem}
.pair>div{margin:1rem 0;min-width:0}
.maps svg,.pair svg.plot{width:100%}
.probe{touch-action:pan-y;cursor:crosshair}
.readout{position:sticky;bottom:0;margin:0;padding:.5rem 0;max-width:none;min-height:2.6rem;background:var(--paper);font-variant-numeric:tabular-nums;white-space:pre-wrap;overflow-wrap:anywhere}
.chart svg{width:100%;max-width:34rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:.5rem 0;padding:0;list-style:none;font-size:.9rem}
.legend li{display:flex;align-items:center;gap:.4rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums;margin:.5rem 0}
th,td{padding:.3rem 1.1rem .3rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:600}
tbody th{white-space:nowrap}
th.n,td.n{text-align:right}
td.n{white-space:nowrap}
.bad{color:var(--bad);font-weight:600}
.links td{min-width:11rem}
.links tbody th{white-space:normal;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--link)}
dl{margin:.5rem 0;font-size:.95rem}
dl div{display:grid;grid-template-columns:7rem 1fr;padding:.2rem 0}
dt{color:var(--soft)}
dd{margin:0}
footer{margin-top:3rem;padding-bottom:2rem;color:var(--soft);font-size:.85rem}
@media(max-width:64rem){.intro{grid-template-columns:minmax(0,1fr)}}
@media(max-width:54rem){.maps,.pair.wide{grid-template-columns:minmax(0,1fr);max-width:34rem}}
@media(max-width:36rem){.pair{grid-template-columns:minmax(0,1fr)}h1{font-size:1.5rem}h2{font-size:1.2rem}table{font-size:.8rem}th,td{padding-right:.7rem}dl div{grid-template-columns:5.5rem 1fr}}
@media print{body{font-size:10pt}nav,.readout,details{display:none}h2{break-after:avoid}h3{break-after:avoid}figure,tr{break-inside:avoid}.scroll{overflow:visible}.maps{grid-template-columns:repeat(3,minmax(0,1fr));max-width:none}.pair,.pair.wide{grid-template-columns:repeat(2,minmax(0,1fr));max-width:none}}
`;

/** Kernel, scale, distance, masks and attention of one head with its gradients, each equation broken in turn. */

import { inFile } from "./list.mjs";

const golden = ["golden-attention"];
const gradients = ["reference-gradients"];

const kernel = inFile("reference/kernel.ts", golden, [
  [
    "kernel: alpha = 2 on the wrong branch",
    "return alpha < 2 ? -(intrinsicDim + alpha) * Math",
    "return alpha <= 2 ? -(intrinsicDim + alpha) * Math",
  ],
  ["kernel: exponent without alpha", "-(intrinsicDim + alpha) * Math.log1p(z)", "-(intrinsicDim + 1) * Math.log1p(z)"],
  ["kernel: exponent without d_M", "-(intrinsicDim + alpha) * Math.log1p(z)", "-(1 + alpha) * Math.log1p(z)"],
  [
    "kernel: argument of log1p",
    "-(intrinsicDim + alpha) * Math.log1p(z)",
    "-(intrinsicDim + alpha) * Math.log1p(z * z)",
  ],
  [
    "kernel: log(1 + z) for log1p",
    "-(intrinsicDim + alpha) * Math.log1p(z)",
    "-(intrinsicDim + alpha) * Math.log(1 + z)",
    { tests: ["reference-kernel"] },
  ],
  ["kernel: local exponent", "-(z ** (alpha / (alpha - 1)))", "-(z ** (alpha / (alpha + 1)))"],
  ["kernel: local sign", ": -(z ** (alpha / (alpha - 1)))", ": z ** (alpha / (alpha - 1))"],
  [
    "kernel slope: sign for alpha < 2",
    "if (alpha < 2) return -(intrinsicDim + alpha) / (1 + z);",
    "if (alpha < 2) return (intrinsicDim + alpha) / (1 + z);",
    { tests: gradients },
  ],
  [
    "kernel slope: branch",
    "if (alpha < 2) return -(intrinsicDim + alpha) / (1 + z);",
    "if (alpha <= 2) return -(intrinsicDim + alpha) / (1 + z);",
    { tests: gradients },
  ],
  ["kernel slope: power for alpha = 2", "return -p * z ** (p - 1);", "return -p * z ** p;", { tests: gradients }],
  ["order slope: second term left out", " - ((intrinsicDim + alpha) / (1 + z)) * dz;", ";", { tests: gradients }],
  [
    "order slope: sign of the second term",
    " - ((intrinsicDim + alpha) / (1 + z)) * dz;",
    " + ((intrinsicDim + alpha) / (1 + z)) * dz;",
    { tests: gradients },
  ],
  [
    "order slope: alpha in place of its square",
    "(z * logBandwidth) / (alpha * alpha)",
    "(z * logBandwidth) / alpha",
    { tests: gradients },
  ],
  [
    "order slope: local branch, sign",
    "(alpha - 1) ** 2 - p * z ** (p - 1) * dz",
    "(alpha - 1) ** 2 + p * z ** (p - 1) * dz",
    { tests: ["reference-kernel"] },
  ],
  ["order slope: local branch, z = 0", "  if (z === 0) return 0;\n", "", { tests: ["reference-kernel"] }],
  [
    "scores: multiplied by the bandwidth",
    "kernel(d / factor, alpha, intrinsicDim)",
    "kernel(d * factor, alpha, intrinsicDim)",
  ],
  [
    "Markov matrix: degree of the wrong token",
    "(k[i * size + j] * degree[i] ** -degreeNormalization)",
    "(k[i * size + j] * degree[j] ** -degreeNormalization)",
  ],
  ["Markov matrix: one side multiplied", "/ degree[j] ** degreeNormalization", "* degree[j] ** degreeNormalization"],
]);

const scale = inFile("reference/scale.ts", golden, [
  [
    "kappa: without the root",
    'name === "dim" ? headDim : Math.sqrt(headDim) /',
    'name === "dim" ? headDim : headDim /',
    { tests: ["reference-kernel"] },
  ],
  [
    "kappa: 2^(1/D) - 1 by subtraction",
    "Math.expm1(Math.LN2 / headDim)",
    "(2 ** (1 / headDim) - 1)",
    { tests: ["reference-kernel"] },
  ],
  [
    "kappa: alpha = 2 on the wrong branch",
    "if (alpha >= 2) return Math.sqrt(headDim);",
    "if (alpha > 2) return Math.sqrt(headDim);",
    { tests: ["reference-kernel"] },
  ],
  [
    "kappa: D for alpha = 2",
    "if (alpha >= 2) return Math.sqrt(headDim);",
    "if (alpha >= 2) return headDim;",
    { tests: ["reference-kernel"] },
  ],
  [
    'kappa: "dim" with a root',
    'name === "dim" ? headDim :',
    'name === "dim" ? Math.sqrt(headDim) :',
    { tests: ["reference-kernel"] },
  ],
  [
    "radius: power",
    "Math.log(Math.PI) / intrinsicDim)",
    "Math.log(Math.PI) * intrinsicDim)",
    { tests: ["reference-kernel"] },
  ],
  [
    "radius: not divided by pi",
    "Math.expm1(Math.log(Math.PI) / intrinsicDim) / Math.PI",
    "Math.expm1(Math.log(Math.PI) / intrinsicDim)",
    { tests: ["reference-kernel"] },
  ],
  ["bandwidth: exponent alpha", "bandwidth ** (1 / alpha)", "bandwidth ** alpha"],
  ["bandwidth: exponents exchanged", 'exponent === "1/2" ?', 'exponent === "1/alpha" ?'],
  ["median: upper in place of lower", "(rescaled.length - 1) >> 1", "rescaled.length >> 1"],
  ["median: without the power", "(rescaled.length - 1) >> 1] ** alpha", "(rescaled.length - 1) >> 1]"],
  [
    "median: without the floor",
    "return Math.max(rescaled[(rescaled.length - 1) >> 1] ** alpha, bandwidthFloor);",
    "return rescaled[(rescaled.length - 1) >> 1] ** alpha;",
    { tests: ["reference-kernel"] },
  ],
  ["mean: not squared", "(sum / rescaled.length) ** 2", "sum / rescaled.length"],
  [
    "mean: without the floor",
    "return Math.max((sum / rescaled.length) ** 2, bandwidthFloor);",
    "return (sum / rescaled.length) ** 2;",
    { tests: ["reference-kernel"] },
  ],
  ["measured bandwidth: masked pairs counted", "    if (mask?.[p]) continue;\n", "", { tests: ["reference-kernel"] }],
  ["measured bandwidth: kappa left out", "rescaled.push(distance[p] / kappa)", "rescaled.push(distance[p])"],
  [
    "measured bandwidth: NaN sorted away",
    "  if (rescaled.some(Number.isNaN)) return Number.NaN;\n",
    "",
    { tests: ["reference-kernel"] },
  ],
]);

const distance = inFile("reference/distance.ts", golden, [
  ["distance: squared", "distance[i * keys + j] = Math.sqrt(sum);", "distance[i * keys + j] = sum;"],
  ["distance: sum of magnitudes", "sum += difference * difference;", "sum += Math.abs(difference);"],
  ["sphere: half of the chord forgotten", "2 * Math.asin(difference / 2)", "2 * Math.asin(difference)"],
  ["sphere: obtuse angle not taken from pi", "Math.PI - 2 * Math.asin(sum / 2)", "2 * Math.asin(sum / 2)"],
  [
    "sphere: acute form for every angle",
    "return difference <= sum ? 2 *",
    "return sum >= 0 ? 2 *",
    { tests: ["reference-distance"] },
  ],
  [
    "sphere: obtuse form for every angle",
    "return difference <= sum ? 2 *",
    "return sum < 0 ? 2 *",
    { tests: ["reference-distance"] },
  ],
  [
    "sphere: a zero vector is near everything",
    "b.norm[j] === 0 ? Math.PI / 2",
    "b.norm[j] === 0 ? 0",
    { tests: gradients },
  ],
  ["unit rows: a zero row divides by zero", "    if (largest === 0) continue;\n", "", { tests: gradients }],
  [
    "unit rows: squares overflow",
    "sum += (x[i * headDim + c] / largest) ** 2;",
    "sum += x[i * headDim + c] ** 2 / largest ** 2;",
    { tests: ["reference-distance"] },
  ],
  ["unit rows: not of unit length", "/ largest / root;", "/ largest;"],
  ["arccos: clamp missing", "Math.acos(Math.max(-limit, Math.min(limit, dot)))", "Math.acos(dot)"],
  ["euclidean gradient: sign of dk", "dk[j * headDim + c] -= g;", "dk[j * headDim + c] += g;", { tests: gradients }],
  [
    "euclidean gradient: not divided by d",
    "- k[j * headDim + c])) / d;",
    "- k[j * headDim + c]));",
    { tests: gradients },
  ],
  ["sphere gradient: not projected", "(y + sign * x - sign * x * half)", "y", { tests: gradients }],
  ["sphere gradient: norm of q left out", "/ (sine * q.norm[i])", "/ sine", { tests: gradients }],
  ["sphere gradient: norm of k left out", "/ (sine * k.norm[j])", "/ sine", { tests: gradients }],
  [
    "sphere gradient: forms exchanged",
    "pair.difference <= pair.sum ? -1 : 1",
    "pair.difference <= pair.sum ? 1 : -1",
    { tests: gradients },
  ],
  ["sphere gradient: 0/0 at equal directions", "  if (sine === 0) return;\n", "", { tests: gradients }],
  [
    "sphere gradient: 1/0 at zero vectors",
    "  if (q.norm[i] === 0 || k.norm[j] === 0) return;\n",
    "",
    { tests: gradients },
  ],
  [
    "sphere gradient: sine doubled",
    "(pair.difference * pair.sum) / 2",
    "pair.difference * pair.sum",
    { tests: gradients },
  ],
  [
    "free gradient: clamp without effect",
    "  if (Math.abs(dot) >= limit) return;\n",
    "",
    { tests: ["reference-distance"] },
  ],
  ["free gradient: cosine for sine", "Math.sqrt((1 - dot) * (1 + dot))", "Math.abs(dot)"],
]);

const masks = inFile(
  "reference/masks.ts",
  ["attention"],
  [
    ["causal: strictly earlier", "(i, j) => j > i + offset", "(i, j) => j >= i + offset"],
    [
      "causal: default offset",
      "export function causalMask(queries: number, keys: number, offset = keys - queries)",
      "export function causalMask(queries: number, keys: number, offset = 0)",
      { tests: ["reference-attention"] },
    ],
    ["self: offset left out", "j === i + offset", "j === i"],
    ["window: one too narrow", "Math.abs(position - j) > width", "Math.abs(position - j) >= width"],
    ["window: offset left out", "const position = i + offset;", "const position = i;"],
    [
      "window: default offset",
      "  globalTokens = 0,\n  offset = keys - queries,",
      "  globalTokens = 0,\n  offset = 0,",
      { tests: ["reference-attention"] },
    ],
    [
      "window: one global key too many",
      "const isGlobal = j < globalTokens ||",
      "const isGlobal = j <= globalTokens ||",
    ],
    ["window: one global query too many", "position < globalTokens);", "position <= globalTokens);"],
    [
      "window: queries before the first key are global",
      "(position >= 0 && position < globalTokens)",
      "position < globalTokens",
      { tests: ["reference-attention"] },
    ],
    ["padding: one key too many", "j >= keyLength", "j > keyLength"],
    ["padding: one query too many", "i >= queryLength", "i > queryLength"],
    ["threshold: the threshold itself kept", "d >= threshold ? 1 : 0", "d > threshold ? 1 : 0"],
    ["union: later masks replace earlier ones", "if (mask?.[p]) union[p] = 1;", "if (mask) union[p] = mask[p];"],
    [
      "authors' window: width",
      "Math.floor(size / 8), 2)",
      "Math.floor(size / 4), 2)",
      { tests: ["reference-attention"] },
    ],
    [
      "authors' window: not inverted",
      "(masked) => 1 - masked",
      "(masked) => masked",
      { tests: ["reference-attention"] },
    ],
  ],
);

const attention = inFile("reference/attention.ts", golden, [
  [
    "degree normalisation: sign",
    "logKernel[p] - (degreeNormalization > 0 ?",
    "logKernel[p] + (degreeNormalization > 0 ?",
  ],
  [
    "degree normalisation: row sums for column sums",
    "degreeNormalization * logColumnSum[j] : 0",
    "degreeNormalization * logRowSum[i] : 0",
  ],
  ["degree normalisation: a left out", "? degreeNormalization * logColumnSum[j]", "? logColumnSum[j]"],
  [
    "degree normalisation: 0 times infinity",
    "(degreeNormalization > 0 ? degreeNormalization * logColumnSum[j] : 0)",
    "degreeNormalization * logColumnSum[j]",
    { tests: ["reference-attention"] },
  ],
  [
    "column sums: over rows",
    "logSumExp(queries, (i) => logKernel[i * keys + j])",
    "logSumExp(queries, (i) => logKernel[i * keys])",
  ],
  ["row floor: reversed", "normalizer[i] < Math.log(floor)", "normalizer[i] > Math.log(floor)"],
  ["row floor: row sums cancel", "biased[p] -= degreeNormalization * logRowSum[i];", ""],
  ["logSumExp: largest term not put back", "  return largest + Math.log(sum);", "  return Math.log(sum);"],
  [
    "logSumExp: -Infinity row turns into NaN",
    "  if (largest === Number.NEGATIVE_INFINITY) return largest;\n",
    "",
    { tests: ["attention"] },
  ],
  [
    "weights: rows with nothing to attend to",
    "x === Number.NEGATIVE_INFINITY ? 0 : Math.exp",
    "Math.exp",
    { tests: ["attention"] },
  ],
  ["output: a masked value is read", "      if (scores.mask[i * keys + j]) continue;\n", "", { tests: ["attention"] }],
  [
    "output: a bad value spoils one component only",
    "finite ? weights[i * keys + j] * v[j * valueDim + c] : Number.NaN",
    "weights[i * keys + j] * v[j * valueDim + c]",
    { tests: ["attention"] },
  ],
  ["threshold: not in units of kappa", "distance.map((d) => d / kappa)", "distance", { tests: ["attention"] }],
  [
    "measured bandwidth: all pairs by default",
    'head.bandwidthPairs === "all" ? undefined : mask',
    "undefined",
    { tests: ["attention"] },
  ],
  ["measured bandwidth: never over all pairs", 'head.bandwidthPairs === "all" ? undefined : mask', "mask"],
  [
    "measured bandwidth: NaN is an argument error",
    "Number.isNaN(bandwidth)\n    ? Number.NaN\n    : kappa",
    "kappa",
    { tests: ["reference-attention"] },
  ],
  ["divisor: kappa left out", ": kappa * bandwidthFactor(", ": bandwidthFactor("],
  ["radius left out", "angle.map((theta) => head.radius * theta)", "angle"],
  [
    "bad query: distances kept",
    "if (!rowIsFinite(q, i, headDim)) distance",
    "if (queries < 0) distance",
    { tests: ["attention"] },
  ],
  ["bad key: distances kept", "if (rowIsFinite(k, j, headDim)) continue;", "continue;", { tests: ["attention"] }],
  [
    "default d_M on the sphere",
    "sphere ? Math.max(1, headDim - 1) : headDim",
    "headDim",
    { tests: ["reference-attention"] },
  ],
  [
    "default d_M on the circle is 0",
    "sphere ? Math.max(1, headDim - 1) : headDim",
    "sphere ? headDim - 1 : headDim",
    { tests: ["reference-attention"] },
  ],
  [
    "default radius at alpha = 2",
    "alpha < 2 ? rescaledRadius(intrinsicDim) : 1",
    "alpha <= 2 ? rescaledRadius(intrinsicDim) : 1",
    { tests: ["reference-attention"] },
  ],
  [
    "default kappa on the sphere",
    'sphere ? 1 : scaleKappa("paper", headDim, alpha)',
    'scaleKappa("paper", headDim, alpha)',
    { tests: ["reference-attention"] },
  ],
]);

const gradient = inFile("reference/attention-gradient.ts", gradients, [
  ["gradient: delta left out", "weight * (dWeight - delta)", "weight * dWeight"],
  ["gradient: delta with the other sign", "weight * (dWeight - delta)", "weight * (dWeight + delta)"],
  ["gradient: dv without weights", "+= weight * dOutput[i * valueDim + c];", "+= dOutput[i * valueDim + c];"],
  ["gradient: dAlpha at alpha = 2", "const orderVaries = alpha < 2 ||", "const orderVaries = alpha <= 2 ||"],
  ["gradient: dAlpha sign", "dAlpha += dS *", "dAlpha -= dS *"],
  ["gradient: bandwidth not seen by alpha", "      ? Math.log(resolved.bandwidth)", "      ? 0"],
  ["gradient: bandwidth^(1/2) seen by alpha", 'resolved.bandwidthExponent === "1/alpha" && typeof', "typeof"],
  ["gradient: dKappa sign", "dKappa -= (dS", "dKappa += (dS"],
  ["gradient: dKappa not divided", "(dS * slope * z[p]) / kappa", "dS * slope * z[p]"],
  ["gradient: dRadius sign", "dRadius += (dS", "dRadius -= (dS"],
  ["gradient: dRadius in euclidean space", "if (sphere) dRadius", "dRadius"],
  ["gradient: 0/0 at distance 0", "      if (d === 0) continue;\n", ""],
  ["gradient: radius left out", "addAngleGradient(dDistance * radius,", "addAngleGradient(dDistance,"],
  ["gradient: degree term left out", "    addDegreeGradient(dScore, scores, resolved);\n", ""],
  [
    "gradient: degree term sign",
    "dScore[p] -= degreeNormalization * columnTotal[j]",
    "dScore[p] += degreeNormalization * columnTotal[j]",
  ],
  [
    "gradient: degree term without a",
    "dScore[p] -= degreeNormalization * columnTotal[j]",
    "dScore[p] -= columnTotal[j]",
  ],
  [
    "gradient: degree term by rows",
    "columnTotal[j] * Math.exp(logKernel[p] - logColumnSum[j])",
    "columnTotal[j] * Math.exp(logKernel[p] - logRowSum[i])",
  ],
  [
    "gradient: floored row keeps its delta",
    "if (hasFlooredRow(resolved.compatibility.rowSumFloor, logSumExp[i])) delta = 0;",
    "",
    { tests: golden },
  ],
  [
    "gradient: row term under the floor",
    "dScore[p] -= degreeNormalization * rowTotal[i]",
    "dScore[p] += degreeNormalization * rowTotal[i]",
  ],
]);

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [...kernel, ...scale, ...distance, ...masks, ...attention, ...gradient];

/** Spectra, diffusion maps, the magnetic transform and the attention graph, each equation broken in turn. */

import { inFile } from "./list.mjs";

const spectra = [
  ...inFile(
    "reference/spectrum.ts",
    ["analysis"],
    [
      ["spectrum: order by modulus reversed", "modulus(a) - modulus(b)", "modulus(b) - modulus(a)"],
      ["spectrum: descending", "|| re[a] - re[b] ||", "|| re[b] - re[a] ||"],
      [
        "gap: third eigenvalue",
        "byRealPart[last] - byRealPart[last - 1]",
        "byRealPart[last] - byRealPart[Math.max(0, last - 2)]",
      ],
      [
        "gap by modulus: by real part",
        "Float64Array.from(re, (x, j) => Math.hypot(x, im[j])).sort()",
        "Float64Array.from(re).sort()",
      ],
      ["generator: not divided by time", ": Math.hypot(x, im[j])) / time)", ": Math.hypot(x, im[j])))"],
      ["generator: sign", "-Math.log(im[j] === 0", "Math.log(im[j] === 0"],
      ["generator: phase sign", "0 - Math.atan2(im[j], x) / time", "0 + Math.atan2(im[j], x) / time"],
      [
        "shared: one-sided degree",
        "Math.sqrt(degree[i]) * Math.sqrt(degree[j])",
        "degree[i]",
        { tests: ["golden-analysis", "analysis"] },
      ],
      ["shared: zero degree divides", "if (scale > 0) out[i * size + j]", "out[i * size + j]"],
      [
        "shared: root of the product",
        "const scale = Math.sqrt(degree[i]) * Math.sqrt(degree[j]);",
        "const scale = Math.sqrt(degree[i] * degree[j]);",
      ],
      ["stochastic: rows need not sum to 1", "Math.abs(sum - 1) > stochasticTolerance", "Math.abs(sum - 1) > 2"],
      [
        "eigenvectors: of another eigenvalue",
        "found.get(i, order[j])",
        "found.get(i, j)",
        { equivalent: "the library sorts the eigenvalues of a symmetric matrix itself; it does not promise to" },
      ],
    ],
  ),
  ...inFile(
    "src/analysis/weights.ts",
    ["attention-weights", "text"],
    [
      ["weights: heads for batch entries", "(batch * heads + head) * queries", "(head * heads + batch) * queries"],
      ["weights: detailed balance upside down", "logPi[from] + Math.log(", "logPi[from] - Math.log("],
      ["weights: kernel without the stationary distribution", "* root[i] * root[j];", ";"],
      ["weights: chain that is not balanced", "balanceTolerance = 1e-3", "balanceTolerance = 10"],
      [
        "weights: eigenvalues ascending",
        "symmetricEigenvalues(symmetric, size).reverse()",
        "symmetricEigenvalues(symmetric, size)",
      ],
      ["weights: entropy without its weight", "entropy -= a * Math.log(a)", "entropy -= Math.log(a)"],
    ],
  ),
  ...inFile(
    "reference/circle-spectrum.ts",
    ["circle-spectrum"],
    [
      ["circle: arcs beyond pi", "(2 * Math.PI * Math.min(j, n - j)) / n", "(2 * Math.PI * j) / n"],
      [
        "circle: exponent of the bandwidth",
        'const row = distanceToScore(arcs, alpha, 1, bandwidth, "1/2");',
        'const row = distanceToScore(arcs, alpha, 1, bandwidth, "1/alpha");',
      ],
      ["circle: time", 'stabilityIndex("alpha", alpha) / 2', 'stabilityIndex("alpha", alpha)'],
      ["circle: complement halved", "return (2 * sum) / total;", "return sum / total;"],
      ["circle: sign of the complement", "Math.log1p(-c)", "Math.log1p(c)"],
      ["circle: doubled points not doubled", 'layout === "periodic" ? n : n - 1', "n"],
      [
        "circle: dense kernel's exponent",
        'return distanceToScore(arcs, alpha, 1, bandwidth, "1/2");',
        'return distanceToScore(arcs, alpha, 1, bandwidth, "1/alpha");',
      ],
      ["circle: eigenvalues ascending", "values.reverse()", "values"],
      [
        "fit: regression without centring",
        "const exponent = covariance / variance;",
        "const exponent = (covariance / variance) * 1.001;",
      ],
      ["fit: prefactor", "Math.exp(meanY - exponent * meanX)", "Math.exp(meanY + exponent * meanX)"],
    ],
  ),
];

const analysis = [
  ...inFile(
    "reference/diffusion-map.ts",
    ["diffusion-map"],
    [
      ["diffusion: time left out", "eigenvalues[l] ** tau * vectors", "vectors"],
      ["diffusion: sign rule reversed", "if (entry < 0) for", "if (entry > 0) for"],
      ["diffusion: sign rule without tolerance", "(1 - 1e-6) * largest", "largest"],
      ["diffusion: one side of the degrees", " / sums[i] ** a / sums[j] ** a;", " / sums[i] ** a;"],
      ["diffusion: a left out", " / sums[i] ** a / sums[j] ** a;", " / sums[i] / sums[j];"],
      [
        "diffusion: power of the degree",
        "vectors[i * size + l] /= Math.sqrt(degree[i]);",
        "vectors[i * size + l] /= degree[i];",
      ],
      [
        "diffusion: trivial pair not taken out",
        "p[i * size + j] -= 3 * trivial[i] * trivial[j];",
        "p[i * size + j] -= 0;",
      ],
      [
        "diffusion: trivial vector kept in the embedding",
        "embedding[i * components + l - 1] = eigenvalues[l]",
        "embedding[i * components + l - 1] = eigenvalues[l - 1]",
      ],
      ["diffusion: order", "const column = l === 0 ? 0 : size - l;", "const column = l;"],
      ["diffusion distance: not weighted", "** 2 / degree[z];", "** 2;"],
      ["diffusion distance: one step short", "step < tau; step++", "step < tau - 1; step++"],
      ["diffusion: mask ignored", "if (mask[i * size + j]) kernel[i * size + j] = 0;", ""],
    ],
  ),
  ...inFile(
    "reference/magnetic.ts",
    ["analysis"],
    [
      ["magnetic: charge", "const charge = largest / 4;", "const charge = largest / 2;"],
      [
        "magnetic: phase sign",
        "(kernel[j * size + i] - kernel[i * size + j]);",
        "(kernel[i * size + j] - kernel[j * size + i]);",
      ],
      ["magnetic: phase without 2 pi", "const phase = 2 * Math.PI * charge *", "const phase = charge *"],
      [
        "magnetic: half left out",
        "(kernel[i * size + j] + kernel[j * size + i]) / 2;",
        "kernel[i * size + j] + kernel[j * size + i];",
      ],
      [
        "magnetic: sine for cosine",
        "re[i * size + j] = modulus[i * size + j] * Math.cos(phase);",
        "re[i * size + j] = modulus[i * size + j] * Math.sin(phase);",
      ],
      [
        "Hermitian: imaginary part's sign",
        "embedded[i * width + size + j] = -imaginary[i * size + j];",
        "embedded[i * width + size + j] = imaginary[i * size + j];",
      ],
      ["Hermitian: every second eigenvalue twice", "(values[2 * l] + values[2 * l + 1]) / 2", "values[l]"],
    ],
  ),
  ...inFile(
    "reference/attention-graph.ts",
    ["attention-graph"],
    [
      ["graph: length", "(w) => 1 / w", "(w) => 1 - w"],
      ["graph: ties go to more hops", "hops[here] + 1 < hops[j]", "hops[here] + 1 > hops[j]"],
      ["graph: ties settled late", "(length[j] === length[here] && hops[j] < hops[here])", "false"],
      ["graph: hops not counted", "hops[j] = hops[here] + 1;", "hops[j] = hops[here];"],
      ["graph: mean over the diagonal", "sum / (size * (size - 1) - unreachable)", "sum / (size * size - unreachable)"],
      ["graph: mean over pairs without a path", "sum / (size * (size - 1) - unreachable)", "sum / (size * (size - 1))"],
      ["graph: zero weight is an edge", "if (through === Number.POSITIVE_INFINITY) continue;", ""],
      ["graph: probability", "Math.exp(-found.length)", "Math.exp(found.length)"],
      ["graph: log of the weight", "Math.max(0, -Math.log(w))", "1 / w"],
      ["graph: weight above 1 has negative length", "Math.max(0, -Math.log(w))", "-Math.log(w)"],
      ["graph: longest of the hops", "maxHops = Math.max(maxHops, count);", "maxHops = count;"],
    ],
  ),
  ...inFile(
    "reference/dynamic-inference.ts",
    ["dynamic-inference"],
    [
      [
        "Bernoulli: keeps with probability p",
        "random.uniform() < probability ? 1 : 0",
        "random.uniform() < probability ? 0 : 1",
      ],
      ["masked share: of what is left", "return masked / mask.length;", "return 1 - masked / mask.length;"],
    ],
  ),
];

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [...spectra, ...analysis];

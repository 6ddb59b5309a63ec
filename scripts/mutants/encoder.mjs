/** The layers of the encoder classifier beside attention, and the classifier, each equation broken in turn. */

import { inFile } from "./list.mjs";

const golden = ["golden-attention"];
const slopes = ["reference-encoder"];

const layers = [
  ...inFile("reference/layer-norm.ts", golden, [
    ["layer norm: another epsilon", "epsilon = 1e-6 }", "epsilon = 1e-5 }"],
    ["layer norm: variance of one less", "(value - mean) ** 2 / width", "(value - mean) ** 2 / (width - 1)"],
    ["layer norm: bias left out", "weight[p % width] * z + bias[p % width]", "weight[p % width] * z"],
    ["layer norm gradient: mean kept", "dy[p] - mean - normalized[p] * along", "dy[p] - normalized[p] * along"],
    ["layer norm gradient: slope of the deviation", "- mean - normalized[p] * along", "- mean - normalized[p] * mean"],
    ["layer norm gradient: weight of x", "weight[c] += dy[p] * normalized[p];", "weight[c] += dy[p] * x[p];"],
  ]),
  ...inFile("reference/activation.ts", slopes, [
    ["relu: slope below 0", "value > 0 ? dy[p] : 0", "dy[p]", { tests: golden }],
    ["gelu gradient: cubic term", "1 + 3 * cubic * value * value", "1 + cubic * value * value"],
    ["gelu gradient: slope of tanh", "(1 - t * t) * factor", "(1 - t) * factor"],
  ]),
  ...inFile("reference/embedding.ts", golden, [
    ["embedding gradient: last wins", "gradient[token * width + c] += dy", "gradient[token * width + c] = dy"],
    ["positions: sine and cosine swapped", "c % 2 === 0 ? Math.sin", "c % 2 === 1 ? Math.sin"],
    ["positions: frequency of each column", "(2 * Math.floor(c / 2)) / width", "c / width"],
  ]),
  ...inFile("reference/dropout.ts", slopes, [
    ["dropout: not scaled", "0 : value / (1 - probability)", "0 : value"],
    ["dropout: what is kept is dropped", "bits >>> 8 < threshold", "bits >>> 8 >= threshold"],
    ["dropout: the same for every row", "mixBits(key + rowIds[Math.floor(p / width)])", "mixBits(key)"],
    ["dropout: the same at every step", "mixBits(mixBits(seed) + step)", "mixBits(mixBits(seed))"],
  ]),
  ...inFile("reference/pooling.ts", golden, [
    ["pool: smallest", "> x[best * width + column]", "< x[best * width + column]"],
    ["pool gradient: mean not divided", "dy[c] / rows", "dy[c]", { tests: slopes }],
  ]),
  ...inFile("reference/cross-entropy.ts", golden, [
    [
      "cross-entropy: summed over the batch",
      "loss -= logs[b * classes + labels[b]] / rows;",
      "loss -= logs[b * classes + labels[b]];",
    ],
    ["cross-entropy twice: once", "logSoftmax(twice ? probabilities : logits,", "logSoftmax(logits,"],
    [
      "cross-entropy twice: slope of softmax",
      "probabilities[p] * (dLogits[p] - along)",
      "probabilities[p] * dLogits[p]",
    ],
  ]),
  ...inFile("reference/adam.ts", golden, [
    ["adam: first moment not corrected", "first[e] / (1 - beta1 ** step)", "first[e]"],
    ["adam: second moment not corrected", "second[e] / (1 - beta2 ** step)", "second[e]"],
    ["adam: epsilon under the root", "Math.sqrt(square) + epsilon", "Math.sqrt(square + epsilon)"],
    ["adam: gradient not squared", "gradient[e] ** 2", "Math.abs(gradient[e])"],
  ]),
];

const encoder = inFile("reference/encoder-text.ts", golden, [
  ["encoder: positions from 0", "(i < length ? i + 1 : 0)", "(i < length ? i : 0)"],
  ["encoder: padding has a position", "(i < length ? i + 1 : 0)", "(i + 1)"],
  ["encoder: no residual", "const sum = plus(x, drop(branch.y));", "const sum = drop(branch.y);"],
  ["encoder: residual scale by layers", "1 / Math.sqrt(config.layers) : 1", "1 / config.layers : 1"],
  [
    "encoder: input of the sphere not normalised",
    'config.attention === "fna-sphere" ? unitRowsPass',
    "false ? unitRowsPass",
  ],
  ["encoder: shared tokens attend to themselves", "(self && j === Math.floor(p / rows))", "false"],
  ["encoder: padding attended", "j >= this.#length ||", ""],
  ["encoder gradient: branch left out", "plus(gradient.dx, branch.back(drop(gradient.dx)))", "gradient.dx"],
  [
    "encoder gradient: dropout of the way back",
    "branch.back(drop(gradient.dx))",
    "branch.back(gradient.dx)",
    { tests: slopes },
  ],
  ["encoder gradient: slope of the order", "d * alpha[h] * (1 - alpha[h] / 2)", "d * alpha[h]", { tests: slopes }],
  ["encoder gradient: slope of the scale", "(d, h) => d * kappa[h]", "(d) => d", { tests: slopes }],
  ["encoder gradient: along a unit row", "(d - along[Math.floor(p / width)] * y[p]) /", "d /"],
  ["encoder: learned orders up to 1", "2 / (1 + Math.exp(-a))", "1 / (1 + Math.exp(-a))", { tests: ["models"] }],
]);

const sinkhorn = inFile("reference/sinkhorn.ts", slopes, [
  [
    "sinkhorn gradient: sums along the other lines",
    "step % 2 === 1 ? Math.floor(p / M) : p % M",
    "step % 2 === 0 ? Math.floor(p / M) : p % M",
  ],
  [
    "sinkhorn gradient: one update",
    "for (let step = iterations; step >= 1; step--)",
    "for (let step = iterations; step >= iterations; step--)",
  ],
  ["sinkhorn gradient: scale", "dq[i * D + c] += scale * dScores", "dq[i * D + c] += dScores"],
]);

export const mutants = [...layers, ...encoder, ...sinkhorn];

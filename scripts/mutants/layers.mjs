/** Projections, multi-head attention and the baselines, each equation broken in turn. */

import { inFile } from "./list.mjs";

const golden = ["golden-attention"];

const projections = [
  ...inFile("reference/linear.ts", golden, [
    ["linear: bias left out", "let sum = map.bias?.[o] ?? 0;", "let sum = 0;"],
    [
      "linear: weight transposed",
      "x[r * inputs + i] * map.weight[o * inputs + i]",
      "x[r * inputs + i] * map.weight[i * outputs + o]",
    ],
    [
      "linear gradient: dx",
      "gradient.dx[r * inputs + i] += g * map.weight[o * inputs + i];",
      "gradient.dx[r * inputs + i] = g * map.weight[o * inputs + i];",
    ],
    ["linear gradient: bias", "gradient.bias[o] += g;", "gradient.bias[o] = g;"],
    ["linear gradient: weight sign", "gradient.weight[o * inputs + i] += g", "gradient.weight[o * inputs + i] -= g"],
  ]),
  ...inFile("reference/orthogonal.ts", golden, [
    [
      "orthogonal: symmetric for skew",
      "s[j * size + i] = -original[i * size + j];",
      "s[j * size + i] = original[i * size + j];",
    ],
    [
      "orthogonal: diagonal acts",
      "for (let j = 0; j < i; j++) {\n      s[",
      "for (let j = 0; j <= i; j++) {\n      s[",
    ],
    ["exponential: one squaring short", "s < halvings; s++", "s < halvings - 1; s++"],
    ["exponential: factorial", "sum[e] += product[e] / term;", "sum[e] += product[e] / 2;"],
    [
      "exponential: norm one halving short",
      "Math.ceil(Math.log2(norm)) + 1)",
      "Math.ceil(Math.log2(norm)) - 3)",
      { tests: ["reference-projections"] },
    ],
    [
      "orthogonal gradient: not antisymmetric",
      "exponent[i * n2 + j + size] - exponent",
      "exponent[i * n2 + j + size] + exponent",
    ],
    [
      "orthogonal gradient: base not transposed",
      "multiply(transpose(parameter.base, size), dWeight, size)",
      "multiply(parameter.base, dWeight, size)",
    ],
    ["orthogonal gradient: scale not put back", "= largest * (exponent", "= (exponent"],
  ]),
  ...inFile("reference/multi-head.ts", golden, [
    [
      "heads: columns of the first",
      "part[r * headDim + c] = x[r * modelDim + h * headDim + c]",
      "part[r * headDim + c] = x[r * modelDim + c]",
    ],
    [
      "heads: written to the first",
      "x[r * modelDim + h * headDim + c] += part[r * headDim + c]",
      "x[r * modelDim + c] += part[r * headDim + c]",
    ],
    ["heads: shared keys without their gradient", "  if (!key) accumulate(dq, dk);\n", ""],
    ["heads: input without the share of its values", "  if (!context) accumulate(dx, dSource);\n", ""],
    [
      "heads: keys of the queries although projected",
      "parameters.key ? linearForward(source, parameters.key, keys, modelDim, modelDim) : q;",
      "q;",
    ],
    ["heads: context without the share of its keys", "  if (key) accumulate(dSource, key.dx);\n", ""],
    [
      "heads: values of the queries' side",
      "const v = linearForward(source,",
      "const v = linearForward(x,",
      { tests: ["reference-projections"] },
    ],
    [
      "heads: mask not handed on",
      "const result = attention(head, mask);",
      "const result = attention(head, undefined);",
    ],
  ]),
];

const baselines = [
  ...inFile(
    "reference/dot-product.ts",
    ["baselines"],
    [
      ["dot product: scale 1/D", "const { scale = 1 / Math.sqrt(D), maskFill }", "const { scale = 1 / D, maskFill }"],
      [
        "dot product: fill ignored",
        "scores[i * M + j] = fill ?? Number.NEGATIVE_INFINITY;",
        "scores[i * M + j] = Number.NEGATIVE_INFINITY;",
      ],
      ["dot product: masked key kept", "weights[i * M + j] = 0;\n        continue;", "continue;"],
      ["dot product: largest not put back", "logSumExp[i] = largest + Math.log(sum);", "logSumExp[i] = Math.log(sum);"],
      [
        "dot product: largest taken over masked keys",
        "if (leftOut(i * M + j)) continue;\n      largest",
        "largest",
        { equivalent: "the score of a masked key is -Infinity there, which is no maximum" },
      ],
      ["dot product gradient: scale left out", "const dScore = scale * weight", "const dScore = weight"],
      ["dot product gradient: delta left out", "scale * weight * (dWeight - delta)", "scale * weight * dWeight"],
      ["dot product gradient: filled score has a gradient", "      if (masked) continue;\n", ""],
      [
        "dot product gradient: dk",
        "dk[j * D + c] += dScore * q[i * D + c];",
        "dk[j * D + c] -= dScore * q[i * D + c];",
      ],
    ],
  ),
  ...inFile(
    "reference/sinkhorn.ts",
    ["baselines"],
    [
      ["Sinkhorn: one update", "const { iterations = 3, scale, mask }", "const { iterations = 1, scale, mask }"],
      ["Sinkhorn: columns first", "if (step % 2 === 0) {", "if (step % 2 === 1) {"],
      ["Sinkhorn: columns forget the rows", "scores[i * M + j] + u[i];\n", "scores[i * M + j];\n"],
      ["Sinkhorn: rows forget the columns", "scores[i * M + j] + v[j];\n", "scores[i * M + j];\n"],
      ["Sinkhorn: empty column", "v[j] = sum === Number.NEGATIVE_INFINITY ? 0 : -sum;", "v[j] = -sum;"],
      ["Sinkhorn: empty row", "u[i] = sum === Number.NEGATIVE_INFINITY ? 0 : -sum;", "u[i] = -sum;"],
      ["Sinkhorn: sign of the potential", "scores[i * M + j] + u[i] + v[j])", "scores[i * M + j] + u[i] - v[j])"],
      [
        "Sinkhorn: masked value is read",
        "if (mask?.[i * M + j]) continue;\n      for (let c = 0; c < V; c++)",
        "for (let c = 0; c < V; c++)",
      ],
    ],
  ),
];

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [...projections, ...baselines];

/** Random numbers, special functions, stable laws and the fractional Laplacian, each equation broken in turn. */

import { inFile } from "./list.mjs";

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [
  ...inFile(
    "reference/random.ts",
    ["random"],
    [
      ["normal: variance", "Math.sqrt(-2 * Math.log(uniform()))", "Math.sqrt(-Math.log(uniform()))"],
      [
        "normal: the second number repeats the first",
        "spare = radius * Math.sin(angle);",
        "spare = radius * Math.cos(angle);",
      ],
      [
        "uniform: 0 is drawn",
        "    while (value === 0) value = uniformFloat64(generator);\n",
        "",
        { equivalent: "0 comes once in 2^53 draws; no test could wait for it" },
      ],
      ["integers: the upper end is drawn", "2 ** 32) - 1)", "2 ** 32))"],
    ],
  ),
  ...inFile(
    "reference/gamma.ts",
    ["gamma"],
    [
      ["gamma: Stirling coefficient", "1 / 12, -1 / 360,", "1 / 12, 1 / 360,"],
      ["gamma: one factor too few", "for (let i = shift - 1; i >= 0; i--)", "for (let i = shift - 1; i > 0; i--)"],
      [
        "gamma: lowered by one factor too few",
        "for (let i = shift; i < 0; i++)",
        "for (let i = shift + 1; i < 0; i++)",
      ],
      ["gamma: power of z", "z ** (z - 0.5)", "z ** (z + 0.5)"],
      ["gamma: poles", "if (x <= 0 && Number.isInteger(x))", "if (x < 0 && Number.isInteger(x))"],
    ],
  ),
  ...inFile(
    "reference/zeta.ts",
    ["fractional-laplacian"],
    [
      ["zeta: half a term", "b ** -s / 2;", "b ** -s;"],
      ["zeta: pole term's sign", "b ** (1 - s) / (s - 1)", "b ** (1 - s) / (1 - s)"],
      ["zeta: Bernoulli number", "const BERNOULLI = [1 / 6,", "const BERNOULLI = [1 / 5,"],
    ],
  ),
  ...inFile(
    "reference/fractional-laplacian.ts",
    ["fractional-laplacian"],
    [
      [
        "Laplacian constant: power of 2",
        "(2 ** alpha * gamma((start + alpha) / 2))",
        "(2 ** -alpha * gamma((start + alpha) / 2))",
      ],
      ["Laplacian constant: Gamma(-alpha/2)", "Math.abs(gamma(-alpha / 2))", "Math.abs(gamma(alpha / 2))"],
      [
        "Laplacian constant: dimension",
        "constant *= (d + alpha) / (2 * Math.PI);",
        "constant *= (d + alpha) / Math.PI;",
      ],
      ["Laplacian: multiplier", "(k) => k ** alpha)", "(k) => k ** (alpha / 2))"],
      ["Laplacian: modes not paired", "n === 0 || 2 * n === count ? 1 : 2", "1"],
      ["Laplacian: phase", "re * cos[(n * j) % count] - im * sin", "re * cos[(n * j) % count] + im * sin"],
      ["Laplacian: singularity not corrected", "  weights[1] -= hurwitzZeta(alpha - 1, 1);\n", ""],
      ["Laplacian: step", "(period / count) ** -alpha", "(period / count) ** alpha"],
      ["Laplacian at a point: singularity not corrected", "(j === 1 ? hurwitzZeta(alpha - 1, 1) : 0)", "0"],
      [
        "Laplacian at a point: rest of the tail",
        "let sum = 2 * centre * hurwitzZeta(1 + alpha, reach + 1);",
        "let sum = 0;",
      ],
      ["diffusion: time runs backwards", "Math.exp(-time * k ** alpha)", "Math.exp(time * k ** alpha)"],
    ],
  ),
  ...inFile(
    "reference/levy-stable.ts",
    ["levy-stable"],
    [
      [
        "density: prefactor by angle",
        "(alpha / (Math.PI * Math.abs(alpha - 1) * y))",
        "(1 / (Math.PI * Math.abs(alpha - 1) * y))",
      ],
      [
        "density: prefactor by modulus",
        "((alpha / (Math.PI * y)) * integral) / scale",
        "((1 / (Math.PI * y)) * integral) / scale",
      ],
      ["density: at 0", "gamma(1 + 1 / alpha) / (Math.PI * scale)", "gamma(1 / alpha) / (Math.PI * scale)"],
      [
        "density: scale",
        "((alpha / (Math.PI * Math.abs(alpha - 1) * y)) * integral) / scale",
        "(alpha / (Math.PI * Math.abs(alpha - 1) * y)) * integral",
      ],
      [
        "tail constant: sine",
        "Math.sin((Math.PI * Math.min(alpha, 2 - alpha)) / 2)",
        "Math.cos((Math.PI * Math.min(alpha, 2 - alpha)) / 2)",
      ],
      [
        "upper tail: branch below 1",
        "alpha > 1 ? (g: number) => Math.exp(-g) : (g: number) => -Math.expm1(-g)",
        "(g: number) => Math.exp(-g)",
      ],
      [
        "distribution: upper for lower",
        "return y > 0 ? 1 - upperTail(y, alpha) : upperTail(-y, alpha);",
        "return y > 0 ? upperTail(y, alpha) : 1 - upperTail(-y, alpha);",
      ],
      [
        "path: angle near pi",
        "alpha * phi > Math.PI / 2 ? Math.sin(2 * colatitude + (2 - alpha) * phi) : Math.sin(alpha * phi)",
        "Math.sin(alpha * phi)",
      ],
      ["path: turning left out", "growth: g * (1 + turning)", "growth: g"],
      [
        "quadrature: one step size",
        "if (Math.abs(integral - previous) <= AGREEMENT * integral) return integral;",
        "return integral;",
      ],
    ],
  ),
  ...inFile(
    "reference/levy-process.ts",
    ["levy"],
    [
      [
        "increment: time exponent",
        "return dt ** (1 / alpha) * symmetricStable(random, alpha);",
        "return dt ** alpha * symmetricStable(random, alpha);",
      ],
      [
        "increment: sine without alpha",
        "(Math.sin(alpha * angle) / Math.cos(angle) ** (1 / alpha))",
        "(Math.sin(angle) / Math.cos(angle) ** (1 / alpha))",
      ],
      [
        "increment: exponent of the exponential",
        "exponential) ** ((1 - alpha) / alpha)",
        "exponential) ** (1 - alpha)",
      ],
      [
        "positive stable: angle",
        "(Math.sin(beta * angle) / Math.sin(angle) ** (1 / beta))",
        "(Math.sin(beta * angle) / Math.sin(angle) ** beta)",
      ],
      [
        "positive stable: second factor",
        "(Math.sin((1 - beta) * angle) / exponential)",
        "(Math.sin(beta * angle) / exponential)",
      ],
      [
        "plane: factor 2 under the root",
        "Math.sqrt(2 * positiveStable(random, alpha / 2))",
        "Math.sqrt(positiveStable(random, alpha / 2))",
      ],
      [
        "plane: order of the subordinator",
        "positiveStable(random, alpha / 2))",
        "positiveStable(random, alpha / 2.2))",
      ],
      [
        "plane: one Gaussian for both axes",
        "return [length * random.normal(), length * random.normal()];",
        "const g = random.normal();\n    return [length * g, length * g];",
      ],
      [
        "radial path: half of the directions",
        "const angle = 2 * Math.PI * random.uniform();",
        "const angle = (Math.PI / 2) * random.uniform();",
      ],
      ["path: not added up", "path[i] = path[i - 1] + scale", "path[i] = scale"],
      [
        "Hill: threshold off by one",
        "const threshold = sizes[sizes.length - 1 - top];",
        "const threshold = sizes[sizes.length - top];",
      ],
      ["Hill: reciprocal", "return top / sum;", "return sum / top;"],
      [
        "mean square displacement: lag",
        "(path[i + lag * dimension] - path[i]) ** 2",
        "(path[i + dimension] - path[i]) ** 2",
      ],
      ["mean square displacement: count", "result[lag] = sum / (points - lag);", "result[lag] = sum / points;"],
    ],
  ),
];

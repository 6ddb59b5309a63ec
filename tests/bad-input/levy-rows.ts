/** Rows of the reference: random numbers, stable laws and the fractional Laplacian; see `walk.ts`. */

import * as reference from "../../reference/index.js";
import { finite, floats, functions, integer, nonNegative, optional, order, positive, record, upTo } from "./domains.js";
import { anyFinite, f64 } from "./shared.js";
import { type Argument, at, type Row } from "./walk.js";

const random = () => reference.createRandom(1);
const stable = (x: number[], first: Argument): Pick<Row, "args" | "arguments"> => ({
  args: () => [...x],
  arguments: [first, at("1", order, "alpha"), at("2", optional(positive), "scale")],
});
const farthest = at("0", { holds: (x) => typeof x === "number" && Math.abs(x) <= 2e200 }, "x");
const pathArguments: Argument[] = [
  at("0", record(), "random"),
  at("0.uniform", functions, "random.uniform"),
  at("0.normal", functions, "random.normal"),
  at("0.integer", functions, "random.integer"),
];
const walkArguments: Argument[] = [
  ...pathArguments,
  at("1", record(["alpha", "steps", "dt"]), "options"),
  at("1.alpha", order, "options.alpha"),
  at("1.steps", integer(1), "options.steps"),
  at("1.dt", optional(positive), "options.dt"),
];
const walkArgs = () => [random(), { alpha: 1.2, steps: 3, dt: 0.5 }];
const openOrder = upTo(2, true);
const grid = () => [f64(0, 1, 0, -1), 6];
const gridArguments = (name: string, least: number): Argument[] => [
  at(
    "0",
    { ...floats(), holds: (v) => floats().holds(v) && (v as Float64Array).length >= least, near: [f64(), [1, 2]] },
    name,
  ),
  at("1", positive, "period"),
];

/** Random numbers, stable laws and the fractional Laplacian. */
export const levyRows: readonly Row[] = [
  {
    name: "gamma",
    call: reference.gamma,
    args: () => [0.5],
    arguments: [
      at("0", { ...finite, holds: (x) => finite.holds(x) && !(Number.isInteger(x) && (x as number) <= 0) }, "x"),
    ],
  },
  { name: "stableDensity", call: reference.stableDensity, ...stable([0.5, 1.2, 2], farthest) },
  { name: "stableSurvival", call: reference.stableSurvival, ...stable([0.5, 1.2, 2], farthest) },
  { name: "stableDistribution", call: reference.stableDistribution, ...stable([0.5, 1.2, 2], farthest) },
  {
    name: "stableTailConstant",
    call: reference.stableTailConstant,
    args: () => [1.2],
    arguments: [at("0", openOrder, "alpha")],
  },
  {
    name: "createRandom",
    call: reference.createRandom,
    args: () => [7],
    arguments: [at("0", integer(0, 2 ** 32 - 1), "seed")],
  },
  {
    name: "createRandom().integer",
    call: (below) => random().integer(below),
    args: () => [7],
    arguments: [at("0", integer(1, 2 ** 32), "below")],
  },
  {
    name: "stableIncrement",
    call: reference.stableIncrement,
    args: () => [random(), 1.2, 0.5],
    arguments: [...pathArguments, at("1", order, "alpha"), at("2", optional(positive), "dt")],
  },
  {
    name: "positiveStable",
    call: reference.positiveStable,
    args: () => [random(), 0.5],
    arguments: [...pathArguments, at("1", upTo(1), "beta")],
  },
  { name: "levyPath", call: reference.levyPath, args: walkArgs, arguments: walkArguments },
  { name: "isotropicPath2d", call: reference.isotropicPath2d, args: walkArgs, arguments: walkArguments },
  { name: "radialPath2d", call: reference.radialPath2d, args: walkArgs, arguments: walkArguments },
  {
    name: "hillEstimate",
    call: reference.hillEstimate,
    args: () => [f64(1, -2, 3, 4), 2],
    arguments: [
      at("0", { ...floats(undefined, anyFinite), contradicts: [f64(1, 2), f64(1, 1, 1, 1)] }, "samples"),
      at("1", integer(1, 3), "top"),
    ],
  },
  {
    name: "meanSquareDisplacement",
    call: reference.meanSquareDisplacement,
    args: () => [f64(0, 0, 1, 1, 2, 0), 2, 2],
    arguments: [
      at("0", { ...floats(), contradicts: [f64(0, 0, 1, 1, 2), f64(0, 0, 1, 1)] }, "path"),
      at("1", { ...integer(1), contradicts: [4, 6] }, "dimension"),
      at("2", integer(1, 2), "maxLag"),
    ],
  },
  {
    name: "fractionalLaplacianConstant",
    call: reference.fractionalLaplacianConstant,
    args: () => [3, 1.2],
    arguments: [at("0", integer(1), "dimension"), at("1", openOrder, "alpha")],
  },
  {
    name: "fractionalLaplacianFourier",
    call: reference.fractionalLaplacianFourier,
    args: () => [...grid(), 2],
    arguments: [...gridArguments("values", 1), at("2", order, "alpha")],
  },
  {
    name: "fractionalDiffusion",
    call: reference.fractionalDiffusion,
    args: () => [...grid(), 2, 0.5],
    arguments: [...gridArguments("density", 1), at("2", order, "alpha"), at("3", nonNegative, "time")],
  },
  {
    name: "fractionalLaplacianSingular",
    call: reference.fractionalLaplacianSingular,
    args: () => [...grid(), 1.2],
    arguments: [...gridArguments("values", 3), at("2", openOrder, "alpha")],
  },
  {
    name: "fractionalLaplacianAt",
    call: reference.fractionalLaplacianAt,
    args: () => [(x: number) => Math.exp(-x * x), 0.5, 1.2, { step: 0.1, reach: 20 }],
    arguments: [
      at("0", functions, "f"),
      at("1", finite, "x"),
      at("2", openOrder, "alpha"),
      at("3", record(["step", "reach"]), "options"),
      at("3.step", positive, "options.step"),
      at("3.reach", integer(1), "options.reach"),
    ],
  },
];

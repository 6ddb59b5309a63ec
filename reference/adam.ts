/**
 * Adam (equations section 11), step t = 1, 2, ... of one parameter θ with gradient g:
 *
 *   m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²
 *   θ ← θ − η (m/(1 − β₁^t)) / (√(v/(1 − β₂^t)) + ε)
 */

import { type Floats, floats, integer, nonNegative, positive, record, share } from "./check.js";

/** Constants of Adam. */
export interface AdamOptions {
  /** η, above 0. */
  learningRate: number;
  /** β₁ in [0, 1). Default 0.9. */
  beta1?: number;
  /** β₂ in [0, 1). Default 0.999. */
  beta2?: number;
  /** ε, at least 0. Default 1e-8. */
  epsilon?: number;
}

/** A parameter and its moments, which start at 0. All of one length; a step changes them in place. */
export interface AdamState {
  parameter: Floats;
  first: Floats;
  second: Floats;
}

/**
 * One step, in place.
 * @param step t, counted from 1
 * @throws InvalidArgumentError, with nothing changed
 */
export function adamStep(state: AdamState, gradient: Floats, step: number, options: AdamOptions): void {
  const { parameter, first, second } = record("state", state, ["parameter", "first", "second"]);
  const { learningRate, beta1, beta2, epsilon } = adamConstants(options);
  integer("step", step, 1);
  floats("gradient", gradient, floats("parameter", parameter).length);
  floats("first", first, parameter.length);
  floats("second", second, parameter.length);
  for (let e = 0; e < parameter.length; e++) {
    first[e] = beta1 * first[e] + (1 - beta1) * gradient[e];
    second[e] = beta2 * second[e] + (1 - beta2) * gradient[e] ** 2;
    const mean = first[e] / (1 - beta1 ** step);
    const square = second[e] / (1 - beta2 ** step);
    parameter[e] -= (learningRate * mean) / (Math.sqrt(square) + epsilon);
  }
}

/** The constants with their defaults. @throws InvalidArgumentError */
export function adamConstants(options: AdamOptions): Required<AdamOptions> {
  const names = ["learningRate", "beta1", "beta2", "epsilon"];
  const { learningRate, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = record("options", options, names);
  positive("learningRate", learningRate);
  for (const [name, beta] of Object.entries({ beta1, beta2 })) {
    share(name, beta);
  }
  return { learningRate, beta1, beta2, epsilon: nonNegative("epsilon", epsilon) };
}

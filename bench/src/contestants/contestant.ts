/**
 * What every contestant offers. Arrays go in and come out as JavaScript typed arrays and the copies to and from the
 * contestant's own memory are part of its time, as they are part of ours.
 */

import type { Direction, Problem, Results, Settings } from "../../../src/bench/problem.js";

export type { Direction, Results } from "../../../src/bench/problem.js";

/** A contestant set up for one problem. */
export interface Session {
  /** Computes; may be called any number of times. */
  run(): Results | Promise<Results>;
  /** Frees what `open` took. */
  close(): void | Promise<void>;
}

/** One row of the table. */
export interface Contestant {
  /** Unique. Rows of one library share its family. */
  readonly name: string;
  readonly family: string;
  /** Why such a problem is not for this contestant; undefined when it is. */
  refuses(settings: Settings, direction: Direction): string | undefined;
  open(problem: Problem, direction: Direction): Promise<Session>;
}

/**
 * The two formulations that a matrix runtime has: softmax of log Φ, and Φ itself divided by its row sums. Both get the
 * squared distance from one product of matrices with two more columns,
 * z² = [−2q, |q|², 1]·[k, 1, |k|²]/κ², the cheapest way there is with whole-tensor operations. A runtime that has softmax
 * attention as an operation has a third one at α = 2.
 */
export type Formulation = "softmax of log" | "literal power" | "fused attention";

/**
 * At α = 2 the literal form is exp(−z²) without the maximum subtracted; nothing is gained by timing it. Below it, FNA is no
 * softmax of inner products.
 */
export function literalIsMultiscale(formulation: Formulation, settings: Settings): string | undefined {
  if (formulation === "fused attention" && settings.alpha !== 2) return "the local kernel only";
  return formulation === "literal power" && settings.alpha === 2 ? "no power at alpha = 2" : undefined;
}

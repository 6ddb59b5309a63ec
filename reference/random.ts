/**
 * Seeded random numbers for the reference: every stochastic function takes a `Random`, so that a seed and a call fix
 * the numbers. Nothing here is global; two generators never influence each other.
 *
 *   uniform   U = k·2⁻⁵³, k uniform in 1 … 2⁵³ − 1              (open interval: log U and 1/U are always finite)
 *   normal    √(−2 log U₁) · (cos 2πU₂, sin 2πU₂)               (Box-Muller, both numbers are used)
 *
 * The bits come from the Mersenne twister MT19937 of `pure-rand`, chosen over the shift-register generators of the same
 * package because all of its 32 bits are equally good and neighbouring seeds start from unrelated states.
 *
 * Serves eq. section 15 (Lévy processes, arXiv:2511.10208) and whatever else of the reference draws numbers.
 * Limits: |normal| ≤ √(106 log 2) ≈ 8.57, since U₁ ≥ 2⁻⁵³. Uniforms and integers are the same bits everywhere; normals
 * may differ in the last bit between engines, whose log and cos do. Not for cryptography.
 */

import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { mersenne } from "pure-rand/generator/mersenne";
import { integer, record } from "./check.js";
import { InvalidArgumentError } from "./errors.js";

/** A stream of random numbers with its own state. */
export interface Random {
  /** A number in the open interval (0, 1), a multiple of 2⁻⁵³. */
  uniform(): number;
  /** A standard normal number (mean 0, variance 1). */
  normal(): number;
  /** A whole number in [0, below), each equally likely; `below` in [1, 2³²]. */
  integer(below: number): number;
}

/** A source of random numbers that was handed in. */
export function checkRandom(argument: string, random: Random): void {
  record(argument, random);
  for (const name of ["uniform", "normal", "integer"] as const) {
    if (typeof random[name] !== "function") {
      throw new InvalidArgumentError(`${argument}.${name}`, "a function, as createRandom makes it", random[name]);
    }
  }
}

/**
 * A generator that gives the same numbers for the same seed.
 *
 * @param seed an integer in [0, 2³² − 1]
 * @throws InvalidArgumentError for any other seed
 */
export function createRandom(seed: number): Random {
  const generator = mersenne(integer("seed", seed, 0, 2 ** 32 - 1));
  // Box-Muller makes normals in pairs; the second of a pair waits here.
  let spare: number | undefined;

  function uniform(): number {
    let value = uniformFloat64(generator);
    while (value === 0) value = uniformFloat64(generator);
    return value;
  }

  function normal(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  return {
    uniform,
    normal,
    integer: (below) => uniformInt(generator, 0, integer("below", below, 1, 2 ** 32) - 1),
  };
}

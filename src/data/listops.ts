/**
 * ListOps as in the Long Range Arena (Tay et al. 2020, after Nangia and Bowman 2018), generated: nested lists of digits
 * under operators, whose value is a digit.
 *
 *   [MAX 2 9 [MIN 4 7 ] 0 ]  =  9
 *   MIN, MAX     least, largest
 *   MED          median; of an even number of values the mean of the middle two, rounded down
 *   SM           sum modulo 10
 *
 * A node is an operator with probability 1/4 and a digit otherwise, a digit always at the greatest depth, 10; an operator
 * has 2 to 10 arguments. Expressions are drawn until one has a length in the range that is asked for (tokens: operators,
 * digits and closing brackets; the round brackets of the published files, which say nothing, are left out).
 *
 * The answer is often decided by the outermost operator alone (MIN is mostly 0, MAX mostly 9), which is why
 * `baselines.ts` has that guess.
 */

import { createRandom, type Random } from "../../reference/random.js";
import { InvalidArgumentError } from "../errors.js";
import type { Tokens } from "../text/tokens.js";
import type { Corpus, Document } from "./corpus.js";

const operators = ["[MIN", "[MAX", "[MED", "[SM"] as const;
type Operator = (typeof operators)[number];

/** Every token that an expression may have. */
export const listOpsTokens = [...operators, "]", ..."0123456789"] as const;

const greatestDepth = 10;
const mostArguments = 10;
/** A range of lengths that so many drawings in a row miss is too narrow. */
const mostAttempts = 100_000;
const operatorProbability = 0.25;

/** Sizes of a generated corpus. */
export interface ListOpsSizes {
  readonly seed: number;
  readonly shortest: number;
  readonly longest: number;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}

/**
 * Draws a corpus; the same sizes give the same one. No expression comes twice.
 * @throws InvalidArgumentError for lengths outside 4 ≤ shortest ≤ longest ≤ 10,000
 */
export function generateListOps(
  { seed, shortest, longest, ...sizes }: ListOpsSizes,
  onProgress: (done: number, total: number) => void = () => {},
): Corpus {
  if (!(shortest >= 4 && shortest <= longest && longest <= 10_000)) {
    throw new InvalidArgumentError("shortest, longest", "4 <= shortest <= longest <= 10000", `${shortest}, ${longest}`);
  }
  const random = createRandom(seed);
  const seen = new Set<string>();
  const total = sizes.train + sizes.validation + sizes.test;
  const draw = (group: string, count: number): Document[] =>
    Array.from({ length: count }, (_, i) => {
      onProgress(seen.size, total);
      for (let attempt = 0; attempt < mostAttempts; attempt++) {
        const tokens = drawExpression(random, longest);
        const key = tokens?.join("");
        if (tokens === undefined || key === undefined || tokens.length < shortest || seen.has(key)) continue;
        seen.add(key);
        return { id: `${group}/${i}`, group: tokens[0], tokens, label: evaluateListOps(tokens) };
      }
      throw new InvalidArgumentError(
        "shortest, longest",
        "a range that expressions fall into",
        `${shortest}, ${longest}`,
      );
    });
  return {
    name: "listops",
    classes: [..."0123456789"],
    train: draw("train", sizes.train),
    validation: draw("validation", sizes.validation),
    test: draw("test", sizes.test),
    notes: [`expressions of ${shortest} to ${longest} tokens, drawn with seed ${seed}`],
  };
}

/** One expression that begins with an operator; undefined as soon as it is longer than `longest`. */
function drawExpression(random: Random, longest: number): string[] | undefined {
  const tokens: string[] = [];
  const node = (depth: number): boolean => {
    if (depth > 1 && (depth >= greatestDepth || random.uniform() >= operatorProbability)) {
      tokens.push(String(random.integer(10)));
      return tokens.length <= longest;
    }
    tokens.push(operators[random.integer(operators.length)]);
    const count = 2 + random.integer(mostArguments - 1);
    for (let i = 0; i < count; i++) if (!node(depth + 1)) return false;
    tokens.push("]");
    return tokens.length <= longest;
  };
  return node(1) ? tokens : undefined;
}

/** The tokens of an expression in any spacing and case, also with the round brackets of the published files. */
export function splitListOps(text: string, limit: number): Tokens {
  const spaced = text.replace(/[()]/g, " ").replaceAll("[", " [").replaceAll("]", " ] ");
  const tokens = spaced.toUpperCase().match(/\S+/g) ?? [];
  return { tokens: tokens.slice(0, limit), truncated: tokens.length > limit };
}

/**
 * The value of an expression.
 * @returns a digit
 * @throws InvalidArgumentError for tokens that are no expression
 */
export function evaluateListOps(tokens: readonly string[]): number {
  const open: { operator: Operator; values: number[] }[] = [];
  for (const [i, token] of tokens.entries()) {
    let value: number | undefined;
    if (operators.includes(token as Operator)) open.push({ operator: token as Operator, values: [] });
    else if (/^\d$/.test(token)) value = Number(token);
    else if (token === "]" && open.length > 0 && open[open.length - 1].values.length > 0) {
      const { operator, values } = open.pop() as (typeof open)[number];
      value = apply(operator, values);
    } else throw new InvalidArgumentError(`tokens[${i}]`, `a token of an expression that fits there`, token);
    if (value === undefined) continue;
    if (open.length > 0) open[open.length - 1].values.push(value);
    else if (i === tokens.length - 1) return value;
    else throw new InvalidArgumentError("tokens", "one expression", `more after ${i + 1} tokens`);
  }
  throw new InvalidArgumentError("tokens", "a whole expression", `${open.length} open brackets at the end`);
}

function apply(operator: Operator, values: readonly number[]): number {
  switch (operator) {
    case "[MIN":
      return Math.min(...values);
    case "[MAX":
      return Math.max(...values);
    case "[SM":
      return values.reduce((a, b) => a + b) % 10;
    case "[MED": {
      const sorted = [...values].sort((a, b) => a - b);
      const middle = (sorted.length - 1) / 2;
      return Math.floor((sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2);
    }
  }
}

/** ml-matrix: the product of matrices is its own, the rest element by element in place. Float64, one head at a time. */

import { Matrix } from "ml-matrix";
import { type Problem, pairs } from "../../../src/bench/problem.js";
import type { Contestant } from "./contestant.js";

/** Above this a single run takes seconds. */
const largest = 8 * 1024 * 1024;

function headOutput(problem: Problem, slice: number): Float64Array {
  const { length, dim, q, k, v, alpha, kappa, exponent } = problem;
  const matrix = (x: Float32Array) =>
    new Matrix(
      Array.from({ length }, (_, i) =>
        Array.from(x.subarray((slice * length + i) * dim, (slice * length + i + 1) * dim)),
      ),
    );
  const [queries, keys, values] = [matrix(q), matrix(k), matrix(v)];
  const squares = (m: Matrix) => Matrix.mul(m, m).sum("row");
  const [queryNorms, keyNorms] = [squares(queries), squares(keys)];
  const scores = queries.mmul(keys.transpose()).mul(-2).addColumnVector(queryNorms).addRowVector(keyNorms);
  scores.div(kappa * kappa);
  if (alpha === 2) scores.mul(-1);
  else scores.apply((i, j) => scores.set(i, j, -exponent * Math.log1p(Math.sqrt(Math.max(0, scores.get(i, j))))));
  const maxima = Array.from({ length }, (_, i) => scores.maxRow(i));
  scores.subColumnVector(maxima).exp();
  scores.divColumnVector(scores.sum("row"));
  return Float64Array.from(scores.mmul(values).to1DArray());
}

/** ml-matrix. */
export async function loadMlMatrix(): Promise<Contestant[]> {
  return [
    {
      name: "ml-matrix",
      family: "ml-matrix",
      refuses(problem, direction) {
        if (direction !== "forward") return "has no gradients";
        if (problem.mask !== "full") return "full attention only";
        return pairs(problem) > largest ? "takes too long" : undefined;
      },
      async open(problem) {
        const { slices, length, dim } = problem;
        const run = () => {
          const output = new Float64Array(slices * length * dim);
          for (let slice = 0; slice < slices; slice++) output.set(headOutput(problem, slice), slice * length * dim);
          return { output };
        };
        return { run, close() {} };
      },
    },
  ];
}

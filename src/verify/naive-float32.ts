/**
 * Naive float32: what a careful programmer writes who rounds every operation to float32. Direct differences, log1p, chords
 * on the sphere, the largest score subtracted before exponentials, sums one term after the other. It is the yardstick of
 * the fast devices, whose error may be a small multiple of its error (`judge-float32.ts`), as float32 itself dictates.
 *
 * Numbers live in Float32Arrays; `f` rounds an operation.
 */

import type { Tensors } from "../backends/backend.js";
import type { Plan } from "../plan.js";
import type { BackwardInputs, BackwardResult, ForwardResult } from "../types.js";
import { positionMasked } from "./literal.js";

const f = Math.fround;

/** One head of one batch entry, its distances and its scores, all rounded. */
interface NaiveHead {
  /** First row of q, and of k, in units of rows. */
  rows: number;
  columns: number;
  /** kappa eps^(1/alpha), over the radius on the sphere. */
  divisor: number;
  /** Distance (on the sphere: angle) of each pair, [N, M]. */
  distance: Float32Array;
  /** 1 = masked, [N, M]. */
  mask: Uint8Array;
  z: Float32Array;
  /** log Phi, [N, M]; -Infinity where masked. */
  score: Float32Array;
  /** log N_C, [M]. */
  logColumnSum: Float32Array;
  /** score - a log N_C, [N, M]. */
  biased: Float32Array;
}

function euclidean(x: Float32Array, i: number, y: Float32Array, j: number, dim: number): number {
  let sum = 0;
  for (let c = 0; c < dim; c++) {
    const difference = f(x[i * dim + c] - y[j * dim + c]);
    sum = f(sum + f(difference * difference));
  }
  return f(Math.sqrt(sum));
}

function unit(x: Float32Array, dim: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += dim) {
    let largest = 0;
    for (let c = 0; c < dim; c++) largest = Math.max(largest, Math.abs(x[row + c]));
    if (largest === 0) continue;
    let sum = 0;
    for (let c = 0; c < dim; c++) {
      const e = f(x[row + c] / largest);
      sum = f(sum + f(e * e));
    }
    const root = f(Math.sqrt(sum));
    for (let c = 0; c < dim; c++) out[row + c] = f(f(x[row + c] / largest) / root);
  }
  return out;
}

function norm(x: Float32Array, row: number, dim: number): number {
  let largest = 0;
  for (let c = 0; c < dim; c++) largest = Math.max(largest, Math.abs(x[row * dim + c]));
  if (largest === 0) return 0;
  let sum = 0;
  for (let c = 0; c < dim; c++) {
    const e = f(x[row * dim + c] / largest);
    sum = f(sum + f(e * e));
  }
  return f(largest * f(Math.sqrt(sum)));
}

/** Half chords |a - b|/2 and |a + b|/2 of two unit rows. */
function halfChords(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): [number, number] {
  let difference = 0;
  let sum = 0;
  for (let c = 0; c < dim; c++) {
    const minus = f(a[i * dim + c] - b[j * dim + c]);
    const plus = f(a[i * dim + c] + b[j * dim + c]);
    difference = f(difference + f(minus * minus));
    sum = f(sum + f(plus * plus));
  }
  return [f(f(Math.sqrt(difference)) / 2), f(f(Math.sqrt(sum)) / 2)];
}

function angle([minus, plus]: [number, number]): number {
  return minus <= plus
    ? f(2 * f(Math.asin(Math.min(1, minus))))
    : f(f(Math.PI) - f(2 * f(Math.asin(Math.min(1, plus)))));
}

function naiveHead(plan: Plan, q: Float32Array, k: Float32Array, b: number, h: number): NaiveHead {
  const { heads, keyHeads, queries: N, keys: M, headDim: D, degreeNormalization: a } = plan;
  const rows = (b * heads + h) * N;
  const columns = (b * keyHeads + Math.floor((h * keyHeads) / heads)) * M;
  const alpha = f(plan.alpha[h]);
  const kappa = f(plan.kappa[h]);
  const sphere = plan.manifold === "sphere";
  const unitQ = sphere ? unit(q, D) : q;
  const unitK = sphere ? unit(k, D) : k;
  const isZero = (x: Float32Array, row: number) => x.subarray(row * D, (row + 1) * D).every((e) => e === 0);

  const distance = new Float32Array(N * M);
  const mask = new Uint8Array(N * M);
  for (let i = 0; i < N; i++) {
    for (let j = 0; j < M; j++) {
      const p = i * M + j;
      if (!sphere) distance[p] = euclidean(q, rows + i, k, columns + j, D);
      else if (isZero(q, rows + i) || isZero(k, columns + j)) distance[p] = Math.PI / 2;
      else distance[p] = angle(halfChords(unitQ, rows + i, unitK, columns + j, D));
      const geodesic = sphere ? f(f(plan.radius[h]) * distance[p]) : distance[p];
      mask[p] = positionMasked(plan, b, h, i, j) || f(geodesic / kappa) >= plan.distanceThreshold ? 1 : 0;
    }
  }
  const scale = sphere ? f(plan.radius[h] / plan.kappa[h]) : f(1 / kappa);
  const bandwidth = naiveBandwidth(plan, distance, mask, scale, alpha);
  const factor = f(plan.bandwidthExponent === "1/2" ? Math.sqrt(bandwidth) : bandwidth ** (1 / alpha));
  const divisor = f(factor / scale);

  const z = new Float32Array(N * M);
  const score = new Float32Array(N * M).fill(Number.NEGATIVE_INFINITY);
  for (let p = 0; p < N * M; p++) {
    if (mask[p]) continue;
    z[p] = distance[p] / divisor;
    score[p] = alpha < 2 ? -f(f(plan.intrinsicDim + alpha) * f(Math.log1p(z[p]))) : -f(z[p] * z[p]);
  }
  const logColumnSum = new Float32Array(M);
  for (let j = 0; j < M; j++) logColumnSum[j] = logSum(N, (i) => score[i * M + j]);
  const biased = new Float32Array(N * M).fill(Number.NEGATIVE_INFINITY);
  for (let p = 0; p < N * M; p++) {
    if (!mask[p]) biased[p] = a > 0 ? f(score[p] - f(f(a) * logColumnSum[p % M])) : score[p];
  }
  return { rows, columns, divisor, distance, mask, z, score, logColumnSum, biased };
}

function naiveBandwidth(plan: Plan, distance: Float32Array, mask: Uint8Array, scale: number, alpha: number): number {
  if (typeof plan.bandwidth === "number") return f(plan.bandwidth);
  const kept = distance.filter((_, p) => plan.bandwidthPairs === "all" || !mask[p]).map((d) => f(d * scale));
  if (kept.length === 0) return 1;
  if (plan.bandwidth === "median") return Math.max(f(kept.sort()[(kept.length - 1) >> 1] ** alpha), f(1e-3));
  let sum = 0;
  for (const d of kept) sum = f(sum + d);
  return Math.max(f(f(sum / kept.length) ** 2), f(1e-3));
}

function logSum(count: number, x: (n: number) => number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let n = 0; n < count; n++) largest = Math.max(largest, x(n));
  if (largest === Number.NEGATIVE_INFINITY) return largest;
  let sum = 0;
  for (let n = 0; n < count; n++) sum = f(sum + f(Math.exp(f(x(n) - largest))));
  return f(largest + f(Math.log(sum)));
}

/** Forward pass of a plan on float32 tensors, with the weights. */
export function naiveForward(plan: Plan, tensors: Tensors): ForwardResult<Float32Array> & { weights: Float32Array } {
  const { queries: N, keys: M, valueDim: V } = plan;
  const [q, k, v] = [tensors.q, tensors.k, tensors.v].map((x) => Float32Array.from(x));
  const output = new Float32Array(plan.batch * plan.heads * N * V);
  const logSumExp = new Float32Array(plan.batch * plan.heads * N);
  const weights = new Float32Array(plan.batch * plan.heads * N * M);
  for (let s = 0; s < plan.batch * plan.heads; s++) {
    const head = naiveHead(plan, q, k, Math.floor(s / plan.heads), s % plan.heads);
    for (let i = 0; i < N; i++) {
      let largest = Number.NEGATIVE_INFINITY;
      for (let j = 0; j < M; j++) largest = Math.max(largest, head.biased[i * M + j]);
      const row = head.rows + i;
      logSumExp[row] = logSum(M, (j) => head.biased[i * M + j]);
      if (largest === Number.NEGATIVE_INFINITY) continue;
      let sum = 0;
      for (let j = 0; j < M; j++) {
        weights[row * M + j] = head.mask[i * M + j] ? 0 : Math.exp(f(head.biased[i * M + j] - largest));
        sum = f(sum + weights[row * M + j]);
      }
      for (let j = 0; j < M; j++) {
        weights[row * M + j] = weights[row * M + j] / sum;
        for (let c = 0; c < V; c++) {
          output[row * V + c] += f(weights[row * M + j] * v[(head.columns + j) * V + c]);
        }
      }
    }
  }
  return { output, logSumExp, weights };
}

/** Gradients of a plan on float32 tensors, from the saved output and logSumExp. */
export function naiveBackward(plan: Plan, tensors: Tensors, saved: BackwardInputs): BackwardResult<Float32Array> {
  const { queries: N, keys: M, headDim: D, valueDim: V, degreeNormalization: a } = plan;
  const [q, k, v] = [tensors.q, tensors.k, tensors.v].map((x) => Float32Array.from(x));
  const [output, logSumExp, dOutput] = [saved.output, saved.logSumExp, saved.dOutput].map((x) => Float32Array.from(x));
  const sphere = plan.manifold === "sphere";
  const gradient = {
    dq: new Float32Array(q.length),
    dk: new Float32Array(k.length),
    dv: new Float32Array(v.length),
    dAlpha: new Float32Array(plan.heads),
    dKappa: new Float32Array(plan.heads),
  };
  const unitQ = sphere ? unit(q, D) : q;
  const unitK = sphere ? unit(k, D) : k;
  for (let s = 0; s < plan.batch * plan.heads; s++) {
    const h = s % plan.heads;
    const head = naiveHead(plan, q, k, Math.floor(s / plan.heads), h);
    const alpha = f(plan.alpha[h]);
    const exponent = f(plan.intrinsicDim + alpha);
    const varies = plan.bandwidthExponent === "1/alpha" && typeof plan.bandwidth === "number";
    const logBandwidth = varies ? f(Math.log(plan.bandwidth as number)) : 0;
    const dScore = new Float32Array(N * M);
    for (let i = 0; i < N; i++) {
      const row = head.rows + i;
      let delta = 0;
      for (let c = 0; c < V; c++) delta = f(delta + f(dOutput[row * V + c] * output[row * V + c]));
      for (let j = 0; j < M; j++) {
        if (head.mask[i * M + j]) continue;
        const weight = f(Math.exp(f(head.biased[i * M + j] - logSumExp[row])));
        let dWeight = 0;
        for (let c = 0; c < V; c++) {
          const at = (head.columns + j) * V + c;
          gradient.dv[at] += f(weight * dOutput[row * V + c]);
          dWeight = f(dWeight + f(dOutput[row * V + c] * v[at]));
        }
        dScore[i * M + j] = weight * f(dWeight - delta);
      }
    }
    if (a > 0) {
      for (let j = 0; j < M; j++) {
        let total = 0;
        for (let i = 0; i < N; i++) total = f(total + dScore[i * M + j]);
        for (let i = 0; i < N; i++) {
          const p = i * M + j;
          if (!head.mask[p]) dScore[p] -= f(f(f(a) * total) * f(Math.exp(f(head.score[p] - head.logColumnSum[j]))));
        }
      }
    }
    for (let i = 0; i < N; i++) {
      for (let j = 0; j < M; j++) {
        const p = i * M + j;
        if (head.mask[p]) continue;
        const z = head.z[p];
        const slope = alpha < 2 ? -f(exponent / f(1 + z)) : -f(2 * z);
        const pull = f(dScore[p] * slope);
        gradient.dKappa[h] -= f(f(pull * z) / f(plan.kappa[h]));
        if (alpha < 2) {
          const order = f(-f(Math.log1p(z)) + f(f(f(slope * z) * logBandwidth) / f(alpha * alpha)));
          gradient.dAlpha[h] += f(dScore[p] * order);
        }
        const perDistance = f(pull / head.divisor);
        const row = head.rows + i;
        const column = head.columns + j;
        if (sphere) addAngle(gradient, perDistance, q, unitQ, row, k, unitK, column, D);
        else {
          if (head.distance[p] === 0) continue;
          const c = f(perDistance / head.distance[p]);
          for (let e = 0; e < D; e++) {
            const g = f(c * f(q[row * D + e] - k[column * D + e]));
            gradient.dq[row * D + e] += g;
            gradient.dk[column * D + e] -= g;
          }
        }
      }
    }
  }
  return gradient;
}

function addAngle(
  gradient: { dq: Float32Array; dk: Float32Array },
  weight: number,
  q: Float32Array,
  a: Float32Array,
  i: number,
  k: Float32Array,
  b: Float32Array,
  j: number,
  D: number,
): void {
  const [normQ, normK] = [norm(q, i, D), norm(k, j, D)];
  if (normQ === 0 || normK === 0) return;
  const [minus, plus] = halfChords(a, i, b, j, D);
  const sine = f(2 * f(minus * plus));
  if (sine === 0) return;
  const sign = minus <= plus ? -1 : 1;
  const half = f(2 * f(Math.min(minus, plus) ** 2));
  for (let e = 0; e < D; e++) {
    const x = a[i * D + e];
    const y = b[j * D + e];
    gradient.dq[i * D + e] -= f(f(weight * f(f(y + sign * x) - f(sign * f(x * half)))) / f(sine * normQ));
    gradient.dk[j * D + e] -= f(f(weight * f(f(x + sign * y) - f(sign * f(y * half)))) / f(sine * normK));
  }
}

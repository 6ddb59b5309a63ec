/**
 * Orthogonal weights (equations section 1), in float64, so that they stay orthogonal to the rounding of the float32 that
 * they end in:
 *
 *   W = B exp(S),  S = T - T^T,  T = lower triangle of P;    dE = B^T dW,  dP = lower triangle of dS - dS^T
 *   exp(S) = (sum_k (S/2^s)^k/k!)^(2^s) by Horner's rule, |S/2^s| <= 1/2;  18 terms leave 1e-21
 *
 * dS goes back through the same recurrence: with X = S/2^s, H_19 = 1, H_k = 1 + X H_(k+1)/k, E_0 = H_1, E_(n+1) = E_n^2
 *
 *   dE_n = E_n^T dE_(n+1) + dE_(n+1) E_n^T,   dX += dH_k H_(k+1)^T/k,   dH_(k+1) = X^T dH_k/k
 *
 * Matrices are [n, n]; `work` has `orthogonal_bytes(n, squarings)`, which the forward pass fills for the backward one.
 */
const TERMS: i32 = 18;

/** Bytes of work memory for up to `squarings` squarings. */
export function orthogonal_bytes(n: i32, squarings: i32): usize {
  return <usize>(TERMS + 2 + squarings + 5) * (<usize>(n * n) << 3);
}

// @ts-ignore: decorator
@inline
function matrix(work: usize, index: i32, n: i32): usize {
  return work + <usize>index * (<usize>(n * n) << 3);
}

/** c = factor a b, and 1 on the diagonal added where asked. */
function multiply(a: usize, b: usize, c: usize, n: i32, factor: f64, plusOne: bool): void {
  const bytes = <usize>n << 3;
  for (let i = 0; i < n; i++) {
    const row = a + <usize>i * bytes, out = c + <usize>i * bytes;
    let j: usize = 0;
    for (; j + 32 <= bytes; j += 32) {
      let x = f64x2.splat(0), y = f64x2.splat(0);
      let right = b + j;
      for (let k: usize = 0; k < bytes; k += 8) {
        const left = v128.load64_splat(row + k);
        x = f64x2.add(x, f64x2.mul(left, v128.load(right)));
        y = f64x2.add(y, f64x2.mul(left, v128.load(right, 16)));
        right += bytes;
      }
      v128.store(out + j, f64x2.mul(x, f64x2.splat(factor)));
      v128.store(out + j, f64x2.mul(y, f64x2.splat(factor)), 16);
    }
    for (; j < bytes; j += 8) {
      let x: f64 = 0;
      for (let k: usize = 0; k < <usize>n; k++) x += load<f64>(row + (k << 3)) * load<f64>(b + k * bytes + j);
      store<f64>(out + j, x * factor);
    }
    if (plusOne) store<f64>(out + (<usize>i << 3), load<f64>(out + (<usize>i << 3)) + 1);
  }
}

function transpose(a: usize, to: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) store<f64>(to + (<usize>(j * n + i) << 3), load<f64>(a + (<usize>(i * n + j) << 3)));
  }
}

function widen(from: usize, to: usize, count: i32): void {
  for (let e: usize = 0; e < <usize>count; e++) store<f64>(to + (e << 3), load<f32>(from + (e << 2)));
}

/** How often the exponent is halved. */
export function orthogonal_squarings(original: usize, n: i32): i32 {
  let norm: f64 = 0;
  for (let i = 0; i < n; i++) {
    let row: f64 = 0;
    for (let j = 0; j < n; j++) {
      const at = i > j ? i * n + j : j * n + i;
      if (i != j) row += Math.abs(<f64>load<f32>(original + (<usize>at << 2)));
    }
    norm = max(norm, row);
  }
  let halvings = 0;
  while (norm > 0.5 && halvings < 60) {
    norm *= 0.5;
    halvings++;
  }
  return halvings;
}

/**
 * W. In `work`: X, H_1 .. H_19, E_1 .. E_s, then five matrices of scratch.
 */
export function orthogonal_forward(original: usize, base: usize, w: usize, n: i32, squarings: i32, work: usize): void {
  const x = work;
  let scale: f64 = 1;
  for (let s = 0; s < squarings; s++) scale *= 0.5;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = i == j ? 0 : scale * <f64>load<f32>(original + (<usize>(i * n + j) << 2));
      store<f64>(x + (<usize>(i * n + j) << 3), value);
      store<f64>(x + (<usize>(j * n + i) << 3), -value);
    }
  }
  const last = matrix(work, TERMS + 1, n);
  memory.fill(last, 0, <usize>(n * n) << 3);
  for (let i = 0; i < n; i++) store<f64>(last + (<usize>(i * n + i) << 3), 1);
  for (let k = TERMS; k >= 1; k--) {
    multiply(x, matrix(work, k + 1, n), matrix(work, k, n), n, 1 / <f64>k, true);
  }
  let e = matrix(work, 1, n);
  for (let s = 0; s < squarings; s++) {
    const next = matrix(work, TERMS + 2 + s, n);
    multiply(e, e, next, n, 1, false);
    e = next;
  }
  const scratch = matrix(work, TERMS + 2 + squarings, n), product = scratch + (<usize>(n * n) << 3);
  widen(base, scratch, n * n);
  multiply(scratch, e, product, n, 1, false);
  for (let p: usize = 0; p < <usize>(n * n); p++) store<f32>(w + (p << 2), <f32>load<f64>(product + (p << 3)));
}

/** dP of dW, after `orthogonal_forward` of the same parameter and work memory. */
export function orthogonal_backward(base: usize, dw: usize, to: usize, n: i32, squarings: i32, work: usize): void {
  const size = <usize>(n * n) << 3;
  const a = matrix(work, TERMS + 2 + squarings, n), b = a + size, c = b + size, d = c + size, dx = d + size;
  widen(base, a, n * n);
  transpose(a, b, n);
  widen(dw, c, n * n);
  // d holds what is being carried back.
  multiply(b, c, d, n, 1, false);
  for (let s = squarings - 1; s >= 0; s--) {
    const e = s == 0 ? matrix(work, 1, n) : matrix(work, TERMS + 1 + s, n);
    transpose(e, a, n);
    multiply(a, d, b, n, 1, false);
    multiply(d, a, c, n, 1, false);
    for (let p: usize = 0; p < size; p += 8) store<f64>(d + p, load<f64>(b + p) + load<f64>(c + p));
  }
  memory.fill(dx, 0, size);
  for (let k = 1; k <= TERMS; k++) {
    transpose(matrix(work, k + 1, n), a, n);
    multiply(d, a, b, n, 1 / <f64>k, false);
    for (let p: usize = 0; p < size; p += 8) store<f64>(dx + p, load<f64>(dx + p) + load<f64>(b + p));
    transpose(work, a, n);
    multiply(a, d, b, n, 1 / <f64>k, false);
    memory.copy(d, b, size);
  }
  let scale: f64 = 1;
  for (let s = 0; s < squarings; s++) scale *= 0.5;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const lower = load<f64>(dx + (<usize>(i * n + j) << 3)), upper = load<f64>(dx + (<usize>(j * n + i) << 3));
      store<f32>(to + (<usize>(i * n + j) << 2), j < i ? <f32>(scale * (lower - upper)) : 0);
    }
  }
}

/**
 * Layer normalisation and rows of unit length (equations section 11), row by row, with their gradients:
 *
 *   m = mean x,  r = 1/sqrt(mean (x - m)^2 + eps),  n = r (x - m),  y = g n + b
 *   h = g dy,  dx = r (h - mean h - n mean(h n)),  dg = sum dy n,  db = sum dy
 *   unit:  y = x/|x|,  dx = (dy - y (y.dy))/|x|
 *
 * Shapes: X, Y [R, C], g, b [C], stats [R][2] = (m, r), norms [R] = 1/|x|. Sums along a row are in four lanes: 4 + C/4
 * units of 2^-24 of the sum of magnitudes; those over rows are sums of partial sums of CHUNK rows.
 */
import { madd } from "../math/madd";
import { CHUNK, panels } from "./state";

// @ts-ignore: decorator
@inline
function lanes(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

export function norm_forward(
  x: usize, weight: usize, bias: usize, y: usize, stats: usize, rows: i32, width: i32, epsilon: f64,
): void {
  const bytes = <usize>width << 2, vectors = bytes & ~15;
  const share = <f32>(1 / <f64>width);
  for (let r = 0; r < rows; r++) {
    let total = f32x4.splat(0), at: usize = 0;
    for (; at < vectors; at += 16) total = f32x4.add(total, v128.load(x + at));
    let sum = lanes(total);
    for (; at < bytes; at += 4) sum += load<f32>(x + at);
    const mean = sum * share, m = f32x4.splat(mean);
    total = f32x4.splat(0);
    for (at = 0; at < vectors; at += 16) {
      const d = f32x4.sub(v128.load(x + at), m);
      total = madd(d, d, total);
    }
    sum = lanes(total);
    for (; at < bytes; at += 4) {
      const d = load<f32>(x + at) - mean;
      sum += d * d;
    }
    const inverse = <f32>(1 / Math.sqrt(<f64>(sum * share) + epsilon)), i = f32x4.splat(inverse);
    for (at = 0; at < vectors; at += 16) {
      const n = f32x4.mul(i, f32x4.sub(v128.load(x + at), m));
      v128.store(y + at, madd(n, v128.load(weight + at), v128.load(bias + at)));
    }
    for (; at < bytes; at += 4) {
      store<f32>(y + at, inverse * (load<f32>(x + at) - mean) * load<f32>(weight + at) + load<f32>(bias + at));
    }
    store<f32>(stats, mean);
    store<f32>(stats, inverse, 4);
    x += bytes;
    y += bytes;
    stats += 8;
  }
}

/** dx, and dg and db added to `dWeight` and `dBias`. */
export function norm_backward(
  x: usize, weight: usize, dy: usize, stats: usize, dx: usize, dWeight: usize, dBias: usize, rows: i32, width: i32,
): void {
  const bytes = <usize>width << 2, vectors = bytes & ~15;
  const share = <f32>(1 / <f64>width);
  const sums = panels, biases = panels + bytes;
  for (let first = 0; first < rows; first += CHUNK) {
    memory.fill(sums, 0, 2 * bytes);
    for (let r = first; r < min(rows, first + CHUNK); r++) {
      const mean = load<f32>(stats), inverse = load<f32>(stats, 4);
      const m = f32x4.splat(mean), i = f32x4.splat(inverse);
      let total = f32x4.splat(0), product = f32x4.splat(0), at: usize = 0;
      for (; at < vectors; at += 16) {
        const d = v128.load(dy + at), n = f32x4.mul(i, f32x4.sub(v128.load(x + at), m));
        const h = f32x4.mul(d, v128.load(weight + at));
        total = f32x4.add(total, h);
        product = madd(h, n, product);
        v128.store(sums + at, madd(d, n, v128.load(sums + at)));
        v128.store(biases + at, f32x4.add(d, v128.load(biases + at)));
      }
      let sum = lanes(total), along = lanes(product);
      for (; at < bytes; at += 4) {
        const d = load<f32>(dy + at), n = inverse * (load<f32>(x + at) - mean);
        const h = d * load<f32>(weight + at);
        sum += h;
        along += h * n;
        store<f32>(sums + at, load<f32>(sums + at) + d * n);
        store<f32>(biases + at, load<f32>(biases + at) + d);
      }
      sum *= share;
      along *= share;
      const s = f32x4.splat(sum), a = f32x4.splat(along);
      for (at = 0; at < vectors; at += 16) {
        const n = f32x4.mul(i, f32x4.sub(v128.load(x + at), m));
        const h = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
        v128.store(dx + at, f32x4.mul(i, f32x4.sub(f32x4.sub(h, s), f32x4.mul(n, a))));
      }
      for (; at < bytes; at += 4) {
        const n = inverse * (load<f32>(x + at) - mean);
        store<f32>(dx + at, inverse * (load<f32>(dy + at) * load<f32>(weight + at) - sum - n * along));
      }
      x += bytes;
      dy += bytes;
      dx += bytes;
      stats += 8;
    }
    add(sums, dWeight, width);
    add(biases, dBias, width);
  }
}

/** to += from, `count` floats. */
export function add(from: usize, to: usize, count: i32): void {
  const bytes = <usize>count << 2;
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
}

export function unit_forward(x: usize, y: usize, norms: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2;
  for (let r = 0; r < rows; r++) {
    let squares: f64 = 0;
    for (let at: usize = 0; at < bytes; at += 4) squares += <f64>load<f32>(x + at) * <f64>load<f32>(x + at);
    // A row of zeros stays one; there is no direction in it, and no gradient through it.
    const inverse = squares == 0 ? 0 : 1 / Math.sqrt(squares);
    for (let at: usize = 0; at < bytes; at += 4) store<f32>(y + at, <f32>(<f64>load<f32>(x + at) * inverse));
    store<f32>(norms + (<usize>r << 2), <f32>inverse);
    x += bytes;
    y += bytes;
  }
}

/** In place: dx over dy. */
export function unit_backward(y: usize, norms: usize, dy: usize, rows: i32, width: i32): void {
  const bytes = <usize>width << 2;
  for (let r = 0; r < rows; r++) {
    let along: f64 = 0;
    for (let at: usize = 0; at < bytes; at += 4) along += <f64>load<f32>(y + at) * <f64>load<f32>(dy + at);
    const inverse = <f64>load<f32>(norms + (<usize>r << 2));
    for (let at: usize = 0; at < bytes; at += 4) {
      store<f32>(dy + at, <f32>((<f64>load<f32>(dy + at) - along * <f64>load<f32>(y + at)) * inverse));
    }
    y += bytes;
    dy += bytes;
  }
}

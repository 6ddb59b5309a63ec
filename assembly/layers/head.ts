/**
 * The end of a classifier, and the optimiser (equations section 11): pooling over the positions of each text, softmax and
 * cross-entropy, Adam.
 *
 *   max:  y_c = max_i x_ic, the gradient goes to the first position that has it;   mean:  y_c = sum_i x_ic / R
 *   p = softmax l,  loss = -mean log p_label,  dl = (p - onehot)/B
 *   twice (the authors'):  loss = -mean log softmax(p)_label,  g = (softmax(p) - onehot)/B,  dl = p (g - g.p)
 *   m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,  w <- w - rate (m c1)/(sqrt(v c2) + eps),  c = 1/(1 - b^t)
 *
 * Logits are few, so what is done on them is in float64.
 */
import { log } from "../math/log";

/** Texts are rows [starts[t], starts[t + 1]) of X; `where` receives the row of each maximum. */
export function pool_forward(
  x: usize, starts: usize, y: usize, where: usize, texts: i32, width: i32, mean: bool,
): void {
  const bytes = <usize>width << 2;
  for (let t: usize = 0; t < <usize>texts; t++) {
    const from = load<i32>(starts + (t << 2)), to = load<i32>(starts + (t << 2), 4);
    const share = 1 / <f64>(to - from);
    for (let at: usize = 0; at < bytes; at += 4) {
      let best = load<f32>(x + <usize>from * bytes + at), row = from;
      if (mean) {
        let sum: f64 = 0;
        for (let r = from; r < to; r++) sum += load<f32>(x + <usize>r * bytes + at);
        best = <f32>(sum * share);
      } else {
        for (let r = from + 1; r < to; r++) {
          const value = load<f32>(x + <usize>r * bytes + at);
          // A NaN stays the largest.
          if (value > best || value != value) {
            best = value;
            row = r;
          }
        }
      }
      store<f32>(y + at, best);
      store<i32>(where + at, row);
    }
    y += bytes;
    where += bytes;
  }
}

/** dX of all rows. */
export function pool_backward(
  dy: usize, starts: usize, dx: usize, where: usize, texts: i32, width: i32, mean: bool,
): void {
  const bytes = <usize>width << 2;
  for (let t: usize = 0; t < <usize>texts; t++) {
    const from = load<i32>(starts + (t << 2)), to = load<i32>(starts + (t << 2), 4);
    const share = <f32>(1 / <f64>(to - from));
    if (!mean) memory.fill(dx + <usize>from * bytes, 0, <usize>(to - from) * bytes);
    for (let at: usize = 0; at < bytes; at += 4) {
      const d = load<f32>(dy + at);
      if (mean) for (let r = from; r < to; r++) store<f32>(dx + <usize>r * bytes + at, d * share);
      else store<f32>(dx + <usize>load<i32>(where + at) * bytes + at, d);
    }
    dy += bytes;
    where += bytes;
  }
}

/** e^x of one float64: 2^n times a series in |r| <= log(2)/2 whose first term left out is below 1e-17; 0 far below. */
function exp64(x: f64): f64 {
  if (!(x > -700)) return x == x ? 0 : x;
  const n = Math.round(x * 1.4426950408889634);
  const r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
  let sum: f64 = 1;
  for (let k = 14; k >= 1; k--) sum = 1 + sum * r / <f64>k;
  return sum * reinterpret<f64>((<i64>n + 1023) << 52);
}

/** to = log softmax(from) over `classes` float64. */
function log_softmax(from: usize, to: usize, classes: i32): void {
  const end = <usize>classes << 3;
  let largest = load<f64>(from);
  for (let at: usize = 8; at < end; at += 8) largest = max(largest, load<f64>(from + at));
  let sum: f64 = 0;
  for (let at: usize = 0; at < end; at += 8) sum += exp64(load<f64>(from + at) - largest);
  const level = largest + log(sum);
  for (let at: usize = 0; at < end; at += 8) store<f64>(to + at, load<f64>(from + at) - level);
}

/**
 * Probabilities [T, K], and with labels dl (which may be 0 to leave it out) and in `result` the loss and the number of
 * right answers of these texts, as float64; all divided by `total` texts but the number. `work` has 3 K float64.
 */
export function cross_entropy(
  logits: usize, labels: usize, probabilities: usize, dLogits: usize, result: usize, work: usize,
  texts: i32, classes: i32, total: i32, twice: bool,
): void {
  const p = work, logs = work + (<usize>classes << 3), raw = logs + (<usize>classes << 3);
  let loss: f64 = 0, right = 0;
  for (let t = 0; t < texts; t++) {
    let best = 0;
    for (let k = 0; k < classes; k++) {
      const x = load<f32>(logits + (<usize>k << 2));
      store<f64>(raw + (<usize>k << 3), x);
      if (x > load<f32>(logits + (<usize>best << 2))) best = k;
    }
    log_softmax(raw, logs, classes);
    for (let k: usize = 0; k < <usize>classes; k++) {
      const value = exp64(load<f64>(logs + (k << 3)));
      store<f64>(p + (k << 3), value);
      store<f32>(probabilities + (k << 2), <f32>value);
    }
    if (labels) {
      const label = load<i32>(labels + (<usize>t << 2));
      if (twice) log_softmax(p, logs, classes);
      loss -= load<f64>(logs + (<usize>label << 3)) / <f64>total;
      if (best == label) right++;
      if (dLogits) slope(p, logs, dLogits + <usize>t * (<usize>classes << 2), label, classes, total, twice);
    }
    logits += <usize>classes << 2;
    probabilities += <usize>classes << 2;
  }
  store<f64>(result, loss);
  store<f64>(result, <f64>right, 8);
}

/** dl of one text from p and the logarithms of what the loss looks at. */
function slope(p: usize, logs: usize, to: usize, label: i32, classes: i32, total: i32, twice: bool): void {
  let along: f64 = 0;
  for (let k = 0; k < classes; k++) {
    const at = <usize>k << 3;
    const g = (exp64(load<f64>(logs + at)) - (k == label ? 1 : 0)) / <f64>total;
    store<f64>(logs + at, g);
    along += g * load<f64>(p + at);
  }
  for (let k = 0; k < classes; k++) {
    const at = <usize>k << 3, g = load<f64>(logs + at);
    store<f32>(to + (<usize>k << 2), <f32>(twice ? load<f64>(p + at) * (g - along) : g));
  }
}

/** One step of Adam on `count` floats, a multiple of 4. c1 and c2 are 1/(1 - beta^t). */
export function adam(
  parameter: usize, gradient: usize, first: usize, second: usize, count: i32,
  rate: f64, beta1: f64, beta2: f64, epsilon: f64, c1: f64, c2: f64,
): void {
  const b1 = f32x4.splat(<f32>beta1), a1 = f32x4.splat(<f32>(1 - beta1));
  const b2 = f32x4.splat(<f32>beta2), a2 = f32x4.splat(<f32>(1 - beta2));
  const scale = f32x4.splat(<f32>(rate * c1)), root = f32x4.splat(<f32>c2), eps = f32x4.splat(<f32>epsilon);
  for (let at: usize = 0; at < <usize>count << 2; at += 16) {
    const g = v128.load(gradient + at);
    const m = f32x4.add(f32x4.mul(b1, v128.load(first + at)), f32x4.mul(a1, g));
    const v = f32x4.add(f32x4.mul(b2, v128.load(second + at)), f32x4.mul(a2, f32x4.mul(g, g)));
    const step = f32x4.div(f32x4.mul(scale, m), f32x4.add(f32x4.sqrt(f32x4.mul(v, root)), eps));
    v128.store(first + at, m);
    v128.store(second + at, v);
    v128.store(parameter + at, f32x4.sub(v128.load(parameter + at), step));
  }
}

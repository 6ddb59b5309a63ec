// A small language model as it may stand in your project: tokens to logits, pre-norm blocks, causal dot-product attention.
// Only `attend` of its options was added, so that the attention can be another one.

/**
 * Causal dot-product attention, softmax(QKᵀ/√D) V.
 * @param q, k, v arrays of [heads, length, headDim], one after the other
 * @returns the output, of the same shape
 */
export function dotProductAttention({ q, k, v, heads, length, headDim }) {
  const output = new Float32Array(q.length);
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < length; i++) {
      const row = (h * length + i) * headDim;
      const scores = Array.from({ length: i + 1 }, (_, j) => {
        let sum = 0;
        for (let d = 0; d < headDim; d++) sum += q[row + d] * k[(h * length + j) * headDim + d];
        return sum / Math.sqrt(headDim);
      });
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      const total = weights.reduce((sum, weight) => sum + weight);
      for (const [j, weight] of weights.entries()) {
        for (let d = 0; d < headDim; d++) output[row + d] += (weight / total) * v[(h * length + j) * headDim + d];
      }
    }
  }
  return output;
}

/** Random weights; yours come from a file. */
export function randomModel({ layers = 2, heads = 4, width = 32, vocabulary = 64, maxLength = 32 } = {}) {
  let state = 1;
  const matrix = (rows, columns) =>
    Float32Array.from({ length: rows * columns }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state / 2 ** 31 - 1) * Math.sqrt(3 / rows);
    });
  return {
    heads,
    width,
    tokens: matrix(vocabulary, width),
    positions: matrix(maxLength, width),
    blocks: Array.from({ length: layers }, () => ({
      qkv: matrix(width, 3 * width),
      projection: matrix(width, width),
      up: matrix(width, 4 * width),
      down: matrix(4 * width, width),
    })),
  };
}

/** Logits of the token after each of `ids`, [length, vocabulary]. */
export async function logits(model, ids, { attend = dotProductAttention } = {}) {
  const { heads, width, tokens, positions, blocks } = model;
  const length = ids.length;
  const x = Float32Array.from({ length: length * width }, (_, n) => {
    const [i, c] = [Math.floor(n / width), n % width];
    return tokens[ids[i] * width + c] + positions[i * width + c];
  });
  for (const { qkv, projection, up, down } of blocks) {
    const [q, k, v] = splitHeads(multiply(normalise(x, width), qkv, width), length, heads, width / heads);
    const mixed = await attend({ q, k, v, heads, length, headDim: width / heads });
    add(x, multiply(joinHeads(mixed, length, heads, width / heads), projection, width));
    const hidden = multiply(normalise(x, width), up, width).map((value) => Math.max(0, value));
    add(x, multiply(hidden, down, 4 * width));
  }
  return multiply(normalise(x, width), transpose(tokens, width), width);
}

/** a [rows, inner] times b [inner, columns]. */
function multiply(a, b, inner) {
  const [rows, columns] = [a.length / inner, b.length / inner];
  const product = new Float32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let n = 0; n < inner; n++) {
      for (let j = 0; j < columns; j++) product[i * columns + j] += a[i * inner + n] * b[n * columns + j];
    }
  }
  return product;
}

function add(x, y) {
  for (let n = 0; n < x.length; n++) x[n] += y[n];
}

function transpose(a, columns) {
  const rows = a.length / columns;
  return Float32Array.from({ length: a.length }, (_, n) => a[(n % rows) * columns + Math.floor(n / rows)]);
}

/** Every row to mean 0 and variance 1. */
function normalise(x, width) {
  const result = new Float32Array(x.length);
  for (let row = 0; row < x.length; row += width) {
    const values = x.subarray(row, row + width);
    const mean = values.reduce((sum, value) => sum + value, 0) / width;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    for (let c = 0; c < width; c++) result[row + c] = (values[c] - mean) / Math.sqrt(variance + 1e-5);
  }
  return result;
}

/** [length, 3 * heads * headDim] to three arrays of [heads, length, headDim]. */
function splitHeads(x, length, heads, headDim) {
  return [0, 1, 2].map((part) =>
    Float32Array.from({ length: heads * length * headDim }, (_, n) => {
      const [h, i, d] = [Math.floor(n / headDim / length), Math.floor(n / headDim) % length, n % headDim];
      return x[i * 3 * heads * headDim + (part * heads + h) * headDim + d];
    }),
  );
}

/** [heads, length, headDim] to [length, heads * headDim]. */
function joinHeads(x, length, heads, headDim) {
  return Float32Array.from({ length: x.length }, (_, n) => {
    const [i, h, d] = [Math.floor(n / headDim / heads), Math.floor(n / headDim) % heads, n % headDim];
    return x[(h * length + i) * headDim + d];
  });
}

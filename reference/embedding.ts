/**
 * Token embedding and the fixed table of positions (arXiv:2511.10208; equations section 11):
 *
 *   y_i = E[token_i],   dE[t] = Σ over i with token_i = t of dy_i
 *   P[p][2c] = sin(p 10000^(−2c/C)),   P[p][2c + 1] = cos(p 10000^(−2c/C))
 *
 * The text models give token i the position i + 1 and padding the position 0.
 * Shapes: tokens [R], E [vocabulary, C], Y [R, C], P [positions, C].
 */

import { type Floats, floats, int32s, integer, mostEntries } from "./check.js";

/** Y [R, C]. @throws InvalidArgumentError */
export function embeddingForward(tokens: Int32Array, table: Floats, vocabulary: number, width: number): Float64Array {
  checkTokens(tokens, vocabulary);
  integer("width", width, 1);
  floats("table", table, vocabulary * width);
  const y = new Float64Array(tokens.length * width);
  tokens.forEach((token, r) => {
    y.set(table.subarray(token * width, (token + 1) * width), r * width);
  });
  return y;
}

/** dE [vocabulary, C] for the cotangent dY [R, C]. @throws InvalidArgumentError */
export function embeddingBackward(tokens: Int32Array, dy: Floats, vocabulary: number, width: number): Float64Array {
  checkTokens(tokens, vocabulary);
  integer("width", width, 1);
  floats("dy", dy, tokens.length * width);
  const gradient = new Float64Array(vocabulary * width);
  tokens.forEach((token, r) => {
    for (let c = 0; c < width; c++) gradient[token * width + c] += dy[r * width + c];
  });
  return gradient;
}

/** P [positions, width]. @throws InvalidArgumentError */
export function sinusoidalTable(positions: number, width: number): Float64Array {
  integer("width", width, 1);
  integer("positions", positions, 0, Math.floor(mostEntries / width));
  const table = new Float64Array(positions * width);
  for (let p = 0; p < positions; p++) {
    for (let c = 0; c < width; c++) {
      const angle = p / 10000 ** ((2 * Math.floor(c / 2)) / width);
      table[p * width + c] = c % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  }
  return table;
}

function checkTokens(tokens: Int32Array, vocabulary: number): void {
  integer("vocabulary", vocabulary, 1);
  for (const token of int32s("tokens", tokens)) integer("tokens", token, 0, vocabulary - 1);
}

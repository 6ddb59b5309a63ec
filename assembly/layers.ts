/**
 * The layers of a transformer beside attention, in float32 SIMD: what the host calls. A second module, so that attention
 * stays small; both work in one memory, which the host lays out. One instance serves one thread; `layers_open` comes
 * first, with the thread's scratch. `x_forward` and `x_backward` are pairs; gradients of parameters are added to what is
 * there, those of activations are written.
 */
export { largest_bits } from "./pack";
export { adam, cross_entropy, pool_backward, pool_forward } from "./layers/head";
export { add, norm_backward, norm_forward, unit_backward, unit_forward } from "./layers/norm";
export {
  orthogonal_backward, orthogonal_bytes, orthogonal_forward, orthogonal_squarings,
} from "./layers/orthogonal";
export {
  drop, embed_backward, embed_forward, gelu_backward, gelu_forward, merge_heads, number_rows, relu_backward,
  split_heads,
} from "./layers/pointwise";
export { column_sums, pack_columns, pack_rows, product, product_weight } from "./layers/product";
export { scores_backward, scores_bytes, scores_forward, scores_weights } from "./layers/scores";
export { layers_open, layers_scratch_bytes } from "./layers/state";

/** `count` floats of 0. */
export function clear(to: usize, count: i32): void {
  memory.fill(to, 0, <usize>count << 2);
}

/** to = from, `count` floats. */
export function copy_to(from: usize, to: usize, count: i32): void {
  memory.copy(to, from, <usize>count << 2);
}

/** One 32-bit word, for records that point to other places from call to call. */
export function store_word(at: usize, value: i32): void {
  store<i32>(at, value);
}

/**
 * a b + c in each lane: two roundings in the plain build, one where the relaxed build meets a machine with fused
 * multiply-add. Everything that multiplies and adds goes through here, so that both builds are one source.
 */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

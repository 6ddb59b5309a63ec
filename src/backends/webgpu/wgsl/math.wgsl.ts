/**
 * Elementary functions of the kernels, four pairs at a time, out of additions, multiplications and bits, because WGSL
 * promises too little: exp and exp2 lose |x| ulp, log2 has an absolute error of 2^-21 near 1, asin and acos nearly as
 * much. u = 2^-24; errors are of the polynomials, to which a few roundings come.
 *
 *   exp4      y = x log2 e, n = round(y), f = y − n:   eˣ = 2ⁿ (1 + f Q(f)),   1.5 u, plus |x| u from y
 *             exactly 0 below 2^-127; callers subtract the largest score first, so that what counts has a small x
 *   log1p4    1 + z = 2ᵉ m, m in [1/√2, √2), f = m − 1 = z 2⁻ᵉ + (2⁻ᵉ − 1):   log(1 + z) = e log 2 + f R(f),   0.44 u
 *             only the exponent is taken from the rounded 1 + z, so small z keep their digits
 *   angle4    from a coded square of a chord, +c² = |q − k|² where acute and −c² = −|q + k|² where obtuse:
 *             θ = 2 asin(c/2) or π − 2 asin(c/2),   asin(x) = x (1 + y A(y)), y = x²,   0.26 u
 *
 * Q, R and A are minimax fits of the relative error, the same as those of the wasm kernels. No value is infinite or NaN:
 * arguments are clamped where they come from, and tests are on bits.
 */
export const math = /* wgsl */ `
// Score of a masked pair, and reference of a row that has seen no other: finite, and far below any score.
const MASKED = -3e38;
const UNSEEN = -1.5e38;
// Level of a row without weights: e^(s - NOTHING) is 0 for every score.
const NOTHING = 1e38;

fn exp4(x: vec4f) -> vec4f {
  let y = max(x * 1.4426950408889634, vec4f(-127.0));
  let n = round(y);
  let f = y - n;
  var p = fma(f, vec4f(0.0013264727208854503), vec4f(0.009671512739898117));
  p = fma(p, f, vec4f(0.05550733744158231));
  p = fma(p, f, vec4f(0.24022242083811804));
  p = fma(p, f, vec4f(0.6931469775981044));
  p = fma(p, f, vec4f(1.0));
  return bitcast<vec4f>(bitcast<vec4i>(p) + (vec4i(n) << vec4u(23u)));
}

fn log1p4(z: vec4f) -> vec4f {
  let exponent = (bitcast<vec4i>(z + 1.0) - vec4i(0x3f3504f3)) & vec4i(0x7f800000);
  let scale = bitcast<vec4f>(vec4i(0x3f800000) - exponent);
  let f = fma(z, scale, scale - 1.0);
  var p = fma(f, vec4f(0.08722359234738684), vec4f(-0.1436684732458177));
  p = fma(p, f, vec4f(0.14952267270211456));
  p = fma(p, f, vec4f(-0.16562392537900059));
  p = fma(p, f, vec4f(0.19956833445510366));
  p = fma(p, f, vec4f(-0.2500207408880846));
  p = fma(p, f, vec4f(0.3333418562921684));
  p = fma(p, f, vec4f(-0.499999879639913));
  p = fma(p, f, vec4f(0.999999974189461));
  return fma(vec4f(exponent >> vec4u(23u)), vec4f(0.6931471805599453), p * f);
}

fn angle4(coded: vec4f) -> vec4f {
  let y = min(abs(coded) * 0.25, vec4f(0.5));
  var p = fma(y, vec4f(0.11124150248205081), vec4f(-0.09249711298029714));
  p = fma(p, y, vec4f(0.07689485270620096));
  p = fma(p, y, vec4f(0.01641331982507319));
  p = fma(p, y, vec4f(0.046498493068962025));
  p = fma(p, y, vec4f(0.07488510993925608));
  p = fma(p, y, vec4f(0.16666904955328482));
  let chord = sqrt(abs(coded));
  let acute = fma(p * y, chord, chord);
  return select(acute, 3.141592653589793 - acute, coded < vec4f(0.0));
}
`;

/**
 * log(x) of one float64 x in [2^-1022, Infinity), for what is computed once per row.
 *
 *   x = 2^e m, m in [1/sqrt 2, sqrt 2);  u = (m - 1)/(m + 1);  log(x) = e log 2 + 2 (u + u^3/3 + u^5/5 + ... + u^15/15)
 *
 * |u| <= 0.1716, so the first term left out is below 1e-14.
 */
export function log(x: f64): f64 {
  const bits = reinterpret<i64>(x);
  const exponent = (bits - 0x3fe6a09e667f3bcd) >> 52;
  const m = reinterpret<f64>(bits - (exponent << 52));
  const u = (m - 1) / (m + 1), y = u * u;
  let sum: f64 = 0;
  for (let n = 15; n >= 1; n -= 2) sum = sum * y + 1 / <f64>n;
  return <f64>exponent * 0.6931471805599453 + 2 * u * sum;
}

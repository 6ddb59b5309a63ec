/**
 * dα and dκ of each head (equations section 9) from the sums of its queries, A = Σ dS s and Z = Σ dS z/(1 + z), or Σ dS z² at
 * α = 2:
 *
 *   dα = A/(d_M + α) − (d_M + α) Z log(ε)/α²,   dκ = (d_M + α) Z/κ;   0 and 2 Z/κ at α = 2
 *
 *   partials   [rows of the chunk, 2] A and Z of each query
 *   factors    [H] what A and Z are multiplied by for dα, Z for dκ as mantissa and exponent, so that no κ is out of reach
 *   totals     [H] A, Z and whether one was NaN, of the chunks so far; the last chunk leaves dα and dκ of the call
 *
 * One workgroup for each head of the chunk; a sum over n queries has an error of some (n/64 + 6) u of its terms' sizes. Batch
 * entries are added one by one, so that the bits do not depend on how the call was cut into chunks.
 */

/** Threads of a workgroup. */
const threads = 64;

export const headGradients = /* wgsl */ `
struct Sizes {
  queries: u32,
  first: u32,
  chunk: u32,
  heads: u32,
}
@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> partials: array<vec2u>;
@group(0) @binding(2) var<storage, read> factors: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> totals: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dAlpha: array<u32>;
@group(0) @binding(5) var<storage, read_write> dKappa: array<u32>;
var<workgroup> sums: array<vec3f, ${threads}>;
fn finite(bits: u32) -> bool { return (bits & 0x7fffffffu) < 0x7f800000u; }

@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) thread: u32) {
  let head = (sizes.first + id.x) % sizes.heads;
  var total = totals[head].xyz;
  for (var slice = id.x; slice < sizes.chunk; slice += sizes.heads) {
    var own = vec3f();
    for (var i = thread; i < sizes.queries; i += ${threads}u) {
      let p = partials[slice * sizes.queries + i];
      if (finite(p.x) && finite(p.y)) { own += vec3f(bitcast<vec2f>(p), 0.0); } else { own.z = 1.0; }
    }
    sums[thread] = own;
    for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
      workgroupBarrier();
      if (thread < half) { sums[thread] += sums[thread + half]; }
    }
    workgroupBarrier();
    total += sums[0];
    workgroupBarrier();
  }
  if (thread != 0u) { return; }
  totals[head] = vec4f(total, 0.0);
  let factor = factors[head];
  let bad = total.z > 0.0;
  let order = factor.x * total.x + factor.y * total.y;
  let exponent = i32(factor.w);
  // In two steps, for exponents that one power of two does not reach.
  let scaled = ldexp(ldexp(factor.z * total.y, clamp(exponent, -126, 126)), clamp(exponent - clamp(exponent, -126, 126), -126, 126));
  dAlpha[head] = select(bitcast<u32>(order), 0x7fc00000u, bad && factor.x != 0.0);
  dKappa[head] = select(bitcast<u32>(scaled), 0x7fc00000u, bad);
}
`;

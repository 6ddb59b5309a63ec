/**
 * What a measured bandwidth needs (equations section 3): the mean of z over the pairs of a head, or its lower median,
 * with z scaled to d_g/kappa by the head record. The host makes eps of it.
 *
 * The median is a radix selection over the bits of z, which order like z itself as z >= 0: three streaming passes count
 * the next 11, 11 and 10 bits of the numbers that share the bits found so far. Memory: one histogram, never N x M
 * numbers.
 */
import { ROW } from "./distance";
import { pack_groups, pack_lanes } from "./forward";
import { bind, BLOCK, Field, field, keep, keyLength, pointer, poison, queryLength, unbind, z } from "./state";
import { begin_block, constants, masked, row0, rowEnd, tile_forward, tileEnd } from "./tile";

const MEAN: i32 = -1;
let sumOfAll: f64 = 0;
let pairs: u64 = 0;
let spoiled: bool = false;

/** One pass over the pairs: sums, or counts the bits [shift, shift + width) of those whose higher bits are `prefix`. */
function pass(shift: i32, width: i32, prefix: u32, histogram: usize): void {
  sumOfAll = 0;
  pairs = 0;
  for (let i0 = 0; i0 < queryLength; i0 += BLOCK) {
    const valid = min(BLOCK, queryLength - i0);
    pack_lanes(i0, valid, true, 0);
    begin_block(i0, valid, true);
    for (let first = 0; first < keyLength; first = tileEnd) {
      if (!tile_forward(i0, valid, first, keyLength, true, 0, 0, 0, true)) continue;
      let sum: f64 = 0;
      for (let r = 0; r < rowEnd - row0; r++) {
        for (let lane = 0; lane < valid; lane++) {
          const at = <usize>r * ROW + (<usize>lane << 2);
          if (masked && !load<i32>(keep + at)) continue;
          pairs++;
          if (shift == MEAN) sum += <f64>load<f32>(z + at);
          else {
            const bits = load<u32>(z + at);
            // Shifts count modulo 32, and the first pass has no higher bits.
            if (shift + width < 32 && bits >> (shift + width) != prefix) continue;
            const slot = histogram + (<usize>((bits >> shift) & ((1 << width) - 1)) << 3);
            store<u64>(slot, load<u64>(slot) + 1);
          }
        }
      }
      sumOfAll += sum;
    }
    for (let lane = 0; lane < valid; lane++) {
      if (load<i32>(poison + (<usize>lane << 2)) & 1) spoiled = true;
    }
  }
}

/** Mean (0) or lower median (1) of z of (b, h), to its counters; NaN when a pair is, -1 when there is none. */
export function bandwidth_unit(b: i32, h: i32, median: i32, _: i32): void {
  bind(b, h);
  constants();
  pack_groups(false, 0, 0);
  const histogram = pointer(Field.BANDWIDTHS) + ((<usize>b * <usize>field(Field.HEADS) + <usize>h) << 14);
  store<f64>(histogram, median ? lower_median(histogram) : mean());
  unbind();
}

function mean(): f64 {
  spoiled = false;
  pass(MEAN, 0, 0, 0);
  return spoiled ? NaN : pairs == 0 ? -1 : sumOfAll / <f64>pairs;
}

function lower_median(histogram: usize): f64 {
  spoiled = false;
  let prefix: u32 = 0;
  let rank: u64 = 0;
  for (let step = 0; step < 3; step++) {
    const shift = step == 0 ? 21 : step == 1 ? 10 : 0;
    const width = step == 2 ? 10 : 11;
    memory.fill(histogram, 0, 2048 << 3);
    pass(shift, width, prefix, histogram);
    if (spoiled) return NaN;
    if (pairs == 0) return -1;
    if (step == 0) rank = (pairs - 1) >> 1;
    let slot: u32 = 0;
    for (;;) {
      const count = load<u64>(histogram + (<usize>slot << 3));
      if (rank < count) break;
      rank -= count;
      slot++;
    }
    prefix = (prefix << width) | slot;
  }
  return <f64>reinterpret<f32>(prefix);
}

/** Tensors of the caller's on the GPU: what can be known of them before a call. */

import { record } from "../../../reference/check.js";
import { InvalidArgumentError } from "../../errors.js";
import type { GpuTensor } from "../../types.js";
import { usage } from "./pool.js";

/**
 * Checks a tensor of `length` numbers.
 * @param use inputs are bound as storage, results are copied to
 * @returns false for an input without a buffer on a GPU, which is for others to judge; arrays have a `buffer` as well
 * @throws InvalidArgumentError naming `argument` and the property that is wrong
 */
export function checkGpuTensor(argument: string, tensor: unknown, length: number, use: "input" | "result"): boolean {
  const isOnGpu = typeof tensor === "object" && tensor !== null && !ArrayBuffer.isView(tensor) && "buffer" in tensor;
  if (use === "input" && !isOnGpu) return false;
  const { buffer, offset = 0 } = record(argument, tensor as GpuTensor, ["buffer", "offset"]);
  // Buffers of another realm or of a polyfill are no instances of a class that is known here.
  if (typeof buffer?.mapAsync !== "function" || typeof buffer.size !== "number") {
    throw new InvalidArgumentError(`${argument}.buffer`, "a GPUBuffer", buffer);
  }
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % 4 !== 0) {
    throw new InvalidArgumentError(`${argument}.offset`, "a multiple of 4 of at least 0 (bytes)", offset);
  }
  const least = offset + 4 * length;
  if (buffer.size < least) {
    throw new InvalidArgumentError(
      `${argument}.buffer.size`,
      `at least ${least} (offset + 4 * ${length})`,
      buffer.size,
    );
  }
  const [name, bit] = use === "input" ? ["STORAGE", usage.storage] : ["COPY_DST", usage.copyTarget];
  if ((buffer.usage & bit) === 0) {
    throw new InvalidArgumentError(`${argument}.buffer.usage`, `flags with GPUBufferUsage.${name}`, buffer.usage);
  }
  if (buffer.mapState !== "unmapped") {
    throw new InvalidArgumentError(`${argument}.buffer.mapState`, `"unmapped"`, buffer.mapState);
  }
  return true;
}

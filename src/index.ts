/**
 * Fractional neural attention (arXiv:2511.10208): attention whose scores are a kernel of the distance between query and
 * key, heavy-tailed for alpha < 2 and Gaussian at alpha = 2. Start with `createAttention`.
 */

export { Attention } from "./attention.js";
export type { WasmOptions, WasmSource } from "./backends/wasm/index.js";
export { type CreateAttentionOptions, createAttention, type ResultArray } from "./create.js";
export {
  BackendUnavailableError,
  DeviceLostError,
  FractionalAttentionError,
  InvalidArgumentError,
} from "./errors.js";
export { mergePartials } from "./merge.js";
export { type PresetContext, type PresetName, preset } from "./presets.js";
export type {
  AttentionInputs,
  AttentionOptions,
  AttentionShape,
  BackwardInputs,
  BackwardResult,
  DeviceName,
  Floats,
  ForwardResult,
  GpuAttentionOptions,
  GpuDescription,
  GpuTensor,
  OutputArrays,
  PerHead,
  RejectedDevice,
  ShapedMask,
  Tensor,
  WeightsInputs,
} from "./types.js";

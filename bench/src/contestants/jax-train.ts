/**
 * The encoder classifier of one layer and one head as one jitted step of jax-js, wasm backend: loss, gradients and Adam of
 * every parameter, the embedding included. Attention is the formulation that is fastest there (`jax.ts`); texts all have
 * the full length, so that nothing needs a mask.
 */

import type { LabelledBatch, NamedTensor, ResolvedConfig } from "../../../src/models/types.js";
import { attention, type Jax, type JaxArray, type JaxProblem, openJax } from "./jax.js";

type Tensors = JaxArray[];
type Step = (
  ...args: [Tensors, Tensors, Tensors, JaxArray, JaxArray, JaxArray, JaxArray, JaxArray]
) => [JaxArray, Tensors, Tensors, Tensors];

/** The part of jax-js that only training uses. */
interface Training {
  valueAndGrad(
    f: (parameters: Tensors, ...rest: JaxArray[]) => JaxArray,
    options?: object,
  ): (parameters: Tensors, ...rest: JaxArray[]) => [JaxArray, Tensors];
  readonly nn: { relu(x: JaxArray): JaxArray; logSoftmax(x: JaxArray, axis: number): JaxArray };
  readonly numpy: {
    array(data: Float32Array | Int32Array): JaxArray;
    take(x: JaxArray, indices: JaxArray, axis: number): JaxArray;
    max(x: JaxArray, axis: number): JaxArray;
    mean(x: JaxArray, axis: number, options: { keepdims: boolean }): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    matrixTranspose(a: JaxArray): JaxArray;
    sum(x: JaxArray): JaxArray;
  };
}

/** A model whose steps can be timed. */
export interface JaxModel {
  /** The loss before the step. */
  step(batch: LabelledBatch, learningRate: number): Promise<number>;
  dispose(): void;
}

/**
 * Opens the model.
 * @param positions the table of positions, [maxLength + 1, width]
 */
export async function openJaxModel(
  config: ResolvedConfig,
  start: Readonly<Record<string, NamedTensor>>,
  settings: JaxProblem,
  positions: Float64Array,
): Promise<JaxModel> {
  const jax = await openJax<Training>();
  const { numpy: np } = jax;
  const { width, maxLength, classes } = config;
  const names = Object.keys(start);
  const texts = settings.slices;
  const upload = ({ shape, data }: NamedTensor) => np.array(data).reshape(shape);
  let parameters = names.map((name) => upload(start[name]));
  const zeros = () =>
    names.map((name) => upload({ shape: start[name].shape, data: new Float32Array(start[name].data.length) }));
  let first = zeros();
  let second = zeros();
  const place = np.array(Float32Array.from(positions.subarray(width))).reshape([1, maxLength, width]);
  const loss = lossOf(jax, config, names, settings);
  const compiled = jax.jit<Step>((p, m, v, tokens, answers, table, rate, roots) => {
    const copies = p.map((x) => x.ref);
    const [value, gradients] = jax.valueAndGrad(loss)(p, tokens, answers, table);
    const newFirst = m.map((x, t) => x.mul(0.9).add(gradients[t].ref.mul(0.1)));
    const newSecond = v.map((x, t) => x.mul(0.999).add(np.square(gradients[t]).mul(0.001)));
    const moved = copies.map((x, t) => {
      const root = np.sqrt(newSecond[t].ref.mul(roots.ref)).add(1e-8);
      return x.add(newFirst[t].ref.mul(rate.ref).div(root));
    });
    rate.dispose();
    roots.dispose();
    return [value, moved, newFirst, newSecond];
  });
  let steps = 0;
  return {
    async step({ tokens, labels }, learningRate) {
      steps++;
      const answers = new Float32Array(texts * classes);
      labels.forEach((label, b) => {
        answers[b * classes + label] = -1 / texts;
      });
      const scalar = (x: number) => np.array(Float32Array.of(x)).reshape([]);
      const [value, ...rest] = compiled(
        parameters,
        first,
        second,
        np.array(tokens).reshape([texts, maxLength]),
        np.array(answers).reshape([texts, classes]),
        place.ref,
        scalar(-learningRate / (1 - 0.9 ** steps)),
        scalar(1 / (1 - 0.999 ** steps)),
      );
      [parameters, first, second] = rest;
      // The step is over when its parameters are there; results are computed when they are asked for.
      await Promise.all(parameters.map((x) => x.ref.data()));
      return (await value.data())[0];
    },
    dispose: () => compiled.dispose(),
  };
}

function lossOf(jax: Jax & Training, config: ResolvedConfig, names: readonly string[], settings: JaxProblem) {
  const { numpy: np, nn } = jax;
  const { width } = config;
  const attend = attention(jax, settings, "forward+backward", "softmax of log");
  const keepdims = { keepdims: true };
  return (parameters: Tensors, tokens: JaxArray, answers: JaxArray, table: JaxArray): JaxArray => {
    // What is given to a function is consumed by it: each parameter is used once.
    const named = (name: string) => parameters[names.indexOf(name)];
    const linear = (x: JaxArray, name: string) => {
      const y = np.matmul(x, np.matrixTranspose(named(`${name}.weight`)));
      return names.includes(`${name}.bias`) ? y.add(named(`${name}.bias`)) : y;
    };
    const norm = (x: JaxArray, name: string) => {
      const centred = x.ref.add(np.mean(x, -1, keepdims).mul(-1));
      const variance = np.mean(np.square(centred.ref), -1, keepdims);
      const normalized = centred.div(np.sqrt(variance.add(1e-6)));
      return normalized.mul(named(`${name}.weight`)).add(named(`${name}.bias`));
    };
    const layer = "layers.0";
    const x = np.take(named("embedding.weight"), tokens, 0).add(table);
    const q = linear(x.ref, `${layer}.mha.WQ`);
    const k = linear(x.ref, `${layer}.mha.WK`);
    const v = linear(x.ref, `${layer}.mha.WV`);
    const attended = linear(attend(q, k, v), `${layer}.mha.linear`);
    const y = norm(x.add(attended), `${layer}.layernorm1`);
    const inner = nn.relu(linear(y.ref, `${layer}.ffn.linear1`));
    const z = norm(y.add(linear(inner, `${layer}.ffn.linear2`)), `${layer}.layernorm2`);
    const logits = linear(np.max(z, 1).reshape([settings.slices, width]), "linear");
    return np.sum(nn.logSoftmax(logits, -1).mul(answers));
  };
}

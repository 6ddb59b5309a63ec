/**
 * `npm run train --prefix bench`: one step of training, forward, backward and Adam, of the classifier of the text
 * experiments (one layer, one head, width 64, 512 positions, batch 32), ours on one thread and on two against jax-js on
 * its wasm backend, in interleaved rounds. Before, each has to give the same losses over the first three steps. Processor
 * time is what a busy machine does not change much; "ours" is one thread.
 */

import { Command, InvalidArgumentError } from "commander";
import { sinusoidalTable } from "../../reference/embedding.js";
import { createRandom } from "../../reference/random.js";
import { scaleKappa } from "../../reference/scale.js";
import { describeMachine, machineLine } from "../../src/bench/machine.js";
import { sampleInterleaved } from "../../src/bench/sampler.js";
import { medianEstimate, ratios } from "../../src/bench/statistics.js";
import { renderTable } from "../../src/cli/table.js";
import { createClassifier } from "../../src/models/index.js";
import type { LabelledBatch } from "../../src/models/types.js";
import { openJaxModel } from "./contestants/jax-train.js";

const texts = 32;
const config = { width: 64, vocabulary: 8000, maxLength: 512, alpha: 1.2 };
const learningRate = 1e-3;
const checkedSteps = 3;
/** Losses of order 1 after three steps that each amplify float32 rounding: what they may differ by. */
const tolerance = 1e-3;

interface Model {
  readonly name: string;
  step(): Promise<number>;
  dispose(): void;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("expected a whole number above 0");
  return value;
}

function makeBatch(): LabelledBatch {
  const random = createRandom(1);
  return {
    tokens: Int32Array.from({ length: texts * config.maxLength }, () => random.integer(config.vocabulary)),
    lengths: new Int32Array(texts).fill(config.maxLength),
    labels: Int32Array.from({ length: texts }, (_, b) => b % 2),
  };
}

async function openModels(batch: LabelledBatch): Promise<Model[]> {
  const ours = async (threads: number): Promise<Model> => {
    const classifier = await createClassifier(config, { threads, batch: texts });
    return {
      name: `fractional-attention, ${threads} thread${threads > 1 ? "s" : ""}`,
      step: async () => (await classifier.step(batch, { learningRate })).loss,
      dispose: () => classifier.dispose(),
    };
  };
  using start = await createClassifier(config, { batch: 1 });
  const settings = {
    slices: texts,
    length: config.maxLength,
    dim: config.width,
    alpha: config.alpha,
    exponent: config.width + config.alpha,
    kappa: scaleKappa("paper", config.width, config.alpha),
  };
  const table = sinusoidalTable(config.maxLength + 1, config.width);
  const jax = await openJaxModel(start.config, start.state().parameters, settings, table);
  return [
    await ours(1),
    await ours(2),
    { name: "jax-js (wasm)", step: () => jax.step(batch, learningRate), dispose: () => jax.dispose() },
  ];
}

const { rounds } = new Command("train")
  .description("time a step of training against jax-js, in interleaved rounds, after a check of the losses")
  .option("--rounds <n>", "rounds", count, 9)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse()
  .opts<{ rounds: number }>();

console.log(machineLine(describeMachine()));
const models = await openModels(makeBatch());
const losses: number[][] = [];
const milliseconds: number[] = [];
for (const model of models) {
  const own: number[] = [];
  for (let step = 0; step < checkedSteps; step++) {
    const begin = performance.now();
    own.push(await model.step());
    milliseconds[models.indexOf(model)] = performance.now() - begin;
  }
  losses.push(own);
}
const worst = Math.max(...losses.flatMap((own) => own.map((loss, step) => Math.abs(loss - losses[0][step]))));
if (!(worst <= tolerance)) throw new Error(`losses differ by ${worst}: ${JSON.stringify(losses)}`);
console.log(`losses of the first ${checkedSteps} steps agree to ${worst.toExponential(1)}`);

const random = createRandom(2);
const processor = new Map(models.map(({ name }) => [name, [] as number[]]));
const entries = models.map(({ name, step }, m) => ({
  id: name,
  milliseconds: milliseconds[m],
  rounds,
  async run() {
    const start = process.cpuUsage();
    await step();
    const { user, system } = process.cpuUsage(start);
    processor.get(name)!.push((user + system) / 1000);
  },
}));
const before = process.cpuUsage();
const began = performance.now();
const samples = await sampleInterleaved(entries, rounds, random, () => {});
const used = process.cpuUsage(before);
const share = (used.user + used.system) / 1000 / (performance.now() - began);

/** Median of the ratios to our first row, round by round, with its interval. */
function ratioText(own: readonly number[], subject: readonly number[]): string {
  const { value, low, high } = medianEstimate(ratios(own, subject), random);
  return `${value.toFixed(2)} (${low.toFixed(2)}-${high.toFixed(2)})`;
}

const [subject] = models;
const rows = models.map(({ name }) => {
  const own = samples.get(name)!;
  const busy = processor.get(name)!;
  const time = medianEstimate(own, random).value;
  return [
    name,
    time.toFixed(0),
    ((1000 * texts * config.maxLength) / time).toFixed(0),
    ratioText(own, samples.get(subject.name)!),
    medianEstimate(busy, random).value.toFixed(0),
    ratioText(busy, processor.get(subject.name)!),
  ];
});
const head = ["one step", "ms", "tokens/s", "time over ours", "processor ms", "processor time over ours"];
console.log(renderTable(head, rows, [1, 2, 3, 4, 5]));
console.log(`processor time over time: ${(100 * share).toFixed(0)} %`);
for (const model of models) model.dispose();

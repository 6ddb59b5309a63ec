/**
 * Attention as an ONNX graph (opset 17), written with the field numbers of onnx.proto3. Shapes are fixed in the model, so
 * that the runtimes can plan. What does not depend on the inputs is folded into constants:
 *
 *   z² = [−2q/κ², |q|²/κ², 1/κ²]·[k, 1, |k|²]ᵀ
 *   softmax of log:  Softmax(−(d_M+α) Log(1 + Sqrt(z²))) V      at α = 2 Softmax(−z²) V, the sign folded in as well
 *   literal power:   P = Pow(1 + Sqrt(z²), −(d_M+α)),  (P / ReduceSum P) V
 *   fused attention: the runtime's own softmax attention of [q, 1] and [k, −|k|²/2] with scale 2/κ², which at α = 2 is FNA:
 *                    a third party that knows nothing of distances (equations section 8)
 */

import type { Problem } from "../../../src/bench/problem.js";
import { load } from "../load.js";
import type { Formulation } from "./contestant.js";

/** The part of the `pbf` writer that is used. */
interface Writer {
  writeVarintField(tag: number, value: number): void;
  writeFloatField(tag: number, value: number): void;
  writeStringField(tag: number, value: string): void;
  writeBytesField(tag: number, value: Uint8Array): void;
  writeMessage<T>(tag: number, write: (object: T, writer: Writer) => void, object: T): void;
  finish(): Uint8Array;
}

/** Plain numbers are integers. */
interface Attribute {
  readonly name: string;
  readonly value: number | readonly number[] | { readonly float: number };
}

interface Node {
  readonly domain: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: readonly Attribute[];
}

interface Constant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

interface Value {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Nodes and constants in the order in which they are added; each method gives the name of what it adds. */
class Graph {
  readonly nodes: Node[] = [];
  readonly constants: Constant[] = [];

  node(
    operator: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute["value"]> = {},
    domain = "",
  ): string {
    const output = `t${this.nodes.length}`;
    const list = Object.entries(attributes).map(([name, value]) => ({ name, value }));
    this.nodes.push({ domain, operator, inputs, output, attributes: list });
    return output;
  }

  constant(data: Constant["data"], dims: readonly number[] = []): string {
    const name = `c${this.constants.length}`;
    this.constants.push({ name, dims, data });
    return name;
  }

  scalar(value: number): string {
    return this.constant(Float32Array.of(value));
  }
}

/** Operators that are onnxruntime's own. */
const contributed = "com.microsoft";

function attentionGraph(problem: Problem, formulation: Formulation): { graph: Graph; result: string } {
  const { slices, length, alpha, kappa, exponent } = problem;
  const graph = new Graph();
  const column = (value: number) => graph.constant(new Float32Array(slices * length).fill(value), [slices, length, 1]);
  const squares = (x: string) => graph.node("ReduceSumSquare", [x], { axes: [-1], keepdims: 1 });
  const factor = (alpha === 2 ? -1 : 1) / (kappa * kappa);
  if (formulation === "fused attention") {
    const biases = graph.node("Mul", [squares("k"), graph.scalar(-0.5)]);
    const sides = [
      ["q", column(1)],
      ["k", biases],
    ].map((parts) => graph.node("Concat", parts, { axis: -1 }));
    const attributes = { num_heads: 1, scale: { float: -2 * factor } };
    return { graph, result: graph.node("MultiHeadAttention", [...sides, "v"], attributes, contributed) };
  }

  const queryPart = graph.node("Mul", ["q", graph.scalar(-2 * factor)]);
  const queryNorms = graph.node("Mul", [squares("q"), graph.scalar(factor)]);
  const queries = graph.node("Concat", [queryPart, queryNorms, column(factor)], { axis: -1 });
  const keys = graph.node("Concat", ["k", column(1), squares("k")], { axis: -1 });
  const squared = graph.node("MatMul", [queries, graph.node("Transpose", [keys], { perm: [0, 2, 1] })]);
  let weights: string;
  if (alpha === 2) {
    weights = graph.node("Softmax", [squared], { axis: -1 });
  } else {
    const z = graph.node("Sqrt", [graph.node("Relu", [squared])]);
    const base = graph.node("Add", [z, graph.scalar(1)]);
    if (formulation === "softmax of log") {
      const scores = graph.node("Mul", [graph.node("Log", [base]), graph.scalar(-exponent)]);
      weights = graph.node("Softmax", [scores], { axis: -1 });
    } else {
      const power = graph.node("Pow", [base, graph.scalar(-exponent)]);
      const axis = graph.constant(BigInt64Array.of(-1n), [1]);
      weights = graph.node("Div", [power, graph.node("ReduceSum", [power, axis], { keepdims: 1 })]);
    }
  }
  return { graph, result: graph.node("MatMul", [weights, "v"]) };
}

const floatType = 1;
const int64Type = 7;

function writeAttribute({ name, value }: Attribute, writer: Writer): void {
  writer.writeStringField(1, name);
  if (typeof value === "object" && "float" in value) {
    writer.writeFloatField(2, value.float);
    writer.writeVarintField(20, 1);
  } else if (typeof value === "number") {
    writer.writeVarintField(3, value);
    writer.writeVarintField(20, 2);
  } else {
    for (const item of value) writer.writeVarintField(8, item);
    writer.writeVarintField(20, 7);
  }
}

function writeNode(node: Node, writer: Writer): void {
  for (const input of node.inputs) writer.writeStringField(1, input);
  writer.writeStringField(2, node.output);
  writer.writeStringField(4, node.operator);
  for (const attribute of node.attributes) writer.writeMessage(5, writeAttribute, attribute);
  if (node.domain !== "") writer.writeStringField(7, node.domain);
}

function writeConstant({ name, dims, data }: Constant, writer: Writer): void {
  for (const size of dims) writer.writeVarintField(1, size);
  writer.writeVarintField(2, data instanceof Float32Array ? floatType : int64Type);
  writer.writeStringField(8, name);
  writer.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValue({ name, dims }: Value, writer: Writer): void {
  const dimension = (size: number, inner: Writer) => inner.writeVarintField(1, size);
  const shape = (sizes: readonly number[], inner: Writer) => {
    for (const size of sizes) inner.writeMessage(1, dimension, size);
  };
  const tensor = (sizes: readonly number[], inner: Writer) => {
    inner.writeVarintField(1, floatType);
    inner.writeMessage(2, shape, sizes);
  };
  const type = (sizes: readonly number[], inner: Writer) => inner.writeMessage(1, tensor, sizes);
  writer.writeStringField(1, name);
  writer.writeMessage(2, type, dims);
}

/** A model with inputs q, k, v; `result` is the name of its output. */
export async function attentionModel(
  problem: Problem,
  formulation: Formulation,
): Promise<{ bytes: Uint8Array; result: string }> {
  const { PbfWriter } = await load<{ PbfWriter: new () => Writer }>("pbf");
  const { graph, result } = attentionGraph(problem, formulation);
  const dims = [problem.slices, problem.length, problem.dim];
  const writer = new PbfWriter();
  const irVersion = 8;
  const opset = 17;
  writer.writeVarintField(1, irVersion);
  writer.writeMessage(
    7,
    (_, inner) => {
      for (const node of graph.nodes) inner.writeMessage(1, writeNode, node);
      inner.writeStringField(2, "attention");
      for (const constant of graph.constants) inner.writeMessage(5, writeConstant, constant);
      for (const name of ["q", "k", "v"]) inner.writeMessage(11, writeValue, { name, dims });
      inner.writeMessage(12, writeValue, { name: result, dims });
    },
    graph,
  );
  writer.writeMessage(8, (version, inner) => inner.writeVarintField(2, version), opset);
  if (graph.nodes.some(({ domain }) => domain === contributed)) {
    writer.writeMessage(
      8,
      (name, inner) => {
        inner.writeStringField(1, name);
        inner.writeVarintField(2, 1);
      },
      contributed,
    );
  }
  return { bytes: writer.finish(), result };
}

/**
 * What callers hand to the models and get back (equations section 11). The tensors of a batch are row-major and padded to
 * one length; positions from a text's own length on are padding, whatever stands there.
 *
 * Shapes: B batch, N length of the padded batch, L layers, H heads, C width, D = C/H, K classes.
 */

/** What scores a query and a key: the paper's kernel in the plane or on the sphere, or one of its baselines (section 10). */
export type AttentionKind = "fna-euclidean" | "fna-sphere" | "dot-product" | "sinkhorn";

/** An encoder classifier. Only what has no default must be given; `resolveConfig` fills in and checks the rest. */
export interface ClassifierConfig {
  /** Default `"fna-euclidean"`. */
  attention?: AttentionKind;
  /** Order in (0, 2], every head's; with `learnAlpha` its start, below 2. Default 1.2. Without meaning for the baselines. */
  alpha?: number;
  /** One order per head and layer is learned, inside (0, 2) by its parametrisation. Default false. */
  learnAlpha?: boolean;
  /** Length scale: the paper's, 1 (`"none"`), or above 0. Default `"paper"`, which is 1 on the sphere. */
  kappa?: "paper" | "none" | number;
  /** One length scale per head and layer is learned, positive by its parametrisation. Default false. */
  learnKappa?: boolean;
  /** d_M of the exponent d_M + alpha. Default: D; on the sphere max(1, D - 1). */
  intrinsicDim?: number;
  /** Radius of the sphere. Default `"rescaled"` for alpha < 2, 1 at alpha = 2. */
  radius?: "rescaled" | number;
  /** a >= 0 of the diffusion-map normalisation. Default 0. */
  degreeNormalization?: number;
  /** Sinkhorn attention: normalisations, odd, so that rows come last. Default 3. */
  iterations?: number;
  /** L >= 1. Default 1. */
  layers?: number;
  /** H, a divisor of the width. Default 1. */
  heads?: number;
  /** C */
  width: number;
  /** Width inside the feed-forward part. Default 4 C. */
  ffnWidth?: number;
  /** Number of token ids; ids are in [0, vocabulary). */
  vocabulary: number;
  /** Longest text. */
  maxLength: number;
  /** K >= 2. Default 2. */
  classes?: number;
  /** W_Q and W_K are orthogonal matrices and stay so; with one head the queries are the input itself. Default false. */
  orthogonal?: boolean;
  /** Keys are the queries; with FNA no token attends to itself. Default false. */
  qkShare?: boolean;
  /** Biases of W_Q, W_K and W_V. Default false. */
  projectionBias?: boolean;
  /** Probability in [0, 1) with which a number is dropped after attention and after the feed-forward part. Default 0. */
  dropout?: number;
  /** What makes one vector of a text's positions. Default `"max"`. */
  pooling?: "max" | "mean";
  /** Fixed sinusoidal table added to the embedding, or nothing. Default `"sinusoidal"`. */
  positions?: "sinusoidal" | "none";
  /** Divides the attention branch by sqrt(L). Default false. */
  residualScale?: boolean;
  /** What the authors' text code does otherwise, off unless true (section 17). */
  compatibility?: {
    /** Padded positions are queries too, and pooling runs over them. */
    poolPadding?: boolean;
    /** The loss applies log-softmax to the probabilities. */
    softmaxTwice?: boolean;
  };
}

/** A configuration with every default filled in. */
export type ResolvedConfig = Required<Omit<ClassifierConfig, "compatibility">> & {
  compatibility: Required<NonNullable<ClassifierConfig["compatibility"]>>;
};

/** Options of `createClassifier`. */
export interface CreateOptions {
  /** Seed of the initial parameters and of dropout, in [0, 2^32). Default 1. */
  seed?: number;
  /** Threads that share a batch; the bits of a step depend on their number, never on their timing. Default 1. */
  threads?: number;
  /** Largest batch; memory is laid out for it once. Default 32. */
  batch?: number;
  /** False leaves out everything that only training needs. Default true. */
  training?: boolean;
}

/** Texts of one batch. */
export interface Batch {
  /** [B, N] ids in [0, vocabulary); what stands at padding does not matter. */
  tokens: Int32Array;
  /** [B] lengths in [1, N]. */
  lengths: Int32Array;
}

/** A batch with the class of each text. */
export interface LabelledBatch extends Batch {
  /** [B] in [0, K). */
  labels: Int32Array;
}

/** Masks that a model is run under beside its own (dynamic inference, section 16). */
export interface MaskOverride {
  /** 1 = may not attend, [B or 1, N, N], every head's and layer's. */
  mask?: Uint8Array;
  /** FNA: masks pairs with d/kappa >= this. */
  distanceThreshold?: number;
}

/** What a step of training saw. */
export interface StepResult {
  /** Mean over the batch, before the step. */
  loss: number;
  /** Share of the texts whose class had the largest logit. */
  accuracy: number;
}

/** Predictions of one batch. */
export interface Prediction {
  /** [B, K] */
  logits: Float32Array;
  /** [B, K] */
  probabilities: Float32Array;
}

/** One layer's attention, for looking and for analysis. Beyond a text's length everything is 0. */
export interface LayerAttention {
  /** [B, H, N, D] as the attention reads them (on the sphere before normalisation). */
  queries: Float32Array;
  /** [B, H, N, D] */
  keys: Float32Array;
  /** [B, H, N, N] */
  weights: Float32Array;
  /** The order of each head, [H]; empty for the baselines. */
  alpha: Float64Array;
  /** The length scale of each head, [H]; empty for the baselines. */
  kappa: Float64Array;
}

/** A tensor by name. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * All that a run needs to go on with the same bits: names are those of the authors' state dict. Dropout is a function of
 * the seed and the step, so these two numbers are the state of its generator.
 */
export interface ModelState {
  readonly seed: number;
  /** Steps done. */
  readonly step: number;
  readonly parameters: Readonly<Record<string, NamedTensor>>;
  /** Adam's running means of the gradients; absent where only parameters are at hand. */
  readonly firstMoments?: Readonly<Record<string, NamedTensor>>;
  /** Adam's running means of their squares. */
  readonly secondMoments?: Readonly<Record<string, NamedTensor>>;
}

/** Adam's constants and the learning rate of one step. */
export interface StepOptions {
  /** Above 0. */
  learningRate: number;
  /** Default 0.9. */
  beta1?: number;
  /** Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
}

/** An encoder classifier in float32. Calls must wait for each other. */
export interface Classifier {
  readonly config: ResolvedConfig;
  readonly seed: number;
  readonly threads: number;
  /** Numbers that training changes. */
  readonly parameterCount: number;
  /** Bytes of memory, laid out once. */
  readonly memoryBytes: number;
  /** Steps done. */
  readonly steps: number;

  /**
   * One step of training: loss, gradients, Adam.
   * @throws InvalidArgumentError
   * @throws NonFiniteError naming the tensor, before any parameter has changed
   */
  step(batch: LabelledBatch, options: StepOptions): Promise<StepResult>;

  /** Loss, accuracy and predictions without dropout and without a step. @throws InvalidArgumentError */
  evaluate(batch: LabelledBatch, override?: MaskOverride): Promise<StepResult & Prediction>;

  /** Predictions. @throws InvalidArgumentError */
  predict(batch: Batch, override?: MaskOverride): Promise<Prediction>;

  /** Queries, keys and weights of each layer. @throws InvalidArgumentError */
  attention(batch: Batch, override?: MaskOverride): Promise<LayerAttention[]>;

  /** Gradients of the mean loss under the names of the parameters, without dropout; for tests. */
  gradients(batch: LabelledBatch): Promise<Record<string, NamedTensor>>;

  /** Copies of everything that a run needs to go on with the same bits. */
  state(): ModelState;

  /**
   * Takes over a state; without moments the optimiser starts anew.
   * @throws InvalidArgumentError for a missing, unknown or misshapen tensor, with nothing changed
   */
  load(state: ModelState): void;

  /** Ends the threads; no call is taken any more, and the memory goes with the object. Idempotent. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Times of every device that runs in this browser, on request: it takes some seconds, and the processor. */

import type { Attention } from "../../src/attention.js";
import { chart, legend } from "../../src/page/charts.js";
import { errorsTable, timingChart } from "../../src/page/figures.js";
import { sampledRows, type TimedDevice, timingDim, timingStudy } from "../../src/page/timing-study.js";
import { openDevice, threadCount } from "./attention.js";
import { element } from "./controls.js";
import { section } from "./figures.js";
import type { DeviceChoice } from "./state.js";

/** Small enough that a page stays usable, and that a reference written to be read takes part. */
const sizes = [64, 128, 256, 512, 1024, 2048];

/** The section of the times. */
export class TimesView {
  readonly element: HTMLElement;
  readonly #button = element("button", { type: "button", textContent: "Time the devices" });
  readonly #status = element("p", { className: "status", role: "status" });
  readonly #result = element("div", { className: "pair wide" });

  constructor() {
    this.#button.addEventListener("click", () => this.#run());
    this.element = section(
      "Times and errors",
      `One forward call of one head of ${timingDim} components with the paper’s options, from the call to the numbers: medians of interleaved rounds, quartiles as upright lines. The first ${sampledRows} query rows are held against the float64 reference before a device is timed; error and bound are those at the N that comes nearest to its bound. A device leaves when it gets slow.`,
      this.#button,
      this.#status,
      this.#result,
    );
  }

  async #run(): Promise<void> {
    this.#button.disabled = true;
    const { open, refused } = await openAll();
    const onProgress = (done: number, total: number, label: string) => {
      this.#status.textContent = done < total ? label : "";
    };
    const devices = await timingStudy(open, { sizes, share: 80, onProgress });
    const options = timingChart(devices);
    const drawing = element("div", { innerHTML: legend(options.series).text });
    const box = element("div", { className: "chart" });
    box.append(chart(document, options));
    drawing.append(box);
    const errors = element("div", {
      className: "scroll",
      tabIndex: 0,
      role: "region",
      ariaLabel: "Errors of the devices",
    });
    errors.innerHTML = errorsTable(devices).text;
    this.#result.replaceChildren(drawing, errors);
    this.#status.textContent = refused.join(" ");
    this.#button.disabled = false;
  }
}

async function openAll(): Promise<{ open: TimedDevice[]; refused: string[] }> {
  const choices: [DeviceChoice, string][] = [
    ["reference", "reference (float64)"],
    ["wasm", "wasm, 1 thread"],
    ...(crossOriginIsolated && threadCount > 1
      ? [["threads", `wasm, ${threadCount} threads`] as [DeviceChoice, string]]
      : []),
    ["webgpu", "webgpu"],
  ];
  const open: TimedDevice[] = [];
  const refused: string[] = [];
  for (const [choice, name] of choices) {
    try {
      open.push({ name, attention: (await openDevice(choice)) as Attention });
    } catch (error) {
      refused.push(`${name} was not timed: ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  return { open, refused };
}

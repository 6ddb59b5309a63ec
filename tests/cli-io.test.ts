import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type Io, nodeIo } from "../src/cli/io.js";
import { createProgress } from "../src/cli/progress.js";

/** A stream in place of a terminal or a pipe, and what was written into it. */
function streamLike(properties: { isTTY?: boolean; columns?: number } = {}) {
  const stream = new PassThrough({ encoding: "utf8" });
  return Object.assign(stream, properties, { text: () => (stream.read() as string | null) ?? "" });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the world of a process", () => {
  const stdout = (stream: PassThrough) => {
    vi.spyOn(process, "stdout", "get").mockReturnValue(stream as unknown as typeof process.stdout);
    return nodeIo().stdout;
  };

  it("drops what is written once the reader of a pipe is gone", () => {
    const pipe = streamLike();
    const sink = stdout(pipe);
    sink.write("a line\n");
    expect(pipe.text()).toBe("a line\n");
    pipe.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    sink.write("another\n");
    expect(pipe.text()).toBe("");
  });

  it("says once that an output is full, in one line, and fails", async () => {
    const code = process.exitCode;
    try {
      const [pipe, errors] = [streamLike(), streamLike()];
      vi.spyOn(process, "stderr", "get").mockReturnValue(errors as unknown as typeof process.stderr);
      const sink = stdout(pipe);
      const full = Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" });
      for (let write = 0; write < 2; write++) pipe.emit("error", full);
      sink.write("another\n");
      expect(pipe.text()).toBe("");
      expect(errors.text()).toBe("error: standard output: no space left on the device\n");
      expect(process.exitCode).toBe(1);
    } finally {
      process.exitCode = code;
    }
  });

  it.skipIf(!existsSync("/dev/full"))("fails as a process when the device is full", async () => {
    const full = await open("/dev/full", "w");
    const program = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [program, "--version"], {
      stdio: ["ignore", full.fd, "pipe"],
      encoding: "utf8",
    });
    await full.close();
    expect([status, stderr]).toEqual([1, "error: standard output: no space left on the device\n"]);
  });

  it("knows a terminal and its width from a pipe", () => {
    expect(stdout(streamLike())).toMatchObject({ interactive: false, terminal: undefined, columns: 80 });
    const terminal = streamLike({ isTTY: true, columns: 132 });
    const sink = stdout(terminal);
    expect(sink).toMatchObject({ interactive: true, columns: 132 });
    expect(sink.terminal).toBe(terminal);
    // A window that is made smaller while the command runs.
    terminal.columns = 60;
    expect(sink.columns).toBe(60);
  });

  it("reads standard input to its end, and of one without an end no more than is asked for", async () => {
    const read = (stream: Readable, limit: number) => {
      vi.spyOn(process, "stdin", "get").mockReturnValue(stream as unknown as typeof process.stdin);
      return nodeIo().readStdin(limit);
    };
    const parts = [Buffer.from("a rose "), Buffer.from("is a rose")];
    expect(Buffer.from(await read(Readable.from(parts), 100)).toString()).toBe("a rose is a rose");
    const yes = function* () {
      for (;;) yield Buffer.from("yes\n");
    };
    const cut = await read(Readable.from(yes()), 10);
    expect(cut.length).toBeGreaterThan(10);
    expect(cut.length).toBeLessThan(20);
  });

  it("hears the first Ctrl-C only, and none when it has stopped listening", () => {
    const heard = vi.fn();
    const before = process.listenerCount("SIGINT");
    nodeIo().onInterrupt(heard);
    process.emit("SIGINT");
    expect(heard).toHaveBeenCalledTimes(1);
    expect(process.listenerCount("SIGINT")).toBe(before);
    const stop = nodeIo().onInterrupt(heard);
    stop();
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  it("runs itself with other words, and gives back the exit code, 1 for a process that was killed", async () => {
    const folder = await mkdtemp(join(tmpdir(), "fna-io-"));
    const [argv, execArgv] = [process.argv, process.execArgv];
    try {
      const script = join(folder, "self.cjs");
      await writeFile(
        script,
        `const [word, code] = process.argv.slice(2);
        if (word === "die") process.kill(process.pid, "SIGKILL");
        process.exit(Number(code));`,
      );
      process.argv = [process.execPath, script, "not", "handed", "on"];
      process.execArgv = [];
      const { runSelf } = nodeIo();
      expect(await runSelf(["end", "0"])).toBe(0);
      expect(await runSelf(["end", "3"])).toBe(3);
      expect(await runSelf(["die", "0"])).toBe(1);
    } finally {
      process.argv = argv;
      process.execArgv = execArgv;
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("the progress bar", () => {
  /** A terminal of 80 columns, and a clock to be set. */
  function world(env: Io["env"] = {}, isTerminal = true) {
    const stream = streamLike({ isTTY: true, columns: 80 });
    const clock = { milliseconds: 0 };
    const terminal = isTerminal ? (stream as unknown as NodeJS.WriteStream) : undefined;
    const stderr = { write() {}, interactive: isTerminal, terminal, columns: 80 };
    const io = { stderr, env, now: () => new Date(clock.milliseconds) } as unknown as Io;
    return { io, clock, stream };
  }

  it("appears after half a second, says how far and with what, and leaves nothing behind", () => {
    const { io, clock, stream } = world();
    const progress = createProgress(io);
    progress.update(1, 8, "early");
    expect(stream.text()).toBe("");
    clock.milliseconds = 500;
    progress.update(2, 8, "reading");
    expect(stream.text()).toMatch(/\u2588\u2591.* 25% reading/);
    progress.update(6, 8, "scoring");
    progress.stop();
    const end = stream.text();
    expect(end).toMatch(/ 75% scoring/);
    // Back to the first column, and the whole line cleared.
    expect(end.endsWith("\x1b[1G\x1b[2K")).toBe(true);
    progress.stop();
    expect(stream.text()).toBe("");
  });

  it("cuts a label that would not fit on its line", () => {
    const { io, clock, stream } = world();
    const progress = createProgress(io);
    clock.milliseconds = 1000;
    progress.update(1, 2, "x".repeat(200));
    progress.update(2, 2, "x".repeat(200));
    progress.stop();
    const lines = stream.text().match(/x+/g) ?? [];
    expect(lines.at(-1)).toHaveLength(48);
  });

  it.each<[string, () => { io: Io; stream: { text(): string }; clock: { milliseconds: number } }, boolean]>([
    ["where nobody looks", () => world({}, false), false],
    ["on a dumb terminal", () => world({ TERM: "dumb" }), false],
    ["when it is to be quiet", () => world(), true],
  ])("does not appear %s", (_name, open, quiet) => {
    const { io, stream, clock } = open();
    const progress = createProgress(io, quiet);
    clock.milliseconds = 10_000;
    progress.update(1, 2, "reading");
    progress.stop();
    expect(stream.text()).toBe("");
  });
});

# workerd serve config.capnp, after: esbuild worker.js --bundle --format=esm --external:*.wasm --outfile=out/worker.js
# With wrangler neither is needed: it bundles, and imports of .wasm files are compiled modules there.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [ (name = "main", worker = .worker) ],
  sockets = [ (name = "http", address = "127.0.0.1:8080", http = (), service = "main") ],
);

const worker :Workerd.Worker = (
  compatibilityDate = "2026-01-01",
  modules = [
    (name = "worker.js", esModule = embed "out/worker.js"),
    (name = "fractional-attention/kernels.wasm", wasm = embed "../node_modules/fractional-attention/dist/attention.wasm"),
  ],
);

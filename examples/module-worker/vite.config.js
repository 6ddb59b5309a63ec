// Vite's workers are classic scripts by default, which cannot load the parts of the package that are loaded when needed.
export default { worker: { format: "es" } };

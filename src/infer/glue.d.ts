/** The Emscripten glue of onnxruntime-web: a factory that fills the object it is given. */
declare module "onnxruntime-web/ort-wasm-simd-threaded.mjs" {
  export default function factory<T extends object>(module: T): Promise<T>;
}

/** Files that the bundler embeds: the import gives their path, also inside the executable. */
declare module "*.zst" {
  const path: string;
  export default path;
}

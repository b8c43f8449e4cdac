// Starts an embedded WebAssembly module. The type of the global is given here, because neither
// es2023 nor Node's types declare it and core and the rest must compile alike.

interface WasmGlobal {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: unknown };
    readonly Memory: new (size: {
      initial: number;
      maximum: number;
    }) => { readonly buffer: ArrayBuffer };
  };
}

/** Compiles synchronously; `Exports` is what the module's source says it exports. */
export function instantiate<Exports>(bytes: Uint8Array): Exports {
  const { WebAssembly } = globalThis as unknown as WasmGlobal;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports;
}

/** Zeroed memory of a fixed number of pages of 64 KiB, beginning on a page boundary. */
export function newMemory(pages: number): ArrayBuffer {
  const { WebAssembly } = globalThis as unknown as WasmGlobal;
  return new WebAssembly.Memory({ initial: pages, maximum: pages }).buffer;
}

// Starts an embedded WebAssembly module. The type of the global is given here, because neither
// es2023 nor Node's types declare it and core and the rest must compile alike.

interface WasmGlobal {
  readonly WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: unknown };
  };
}

/** Compiles synchronously; `Exports` is what the module's source says it exports. */
export function instantiate<Exports>(bytes: Uint8Array): Exports {
  const { WebAssembly } = globalThis as unknown as WasmGlobal;
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports;
}

/** What the kernels of this folder need of WebAssembly: types of Node have none of it, and those of browsers bring all of the DOM. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array<ArrayBuffer>)
    static exports(module: Module): { name: string }[]
  }
  class Instance {
    constructor(module: Module, imports: { host: { memory: Memory } })
    readonly exports: Record<string, unknown>
  }
  /** Memory that threads share. */
  class Memory {
    /** @throws RangeError where there are no addresses, or no memory, for it */
    constructor(size: { initial: number; maximum: number; shared: true })
    /** The whole of it; another one after it has grown. */
    readonly buffer: SharedArrayBuffer
    /** @param pages of 64 KiB */
    grow(pages: number): number
  }
}

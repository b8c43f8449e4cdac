/** A random-access file or device. Unwritten bytes read as zeros. */
export interface BlockDevice {
  /**
   * Returns exactly `lengthBytes`, zeros beyond the end. The result is the caller's; if it is memory of the
   * pool (base/buffer-pool.ts), the caller may give it back.
   */
  read(offsetBytes: number, lengthBytes: number): Promise<Uint8Array>;
  /**
   * Resolves when the bytes are readable, not when they are durable; a crash before the next `sync`
   * may leave any part of them. The views must not change until it resolves.
   */
  write(offsetBytes: number, views: readonly Uint8Array[]): Promise<void>;
  /** Resolves when every write that had resolved before the call survives power loss. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

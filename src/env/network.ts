// Byte streams between daemons. Order is kept within a connection; bytes may arrive in any pieces.

/** `host:port`; port 0 when listening means "choose one". */
export type Address = string;

export interface ConnectionEvents {
  /** The view is valid during the call only: its memory is used for the next bytes. */
  received(bytes: Uint8Array): void;
  /** `unsentBytes` has fallen to zero after having been above it. */
  drained(): void;
  /** Called once, last, also after `close()`. */
  closed(reason: string): void;
}

export interface Connection {
  readonly remote: Address;
  /** Must be called once, at once; nothing is delivered before. */
  start(events: ConnectionEvents): void;
  /**
   * Takes the views in order. They must not change until `sent`, which is called once, when the network
   * has them or never will. Ignored after the end.
   */
  send(views: readonly Uint8Array[], sent?: () => void): void;
  /** Bytes taken by `send` and not yet handed to the network. */
  readonly unsentBytes: number;
  /** Stops delivery until `resume`, which pushes back to the sender. */
  pause(): void;
  resume(): void;
  close(): void;
}

export interface Listener {
  readonly address: Address;
  /** Stops accepting; open connections stay. */
  close(): Promise<void>;
}

export interface Network {
  /** Throws `EnvError` `address-in-use`, `denied`. */
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener>;
  /** Throws `EnvError` `refused`, `unreachable`. */
  connect(address: Address): Promise<Connection>;
}

// A daemon that speaks nonsense: a defect of its own, or bad memory. What it says to others is well framed, with right
// checksums, and now and then wrong in one place: a number, a length, bytes, a message that came before, or no message
// at all. Whoever hears it must refuse it, and go on with the rest (promise P5).

import { concatBytes, emptyBytes } from '../base/bytes.ts';
import { Reader, uint, Writer } from '../base/codec.ts';
import type { Connection, ConnectionEvents, Listener, Network } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import {
  bodyBytesMax,
  encodeFrame,
  type Frame,
  FrameReader,
  payloadBytesMax,
} from '../net/frame.ts';
import { type Message, messageCodec } from '../wire/messages.ts';

/** Earlier messages that may be said again. */
const rememberedMax = 400;

/** Numbers that whoever checks too little trips over. */
const oddNumbers = [0, 1, 2, 63, 255, 65_536, 2 ** 31, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER];

export class Poison {
  readonly #random: Random;
  readonly #remembered: Message[] = [];
  /** Of a hundred messages; 0: it speaks as it should. */
  percent = 0;
  /** How many were spoilt, by kind. */
  readonly spoilt = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** `network`, as a poisoned daemon uses it. `isTarget` says whether the one at an address is spoken to so. */
  wrap(network: Network, isTarget: (remote: string) => boolean): Network {
    const poisoned = (connection: Connection, greetings: number): Connection =>
      isTarget(connection.remote)
        ? new PoisonedConnection(connection, greetings, (frame) => this.#spoil(frame))
        : connection;
    return {
      // Of greetings the one who listens says one, the other two.
      listen: (address, accept): Promise<Listener> =>
        network.listen(address, (connection) => accept(poisoned(connection, 1))),
      connect: async (address) => poisoned(await network.connect(address), 2),
    };
  }

  #spoil(frame: Frame): readonly Uint8Array[] {
    const body = this.#random.below(100) < this.percent ? this.#spoilBody(frame.body) : frame.body;
    // Bytes that are wrong under a right checksum nobody could tell from right ones: of payloads the length is wrong.
    const { payload } = frame;
    const isCut =
      payload.length > 0 && body === frame.body && this.#random.below(100) < this.percent;
    const said = isCut ? this.#spoilLength(payload) : payload;
    return encodeFrame(body, said.length === 0 ? [] : [said]);
  }

  #spoilBody(body: Uint8Array): Uint8Array {
    const reader = new Reader(body);
    const type = reader.u8();
    const id = uint.read(reader);
    const message = messageCodec.read(reader);
    this.spoilt.set(message.kind, (this.spoilt.get(message.kind) ?? 0) + 1);
    if (this.#remembered.length < rememberedMax) this.#remembered.push(message);
    else this.#remembered[this.#random.below(rememberedMax)] = message;
    const how = this.#random.below(10);
    if (how === 0) return this.#spoilBytes(body);
    const said = how === 1 ? this.#oneOf(this.#remembered) : (this.#spoilValue(message) as Message);
    const writer = new Writer(body.length + 64);
    try {
      writer.u8(type);
      writer.uint(id);
      messageCodec.write(writer, said);
      return writer.finish().slice();
    } catch {
      // No message can say that.
      return this.#spoilBytes(body);
    }
  }

  /** The same with one thing in it changed. */
  #spoilValue(value: unknown): unknown {
    if (typeof value === 'number') return this.#spoilNumber(value);
    if (typeof value === 'boolean') return !value;
    if (typeof value === 'string') return this.#spoilText(value);
    if (value instanceof Uint8Array) return this.#spoilBytes(value);
    if (Array.isArray(value)) return this.#spoilList(value);
    if (typeof value !== 'object' || value === null) return value;
    const names = Object.keys(value).filter((name) => name !== 'kind');
    if (names.length === 0) return value;
    const name = this.#oneOf(names);
    return { ...value, [name]: this.#spoilValue((value as Record<string, unknown>)[name]) };
  }

  #spoilNumber(value: number): number {
    const how = this.#random.below(4);
    if (how === 0) return value + 1;
    if (how === 1) return Math.max(0, value - 1);
    return how === 2 ? this.#oneOf(oddNumbers) : this.#random.below(2 ** 32);
  }

  /** Of the same form where it has one: a number in it, or a hexadecimal digit. */
  #spoilText(value: string): string {
    if (value === '') return 'x';
    const at = this.#random.below(value.length);
    const how = this.#random.below(4);
    if (how === 0) return value.slice(0, at);
    if (how === 1) return value + value;
    return `${value.slice(0, at)}${this.#oneOf([...'0123456789abcdef'])}${value.slice(at + 1)}`;
  }

  #spoilList(value: readonly unknown[]): readonly unknown[] {
    if (value.length === 0) return value;
    const at = this.#random.below(value.length);
    switch (this.#random.below(5)) {
      case 0:
        return value.slice(0, at);
      case 1:
        return [...value.slice(0, at), value[at], ...value.slice(at)];
      case 2:
        return [...value].reverse();
      default:
        return value.map((each, index) => (index === at ? this.#spoilValue(each) : each));
    }
  }

  #spoilLength(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0 || this.#random.below(2) === 0)
      return concatBytes([bytes, Uint8Array.of(1, 2, 3)]);
    const at = this.#random.below(bytes.length);
    return at === 0 ? Uint8Array.of(0) : bytes.slice(0, at);
  }

  #spoilBytes(bytes: Uint8Array): Uint8Array {
    if (bytes.length === 0 || this.#random.below(2) === 0) return this.#spoilLength(bytes);
    const at = this.#random.below(bytes.length);
    const spoilt = bytes.slice();
    spoilt[at] = (spoilt[at] as number) ^ (1 << this.#random.below(8));
    return spoilt;
  }

  #oneOf<T>(values: readonly T[]): T {
    return values[this.#random.below(values.length)] as T;
  }
}

class PoisonedConnection implements Connection {
  readonly #inner: Connection;
  readonly #spoil: (frame: Frame) => readonly Uint8Array[];
  readonly #reader = new FrameReader(bodyBytesMax + payloadBytesMax);
  #greetingsLeft: number;

  constructor(
    inner: Connection,
    greetings: number,
    spoil: (frame: Frame) => readonly Uint8Array[],
  ) {
    this.#inner = inner;
    this.#greetingsLeft = greetings;
    this.#spoil = spoil;
  }

  get remote(): string {
    return this.#inner.remote;
  }

  get unsentBytes(): number {
    return this.#inner.unsentBytes;
  }

  start(events: ConnectionEvents): void {
    this.#inner.start(events);
  }

  send(views: readonly Uint8Array[], sent?: () => void): void {
    const frames: Uint8Array[] = [];
    this.#reader.push(concatBytes(views), (frame) => {
      if (this.#greetingsLeft > 0) {
        this.#greetingsLeft--;
        frames.push(...encodeFrame(frame.body, [frame.payload]));
      } else frames.push(...this.#spoil(frame));
    });
    this.#inner.send(frames.length === 0 ? [emptyBytes] : frames, sent);
  }

  pause(): void {
    this.#inner.pause();
  }

  resume(): void {
    this.#inner.resume();
  }

  close(): void {
    this.#inner.close();
  }
}

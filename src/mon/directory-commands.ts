// What the operator does to users, accounts, their keys and quotas. Each command is done when the directory that has it is
// durable; it is refused, with nothing changed, where it names what is not there or has no room.

import { formatHex } from '../base/bytes.ts';
import type { Env } from '../env/env.ts';
import {
  type Directory,
  directoryBytesMax,
  encodeDirectory,
  type Quota,
} from '../map/directory.ts';
import { MonError } from './errors.ts';
import type { Command } from './state.ts';
import {
  type NewKey,
  withAccount,
  withAdmin,
  withAllKeys,
  withKey,
  withKeyState,
  withoutAccount,
  withoutUser,
  withQuota,
  withUser,
} from './users.ts';

/** Every command throws `MonError`. */
export class DirectoryCommands {
  readonly #env: Env;
  readonly #command: Command;

  constructor(env: Env, command: Command) {
    this.#env = env;
    this.#command = command;
  }

  async #change(edit: (directory: Directory) => Directory): Promise<void> {
    await this.#command((state) => {
      const edited = edit(state.directory);
      const directory = { ...edited, revision: state.directory.revision + 1 };
      if (encodeDirectory(directory).length > directoryBytesMax)
        throw new MonError('refused', 'the directory of users would be too large');
      return { ...state, directory };
    });
  }

  #newKey(): NewKey {
    const { secrets } = this.#env;
    return {
      accessKey: `HF${formatHex(secrets.bytes(9)).toUpperCase()}`,
      secretKey: formatHex(secrets.bytes(20)),
    };
  }

  get #nowMs(): number {
    return Math.floor(this.#env.wall.nowMs());
  }

  async createUser(wish: {
    readonly name: string;
    readonly email: string;
    readonly isAdmin: boolean;
  }): Promise<NewKey & { readonly name: string }> {
    const key = this.#newKey();
    const nowMs = this.#nowMs;
    await this.#change((directory) => withUser(directory, { ...wish, ...key }, nowMs));
    return { name: wish.name, ...key };
  }

  async createAccount(wish: {
    readonly name: string;
    readonly email: string;
  }): Promise<NewKey & { readonly name: string; readonly account: string }> {
    const key = this.#newKey();
    const nowMs = this.#nowMs;
    let id = '';
    await this.#change((directory) => {
      const isTaken = (): boolean =>
        id === '' || directory.accounts.some((account) => account.id === id);
      const digits = (count: number): string =>
        String(this.#env.random.below(10 ** count)).padStart(count, '0');
      while (isTaken()) id = `1${digits(5)}${digits(6)}`;
      return withAccount(directory, { ...wish, ...key, id }, nowMs);
    });
    return { name: wish.name, account: id, ...key };
  }

  removeUser(name: string): Promise<void> {
    return this.#change((directory) => withoutUser(directory, name));
  }

  removeAccount(name: string): Promise<void> {
    return this.#change((directory) => withoutAccount(directory, name));
  }

  async createKey(name: string): Promise<NewKey> {
    const key = this.#newKey();
    const nowMs = this.#nowMs;
    await this.#change((directory) => withKey(directory, name, key, nowMs));
    return key;
  }

  setKey(name: string, keyId: string, state: 'active' | 'inactive' | 'removed'): Promise<void> {
    return this.#change((directory) => withKeyState(directory, name, keyId, state));
  }

  setAllKeys(name: string, active: boolean): Promise<void> {
    return this.#change((directory) => withAllKeys(directory, name, active));
  }

  setQuota(quota: Quota): Promise<void> {
    return this.#change((directory) => withQuota(directory, quota));
  }

  setAdmin(name: string, isAdmin: boolean): Promise<void> {
    return this.#change((directory) => withAdmin(directory, name, isAdmin));
  }
}

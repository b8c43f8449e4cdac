// Values of flags and arguments: what is wrong is said by what would be right.

import { InvalidArgumentError } from 'commander';
import { parseHostPort } from '../host/addresses.ts';
import { parseGeometry } from '../map/geometry.ts';

export function parseWhole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is needed.`);
    return value;
  };
}

export function parseAddress(text: string): string {
  if (parseHostPort(text) === undefined)
    throw new InvalidArgumentError('host:port is needed, for example 127.0.0.1:7480.');
  return text;
}

export function parseErasure(text: string): string {
  if (!text.includes('+') || parseGeometry(text) === undefined)
    throw new InvalidArgumentError(
      'K+M is needed with K from 1 to 16 and M from 1 to 4, for example 3+2.',
    );
  return text;
}

export function parseCopies(text: string): string {
  if (!text.includes('/') || parseGeometry(text) === undefined)
    throw new InvalidArgumentError(
      'COPIES/MIN is needed with MIN from 1 to COPIES, for example 3/2.',
    );
  return text;
}

/** `20MiB`, `500KiB`, or a plain number; undefined: none of these. */
function bytesIn(text: string): number | undefined {
  const match = /^(\d{1,9})(KiB|MiB|GiB)?$/.exec(text);
  if (match === null) return undefined;
  const unit = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  return Number(match[1]) * (match[2] === undefined ? 1 : unit[match[2] as keyof typeof unit]);
}

export function parseByteRate(text: string): number {
  const bytes = bytesIn(text);
  if (bytes === undefined)
    throw new InvalidArgumentError('bytes a second are needed, for example 20MiB, or 0.');
  return bytes;
}

export function parseByteSize(text: string): number {
  const bytes = bytesIn(text);
  if (bytes === undefined)
    throw new InvalidArgumentError('bytes are needed, for example 4KiB, or 0.');
  return bytes;
}

export function parseOsdName(text: string, before: readonly number[] | undefined): number[] {
  const match = /^(?:osd\.)?(\d{1,6})$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError('the number of an OSD is needed, for example 3 or osd.3.');
  return [...(before ?? []), Number(match[1])];
}

export function parseOneOsd(text: string): number {
  return parseOsdName(text, undefined)[0] as number;
}

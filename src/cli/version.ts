import { readFileSync } from 'node:fs';

let version: string | undefined;

/** Of package.json, which stands two folders above the compiled file as above the source. */
export function productVersion(): string {
  version ??= String(
    JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
  );
  return version;
}

// The `Range` header: one range of bytes, from, to, or counted from the end. Anything else (several
// ranges, other units, nonsense) is ignored, as RFC 9110 allows and S3 does: the whole is sent.

export type RangeAnswer =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly beginBytes: number; readonly endBytes: number }
  | { readonly kind: 'unsatisfiable' };

/** `endBytes` is exclusive; a `part` is never empty. */
export function resolveRange(header: string | undefined, sizeBytes: number): RangeAnswer {
  if (header === undefined) return { kind: 'whole' };
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header.replaceAll(' ', ''));
  if (match === null || (match[1] === '' && match[2] === '')) return { kind: 'whole' };
  if (match[1] === '') {
    const suffix = Number(match[2]);
    if (suffix === 0 || sizeBytes === 0) return { kind: 'unsatisfiable' };
    return { kind: 'part', beginBytes: Math.max(0, sizeBytes - suffix), endBytes: sizeBytes };
  }
  const begin = Number(match[1]);
  const last = match[2] === '' ? sizeBytes - 1 : Number(match[2]);
  if (match[2] !== '' && last < begin) return { kind: 'whole' };
  if (begin >= sizeBytes) return { kind: 'unsatisfiable' };
  return { kind: 'part', beginBytes: begin, endBytes: Math.min(last + 1, sizeBytes) };
}

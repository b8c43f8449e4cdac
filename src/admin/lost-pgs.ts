// Placement groups that are lost, in the admin API: what has data in them, and how they begin again. Judged by the
// monitor over the whole set that is named; refused until the loss is named, with what is lost by name.
//
//   POST   /v1/pgs/names          {pgs, after}: some of what has data there
//   POST   /v1/pgs/mark-lost      {pgs, acceptedBy, names, acceptLoss}
//   POST   /v1/pgs/force-create   the same
//   POST   /v1/pgs/forget-loss    {pgs}

import { isPgId, type PgId } from '../base/ids.ts';
import type { BucketControl, MonitorControl } from './control.ts';
import { AdminError } from './errors.ts';
import { requireAccepted } from './loss.ts';
import { type Fields, optionalText, textField, textsField } from './requests.ts';
import type { NamesShown } from './views.ts';

/** More lines help nobody on a terminal; all are in the file that the command writes. */
const linesShownMax = 20;
const lineCharactersMax = 1500;

const acceptedByCharactersMax = 100;

export async function postPgs(
  monitor: MonitorControl,
  buckets: () => BucketControl,
  rest: readonly string[],
  fields: Fields,
): Promise<object> {
  const [command, ...more] = rest;
  switch (more.length === 0 ? command : undefined) {
    case 'names':
      return buckets().nameLosses(
        new Set(pgsField(monitor, fields)),
        optionalText(fields, 'after') ?? '',
      );
    case 'mark-lost':
    case 'force-create': {
      const kind = command as 'mark-lost' | 'force-create';
      const pgs = pgsField(monitor, fields);
      const names = namesField(fields);
      const acceptedBy = acceptedByField(fields);
      const accepted = optionalText(fields, 'acceptLoss');
      const what = `${kind} of ${pgs.join(' ')}`;
      await monitor.losses.beginAgain(pgs, { kind, acceptedBy }, ({ lines, advice }) =>
        requireAccepted(what, [...lines, ...linesOf(names)], accepted, advice),
      );
      return { pgs };
    }
    case 'forget-loss': {
      const pgs = pgsField(monitor, fields);
      await monitor.losses.forgetLosses(pgs);
      return { pgs };
    }
    default:
      throw new AdminError('not-found', `no /v1/pgs/${rest.join('/')}`);
  }
}

/** In order, each once: the list that is named must not depend on how it was typed. */
function pgsField(monitor: MonitorControl, fields: Fields): readonly PgId[] {
  const named = textsField(fields, 'pgs') ?? [];
  if (named.length === 0) throw new AdminError('invalid', 'pgs: name placement groups');
  const known = [...monitor.records.keys()].filter((pg) => named.includes(pg));
  const unknown = named.find((pg) => !isPgId(pg) || !monitor.records.has(pg));
  if (unknown !== undefined) throw new AdminError('not-found', `no placement group ${unknown}`);
  return known;
}

function acceptedByField(fields: Fields): string {
  const name = textField(fields, 'acceptedBy');
  if (!/^[\x21-\x7e][\x20-\x7e]*$/.test(name) || name.length > acceptedByCharactersMax)
    throw new AdminError(
      'invalid',
      `acceptedBy: 1 to ${acceptedByCharactersMax} printable ASCII characters`,
    );
  return name;
}

function namesField(fields: Fields): NamesShown {
  const names = fields.names as Partial<NamesShown> | undefined;
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
  const isLine = (value: unknown): boolean =>
    typeof value === 'string' && value.length <= lineCharactersMax;
  const isRight =
    typeof names === 'object' &&
    names !== null &&
    isCount(names.count) &&
    isCount(names.sizeBytes) &&
    /^[0-9a-f]{64}$/.test(names.digest ?? '') &&
    Array.isArray(names.first) &&
    names.first.length <= linesShownMax &&
    names.first.every(isLine);
  if (!isRight)
    throw new AdminError(
      'invalid',
      'names: count, sizeBytes, digest and the first lines of what has data there, as POST /v1/pgs/names lists it',
    );
  return names as NamesShown;
}

function linesOf({ count, sizeBytes, digest, first }: NamesShown): readonly string[] {
  if (count === 0) return ['no object is known to have data there'];
  const more = count - first.length;
  return [
    `${count} names of what has data there, of ${sizeBytes} bytes (list ${digest.slice(0, 12)}):`,
    ...first.map((line) => `  ${line}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

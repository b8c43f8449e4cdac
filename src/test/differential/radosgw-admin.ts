// Quotas by radosgw's admin operations, asked for by its user `main`, who has the capabilities `users` and `buckets`.

import type { QuotaOrder, Side } from './side.ts';

/** What it takes for no limit. */
const unlimited = -1;

const kib = 1024;

/** Bytes in whole KiB: of buckets it reads nothing finer. */
export async function setQuotaByRadosgw(side: Side, order: QuotaOrder): Promise<void> {
  const { kind, name, owner, bytes, objects = unlimited } = order;
  const sizeKib = bytes === undefined ? unlimited : Math.ceil(bytes / kib);
  const { status, body } = await side.send({
    ...{ action: 'SetQuota', method: 'PUT', path: `/admin/${kind}`, name: 'quota' },
    query: {
      ...{ quota: '', uid: kind === 'user' ? name : owner },
      ...(kind === 'user' ? { 'quota-type': 'user' } : { bucket: name }),
      ...{ 'max-size-kb': String(sizeKib), 'max-objects': String(objects) },
      enabled: String(sizeKib !== unlimited || objects !== unlimited),
    },
  });
  if (status !== 200) throw new Error(`quota of ${name}: ${status} ${Buffer.from(body)}`);
}

// Rare branches that runs must reach: a promise nobody ever waits out is a promise nobody tests. Each mark is
// the fixed phrase of a log line that is written there, at level debug where no person would care; the
// simulator counts all lines by phrase, whatever their level.

export const marks: readonly string[] = [
  // Membership and taking over.
  'members dropped',
  'earlier promises waited out',
  'log of another member adopted',
  'unfinished puts given up',
  'unfinished puts completed',
  'proposal refused',
  'osd down',
  'log too old to lead',
  // Recovery.
  'member begins anew',
  'member caught up by log',
  'blob pushed',
  'data of another shard set aside',
  'placement group in the trash',
  'placement group out of the trash',
  // Clients.
  'request answered again',
  'write refused below the floor',
  // S3.
  'a shard of an index is split',
  // Damage.
  'damaged shard',
  'shard repaired',
  'row repaired',
  'object lost',
  'disk older than it was',
  'map store restored from what the OSDs know',
  'scrub ended',
  // Connections.
  'link broke',
  'connection refused',
];

/** Marks that were never reached. */
export function unreached(logged: Readonly<Record<string, number>>): readonly string[] {
  return marks.filter((mark) => (logged[mark] ?? 0) === 0);
}

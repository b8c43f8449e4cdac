// Rare branches that runs must reach: a promise nobody ever waits out is a promise nobody tests. Each mark is
// the fixed phrase of a log line that is written there, at level debug where no person would care; the
// simulator counts all lines by phrase, whatever their level. Beside it stands the directed scenario that reaches it
// whatever the seeds do, so that a change which shifts them can't leave a branch out (scenarios.test.ts).

const scenarioOfMark: Readonly<Record<string, string>> = {
  // Membership and taking over.
  'members dropped': 'answered-below-the-floor',
  'earlier promises waited out': 'elected-too-early',
  'log of another member adopted': 'yesterdays-disk',
  'unfinished puts given up': 'unfinished-put',
  'unfinished puts completed': 'put-lost-at-a-takeover',
  'proposal refused': 'planned-hand-over',
  'osd down': 'frozen-osd',
  'log too old to lead': 'log-too-old-to-lead',
  'record that the monitor does not say': 'word-of-the-monitor',
  'record of a peer overruled': 'word-of-the-monitor',
  // Recovery.
  'member begins anew': 'same-sequence',
  'member caught up by log': 'primary-cut-off',
  'backfill goes on where it was': 'backfill-goes-on',
  'blob pushed': 'bad-and-lost-disks',
  'data of another shard set aside': 'shards-of-an-old-place',
  'placement group in the trash': 'trash-comes-back',
  'placement group out of the trash': 'trash-comes-back',
  // Clients.
  'request answered again': 'answer-lost-by-catching-up',
  'write refused below the floor': 'joining-does-not-count',
  // Hand-overs.
  'name handed over': 'names-handed-over',
  'names handed over': 'names-handed-over',
  'frozen name stays': 'name-turned-back',
  'name arrived': 'turned-back-on-arrival',
  'moved name served again': 'lost-where-it-went',
  // S3.
  'a shard of an index is split': 'index-splits',
  // Damage.
  'superblock read from its copy': 'torn-superblock',
  'damaged shard': 'bad-and-lost-disks',
  'shard repaired': 'bad-and-lost-disks',
  'row repaired': 'rotten-primary',
  'object lost': 'lost-object',
  'disk older than it was': 'most-disks-of-yesterday',
  'map store restored from what the OSDs know': 'older-map-store',
  'scrub ended': 'bad-and-lost-disks',
  // Connections.
  'link broke': 'primary-cut-off',
  'connection refused': 'frozen-osd',
};

/** Each mark, and the scenario that reaches it alone. */
export const marks: ReadonlyMap<string, string> = new Map(Object.entries(scenarioOfMark));

/** Marks that were never reached. */
export function unreached(logged: Readonly<Record<string, number>>): readonly string[] {
  return [...marks.keys()].filter((mark) => (logged[mark] ?? 0) === 0);
}

// Cluster-wide settings: kept in the map, so that everybody acts on the same. Each has a default that suits most,
// a range, and a unit in its name.

import type { ClusterMap } from './cluster-map.ts';

export interface SettingFacts {
  readonly name: string;
  readonly defaultValue: number;
  readonly least: number;
  readonly most: number;
  readonly meaning: string;
}

export const settings = [
  {
    name: 'osd_out_after_seconds',
    defaultValue: 600,
    least: 10,
    most: 30 * 86_400,
    meaning: 'down for so long, an OSD is marked out and what it held is made anew elsewhere',
  },
  {
    name: 'pool_trash_hours',
    defaultValue: 24,
    least: 0,
    most: 24 * 365,
    meaning: 'how long a removed pool can be brought back',
  },
  {
    name: 'recovery_share_percent',
    defaultValue: 50,
    least: 1,
    most: 100,
    meaning:
      'of its time that recovery works beside clients; without clients it works all the time',
  },
  {
    name: 'scrub_share_percent',
    defaultValue: 20,
    least: 1,
    most: 100,
    meaning: 'of its time that a scrub works beside clients',
  },
  {
    name: 'bucket_trash_hours',
    defaultValue: 24,
    least: 0,
    most: 24 * 365,
    meaning: 'how long a bucket that is removed from now on can be brought back',
  },
  {
    name: 'confirm_reads',
    defaultValue: 0,
    least: 0,
    most: 1,
    meaning:
      '1: each read is confirmed with all members, for virtual machines that may be paused with all their clocks',
  },
] as const satisfies readonly SettingFacts[];

export type SettingName = (typeof settings)[number]['name'];

export function factsOfSetting(name: string): SettingFacts | undefined {
  return settings.find((each) => each.name === name);
}

/** A value that the map has and that is out of range counts as not there; without a map all have their defaults. */
export function settingOf(map: ClusterMap | undefined, name: SettingName): number {
  const facts = factsOfSetting(name) as SettingFacts;
  const value = Number(map?.settings.find((each) => each.name === name)?.value ?? Number.NaN);
  return settingFault(facts, value) === undefined ? value : facts.defaultValue;
}

/** Why the value can't be taken, as a sentence; undefined when it can. */
export function settingFault(facts: SettingFacts, value: number): string | undefined {
  if (Number.isSafeInteger(value) && value >= facts.least && value <= facts.most) return undefined;
  return `${facts.name} is a whole number from ${facts.least} to ${facts.most}`;
}

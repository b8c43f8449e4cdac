// Ceph's rules, where the story turned on them: replacements in the sources, applied to a scratch copy by
// src/bin/scratch-build.ts, as planted bugs are. The product holds no switch for any of them. A change of the product
// that moves the text fails rules-ceph.test.ts: move the patch along.

import type { Patch } from '../teeth/teeth.ts';

export interface CephRule {
  /** What Ceph 16 does, in words. */
  readonly name: string;
  readonly patches: readonly Patch[];
}

const monitor = 'src/mon/monitor.ts';
const osd = 'src/osd/osd.ts';
const link = 'src/osd/link.ts';

/** The stripe of the profile that the pool was made with, 2 chunks of 64 KiB: it stays what it was. */
const stripeBytes = 2 * 64 * 1024;

export const cephRules: readonly CephRule[] = [
  {
    name: 'this build says whose rules it plays by',
    patches: [
      {
        file: 'src/sim/post-mortem/rules.ts',
        find: "'holdfast' as Rules",
        replace: "'ceph' as Rules",
      },
    ],
  },
  {
    name: 'who is down is marked out, however many are, and whether or not there is room',
    patches: [
      {
        file: monitor,
        find: "const outAfterMs = settingOf(this.#state.map, 'osd_out_after_seconds') * 1000;",
        replace: 'const outAfterMs = 0;',
      },
      {
        file: 'src/mon/out-policy.ts',
        find: 'const reason = reasonToHold(facts, osd);',
        replace: 'const reason: string | undefined = undefined;',
      },
    ],
  },
  {
    name: 'who flaps takes part again at once',
    patches: [
      {
        file: monitor,
        find: 'if (until !== undefined && isMissed && !this.#isNeeded(osd)) {',
        replace: 'if (until !== undefined && isMissed && until < 0) {',
      },
    ],
  },
  {
    name: 'recovery takes the memory it takes',
    patches: [
      { file: osd, find: 'const recoveriesAtOnce = 4;', replace: 'const recoveriesAtOnce = 1e6;' },
      { file: link, find: 'const pushesAtOnce = 2;', replace: 'const pushesAtOnce = 1e4;' },
      { file: link, find: 'const catchUpsAtOnce = 2;', replace: 'const catchUpsAtOnce = 1e4;' },
      {
        file: link,
        find: "tenure, limit: 32 }, 'wanted');",
        replace: "tenure, limit: 10_000 }, 'wanted');",
      },
      {
        file: 'src/osd/share.ts',
        find: 'if (restMs > 0) await sleep',
        replace: 'if (restMs < 0) await sleep',
      },
      {
        file: 'src/osd/memory-guard.ts',
        find: 'if (!this.#isStopped && permille >= recoveryStopsPermille) {',
        replace: 'if (!this.#isStopped && permille < 0) {',
      },
      {
        file: 'src/osd/memory-guard.ts',
        find: 'return this.#permille >= putsSlowPermille;',
        replace: 'return this.#permille < 0;',
      },
      {
        file: 'src/net/session.ts',
        find: 'const handlingBytesMax = 12 * 1024 * 1024;',
        replace: 'const handlingBytesMax = 1e15;',
      },
    ],
  },
  {
    name: 'below min_size a placement group takes no writes, and nobody stands in',
    patches: [
      {
        file: 'src/mon/layout-tender.ts',
        find: 'const step = interimStep(state, pool);',
        replace: 'const step = state.map.epoch < 0 ? interimStep(state, pool) : undefined;',
      },
      {
        file: 'src/mon/planner.ts',
        find: "if (layout.geometry.kind !== 'copies') return target;",
        replace: 'if (record.version >= 0) return target;',
      },
    ],
  },
  {
    name: 'disks are given up one by one, and nobody asks what they hold together',
    patches: [
      {
        file: 'src/mon/loss-commands.ts',
        find: 'accept(lossesOfDestroying(state, ids));',
        replace: 'accept([]);',
      },
    ],
  },
  {
    name: 'a profile that was edited in place is acted on, and an OSD dies as it starts a group of it',
    patches: [
      {
        file: 'src/net/mon-link.ts',
        find: 'const fault = mapFault(map) ?? (known === undefined ? undefined : successorFault(known, map));',
        replace: 'const fault = mapFault(map);',
      },
      {
        file: osd,
        find: 'this.#world.mon.remember(this.#keptMap, records);\n  }',
        replace: `this.#world.mon.remember(this.#keptMap, records);
    for (const member of this.#members.values()) this.#requireStripes(member);
  }

  #requireStripes(member: Member): void {
    const geometry = member.layout()?.geometry;
    if (geometry?.kind !== 'erasure' || ${stripeBytes} % geometry.k === 0) return;
    throw new Error('ECUtil.h: 34: FAILED ceph_assert(stripe_width % stripe_size == 0)');
  }`,
      },
      {
        file: osd,
        find: 'const member = new Member(this.#world, disk);',
        replace: `const member = new Member(this.#world, disk);
    this.#env.tasks.spawn('load_pgs', async () => this.#requireStripes(member));`,
      },
    ],
  },
];

export const cephPatches: readonly Patch[] = cephRules.flatMap(({ patches }) => patches);

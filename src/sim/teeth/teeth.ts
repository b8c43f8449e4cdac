// Planted bugs: what the simulator must catch, or it is blind there. Each is a few replacements in the
// sources, applied to a scratch copy by src/bin/sim-teeth.ts; product code holds none. `find` must stand in
// the file exactly once, so that a patch which no longer applies fails instead of testing nothing.

export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Tooth {
  readonly name: string;
  /** Rules of the protocol, or promises, that it breaks. */
  readonly breaks: string;
  readonly patches: readonly Patch[];
  /** Directed scenarios that must catch it; without, seeds must. */
  readonly scenario?: string;
}

const primary = 'src/osd/primary.ts';
const member = 'src/osd/member.ts';
const link = 'src/osd/link.ts';
const disk = 'src/osd/pg-disk.ts';
const osd = 'src/osd/osd.ts';
const store = 'src/store/object-store.ts';
const handover = 'src/osd/handover.ts';
const places = 'src/client/places.ts';

export const teeth: readonly Tooth[] = [
  {
    name: 'a promise counts from its answer',
    breaks: 'rule 6 ✱',
    patches: [
      {
        file: osd,
        find: 'const until = (this.#env.clock.now() + holderLeaseMs) as Instant;\n    const aheadMs',
        replace: 'let until = this.#env.clock.now();\n    const aheadMs',
      },
      {
        file: osd,
        find: 'for (const { pg, tenure } of answer.message.items) {',
        replace:
          'until = (this.#env.clock.now() + holderLeaseMs) as Instant;\n        for (const { pg, tenure } of answer.message.items) {',
      },
    ],
    scenario: 'late-answer-of-a-member',
  },
  {
    name: 'a promise is given to whoever asks',
    breaks: 'rule 6 ✱',
    patches: [
      {
        file: osd,
        find: 'if (member === undefined || member.disk.tenure !== tenure || member.record.tenure > tenure)',
        replace: 'if (member === undefined)',
      },
      {
        file: osd,
        find: 'if (member.record.primary !== session.peer.uuid) return false;\n',
        replace: '',
      },
    ],
    scenario: 'deposed-unheard',
  },
  {
    name: 'reads are served without promises',
    breaks: 'rule 7',
    patches: [
      {
        file: primary,
        find: 'if (link.promisedUntil <= now) return false;',
        replace: 'if (link.promisedUntil <= now && now <= 0) return false;',
      },
    ],
  },
  {
    name: 'a start does not wait for the promises of its earlier life',
    breaks: 'rule 8 ✱',
    patches: [
      { file: osd, find: 'giverLeaseMs) as Instant;', replace: '0 * giverLeaseMs) as Instant;' },
    ],
    scenario: 'restart-forgets-promises',
  },
  {
    name: 'a new primary does not wait out what it promised',
    breaks: 'rules 8 and 9 ✱',
    patches: [
      {
        file: primary,
        find: 'promises.remainingMs(this.pg, self.uuid),',
        replace: '0 * promises.remainingMs(this.pg, self.uuid),',
      },
    ],
    scenario: 'elected-too-early',
  },
  {
    name: 'a candidate is promoted and not waited for',
    breaks: 'rules 7 and 17',
    patches: [
      { file: primary, find: 'link.isPromoting = true;', replace: 'link.isPromoting = false;' },
    ],
    scenario: 'promotion-unheard',
  },
  {
    name: 'a promotion is proposed before the candidate has promised',
    breaks: 'rule 10 ✱',
    patches: [
      {
        file: primary,
        find: '(link.acked < head || link.promisedUntil <= this.world.env.clock.now())',
        replace: 'link.acked < head',
      },
      {
        file: primary,
        find: 'link.acked >= head &&\n      link.promisedUntil > this.world.env.clock.now();',
        replace: 'link.acked >= head;',
      },
    ],
    scenario: 'promoted-on-its-promise',
  },
  {
    name: 'a proposal without an answer counts as failed',
    breaks: 'rule 12 ✱',
    patches: [
      {
        file: primary,
        find: 'if (!(error instanceof NetError)) throw error;',
        replace:
          "if (!(error instanceof NetError)) throw error;\n          if (this.#tenure > 0) return { kind: 'refused' };",
      },
    ],
    scenario: 'promotion-unheard',
  },
  {
    name: 'a primary serves before its tenure is established',
    breaks: 'rule 13 ✱',
    patches: [
      {
        file: primary,
        find: "      this.#waiting = 'its tenure to be established';\n      const nonce",
        replace:
          "      this.#waiting = 'its tenure to be established';\n      if (this.#record.version > 1) {\n        this.#tenure = this.#record.tenure + 1;\n        return;\n      }\n      const nonce",
      },
    ],
  },
  {
    name: 'a primary that restarts goes on under its old tenure',
    breaks: 'rule 1 ✱',
    patches: [
      {
        file: primary,
        find: 'const outcome = await this.#propose((record) => establish(record, nonce));',
        replace: `const wasOurs = (record: PgRecord): boolean =>
        this.disk.tenure === record.tenure &&
        this.disk.record.primary === this.world.self.uuid;
      const outcome = await this.#propose((record) => ({
        ...establish(record, nonce),
        ...(wasOurs(record) ? { tenure: record.tenure } : {}),
      }));`,
      },
    ],
    scenario: 'name-used-again',
  },
  {
    name: 'a tenure is reported before it is durable',
    breaks: 'rule 19 ✱',
    patches: [
      {
        file: member,
        find: 'await this.disk.accept(record.tenure, kept, holdsOtherShard);',
        replace: 'this.disk.accept(record.tenure, kept, holdsOtherShard).catch(() => {});',
      },
    ],
    scenario: 'tenure-forgotten',
  },
  {
    name: "the primary's own log wins",
    breaks: 'rule 19 ✱',
    patches: [
      {
        file: primary,
        find: 'if (link === undefined || compareVersions(head, target) <= 0) continue;',
        replace: 'if (link === undefined || compareVersions(head, target) <= 1e15) continue;',
      },
    ],
    scenario: 'yesterdays-disk',
  },
  {
    name: 'trust a disk that came back older',
    breaks: 'rule 21: a majority of old disks serves what it has',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'if (message.sequence < reached || message.lostGroups > 0)',
        replace: 'if (message.lostGroups > 0)',
      },
    ],
    scenario: 'most-disks-of-yesterday',
  },
  {
    name: 'go on with an older map store',
    breaks: 'rule 22: what happened since the copy is forgotten',
    patches: [
      {
        file: 'src/mon/store-witness.ts',
        find: 'else if (seen.revision > own.revision)',
        replace: 'else if (seen.revision < 0)',
      },
    ],
    scenario: 'older-map-store',
  },
  {
    name: 'a tenure is not compared',
    breaks: 'rules 1 ✱ and 19',
    patches: [
      { file: member, find: 'if (tenure !== this.disk.tenure)', replace: 'if (tenure < 0)' },
      {
        file: member,
        find: 'if (this.disk.record.primary !== from)',
        replace: 'if (this.disk.record.primary === undefined)',
      },
    ],
    scenario: 'entry-of-a-deposed-primary',
  },
  {
    name: 'reads of what is not committed',
    breaks: 'rule 3 ✱',
    patches: [
      {
        file: primary,
        find: '    else {\n      await this.#untilStable(sequence);',
        replace: '    else {\n      if (sequence < 0) await this.#untilStable(sequence);',
      },
    ],
    scenario: 'read-of-the-uncommitted',
  },
  {
    name: 'a request that comes again is answered before it is committed',
    breaks: 'rule 3 ✱',
    patches: [
      { file: primary, find: 'await this.#untilCommitted(answer.sequence);\n', replace: '' },
    ],
    scenario: 'answered-below-the-floor',
  },
  {
    name: 'blobs are read before they are stable',
    breaks: 'rule 3 ✱',
    patches: [
      {
        file: primary,
        find: 'if (pending !== undefined) await this.#untilStable(pending);',
        replace: '',
      },
    ],
    scenario: 'blob-of-the-uncommitted',
  },
  {
    name: 'a blob is looked for after what is pending of it was',
    breaks: 'rule 3 ✱',
    patches: [
      {
        file: primary,
        find: '    const listing = await this.#shards.listingOf(message.blob);\n    // After the look: it may have met what was ordered beside it, which others have yet to store (rule 3).\n    await this.#untilSettled(message.blob);\n',
        replace:
          '    await this.#untilSettled(message.blob);\n    const listing = await this.#shards.listingOf(message.blob);\n',
      },
    ],
    scenario: 'read-beside-a-put',
  },
  {
    name: 'a new primary serves before its tail is confirmed',
    breaks: 'rule 3 ✱',
    patches: [
      {
        file: primary,
        find: 'link.isLive && link.isComplete && link.acked >= head,',
        replace: 'link.isLive || link.acked >= head || head >= 0,',
      },
    ],
    scenario: 'unconfirmed-tail',
  },
  {
    name: 'a member acknowledges before its disk has it',
    breaks: 'rule 1',
    patches: [
      { file: member, find: '    await durable;\n', replace: '    durable.catch(() => {});\n' },
    ],
  },
  {
    name: 'the primary does not wait for its own disk',
    breaks: 'rule 1',
    patches: [
      {
        file: primary,
        find: 'let stable = this.#durable;',
        replace: 'let stable = this.disk.head.sequence;',
      },
    ],
    scenario: 'primary-in-memory',
  },
  {
    name: 'a slow member is not waited for',
    breaks: 'rule 1',
    patches: [
      {
        file: primary,
        find: 'stable = Math.min(stable, link.acked);',
        replace: 'stable = Math.min(stable, link.acked + 1);',
      },
    ],
  },
  {
    name: 'a head in memory counts as durable',
    breaks: 'rule 1',
    patches: [
      {
        file: member,
        find: '        await this.disk.flushed();\n        return head;',
        replace: '        return head;',
      },
    ],
    scenario: 'head-in-memory',
  },
  {
    name: 'writes are acknowledged below the write floor',
    breaks: 'rules 2 and 14',
    patches: [
      {
        file: primary,
        find: 'if (map !== undefined && hasWriteFloor(this.#record, this.layout, map)) return undefined;',
        replace:
          'if (map !== undefined && hasWriteFloor(this.#record, this.layout, map) !== null) return undefined;',
      },
    ],
  },
  {
    name: 'in-sync falls below its floor',
    breaks: 'rule 15',
    patches: [
      {
        file: 'src/map/pg-record.ts',
        find: "if (!hasRecordFloor([...left, ...slotsIn(before, 'rolled-back')], layout)) return undefined;",
        replace: 'if (left.length === 0) return undefined;',
      },
      {
        file: 'src/map/pg-record.ts',
        find: 'if (!wasLost || left) return',
        replace: 'if (inSync.length === 0) return',
      },
    ],
    scenario: 'last-holders-stay',
  },
  {
    name: 'who holds everything aside is not elected when all in-sync are given up',
    breaks: 'rule 14',
    patches: [
      {
        file: 'src/map/pg-record.ts',
        find: 'slots = slots.map(\n      (slot): Slot => (slot.state === ',
        replace: 'slots.map(\n      (slot): Slot => (slot.state === ',
      },
    ],
    scenario: 'answered-below-the-floor',
  },
  {
    name: 'who left below the floor is of no use to a group whose disk was replaced before',
    breaks: 'rule 14',
    patches: [
      {
        file: 'src/mon/planner.ts',
        find: 'const left = withoutReplaced(record, layout, byUuid);',
        replace: 'const left = record;',
      },
    ],
    scenario: 'replaced-before-one-went-aside',
  },
  {
    name: 'who holds everything aside joins though nobody could fill it',
    breaks: 'rule 14',
    patches: [
      {
        file: 'src/mon/planner.ts',
        find: "return ({ state }) => isDown && state === 'eligible';",
        replace: "return ({ state }) => isDown && state === 'in-sync';",
      },
    ],
    scenario: 'answered-below-the-floor',
  },
  {
    name: 'a joining member is elected',
    breaks: 'only in-sync becomes primary',
    patches: [
      {
        file: 'src/mon/planner.ts',
        find: "const inSync = slotsIn(record, 'in-sync').filter((slot) => isUp(slot.uuid));",
        replace: 'const inSync = record.slots.filter((slot) => isUp(slot.uuid));',
      },
    ],
  },
  {
    name: 'a member is promoted before the last missing blob',
    breaks: 'rule 17',
    patches: [
      {
        file: link,
        find: 'else if (await this.#pushMissing()) {',
        replace: 'else if ((await this.#pushMissing()) || isFilled) {',
      },
    ],
  },
  {
    name: 'catching up by log leaves out an entry',
    breaks: 'rules 19 and 23',
    patches: [
      {
        file: link,
        find: '      if (shardBytes > catchUpBytesMax) break;\n',
        replace:
          '      if (shardBytes > catchUpBytesMax) break;\n      if (entry === entries.at(-1) && entries.length > 1) {\n        last = entry.version.sequence;\n        break;\n      }\n',
      },
    ],
  },
  {
    name: 'logs meet where a sequence stands in both',
    breaks: 'rule 23',
    patches: [
      {
        file: link,
        find: 'equalVersions(ours, head) &&',
        replace: 'ours.sequence === head.sequence &&',
      },
    ],
    scenario: 'same-sequence',
  },
  {
    name: 'a request that comes twice is done twice',
    breaks: 'rule 5',
    patches: [
      {
        file: primary,
        find: "if (answer === 'forgotten') throw",
        replace:
          "if (answer !== 'forgotten') return undefined;\n    if (answer === 'forgotten') throw",
      },
    ],
  },
  {
    name: 'backfill forgets a row',
    breaks: 'rule 24',
    patches: [
      {
        file: link,
        find: 'const rows = slice.rows.map(([key, value]) => ({ key, value }));',
        replace: 'const rows = slice.rows.slice(0, -1).map(([key, value]) => ({ key, value }));',
      },
    ],
  },
  {
    name: 'backfill forgets what was deleted',
    breaks: 'rule 24',
    patches: [
      {
        file: disk,
        find: 'if (!wantedBlobs.has(nameOf(blobKey(0, blob))))',
        replace: 'if (wantedBlobs.size > 1e9)',
      },
      {
        file: disk,
        find: 'if (!wantedRows.has(nameOf(key))) this.#removeRow(transaction, key);',
        replace: 'if (wantedRows.size > 1e9) this.#removeRow(transaction, key);',
      },
    ],
    scenario: 'deleted-while-away',
  },
  {
    name: 'shards of an old place pass for those of the new one',
    breaks: 'promise P1',
    patches: [
      {
        file: member,
        find: 'before.index !== after?.index &&',
        replace: 'before.index > 100 &&',
      },
    ],
    scenario: 'shards-of-an-old-place',
  },
  {
    name: 'what a client has ended is not known after a backfill',
    breaks: 'rule 5',
    patches: [
      {
        file: disk,
        find: '    if (row.key[0] === endedPrefix)\n      this.#memoryOf',
        replace: '    if (row.key[0] === 0xff)\n      this.#memoryOf',
      },
    ],
    scenario: 'request-held-back',
  },
  {
    name: 'a step of the clock does not end leases',
    breaks: 'rule 11',
    patches: [
      {
        file: 'src/osd/promises.ts',
        find: 'export const clockStepMsMax = 250;',
        replace: 'export const clockStepMsMax = 1e15;',
      },
    ],
    scenario: 'suspended-machine',
  },
  {
    name: 'reads are told before members have confirmed them',
    breaks: 'rule 11',
    patches: [
      {
        file: 'src/osd/primary.ts',
        find: '    await this.#confirmations.join();\n',
        replace: '    void this.#confirmations.join().catch(() => undefined);\n',
      },
    ],
    scenario: 'paused-with-its-clocks',
  },
  {
    name: 'who was dropped leaves the record when another takes its place',
    breaks: 'rule 16',
    patches: [
      {
        file: 'src/map/pg-record.ts',
        find: '  if (!mayRetire(before, layout, map)) return undefined;\n  const slots = before.slots.filter(\n    (slot) => isTarget(before, slot, layout) && slot.state ===',
        replace:
          "  if (!mayRetire(before, layout, map) && slotsIn(before, 'joining').length === 0) return undefined;\n  const slots = before.slots.filter(\n    (slot) => isTarget(before, slot, layout) || slot.state ===",
      },
      {
        file: 'src/map/pg-record.ts',
        find: 'undefined && !mayRetire(after, layout, map))',
        replace: 'undefined && after.slots.length === 0)',
      },
    ],
    scenario: 'dropped-yesterday',
  },
  {
    name: 'what left a record is removed at once',
    breaks: 'rule 16',
    patches: [
      {
        file: 'src/osd/trash.ts',
        find: 'const isOld = this.#env.wall.nowMs() - sinceWallMs > trashMsMax;',
        replace: 'const isOld = this.#env.wall.nowMs() - sinceWallMs >= 0 || trashMsMax < 0;',
      },
    ],
    scenario: 'trash-comes-back',
  },
  {
    name: "a primary's own bad rows stay bad",
    breaks: 'rule 26',
    patches: [
      {
        file: primary,
        find: 'if (answer === undefined) continue;\n      await this.member.alone',
        replace:
          'if (answer === undefined || answer.kind === "rows") continue;\n      await this.member.alone',
      },
    ],
    scenario: 'rotten-primary',
  },
  {
    name: 'a backfill leaves out blobs whose description is bad',
    breaks: 'rule 26, promise P1',
    patches: [
      {
        file: link,
        find: 'if (unreadable.length > 0) return slice.end;',
        replace: 'unreadable = [];',
      },
    ],
    scenario: 'rotten-primary',
  },
  {
    name: 'what a disk said in an earlier life is taken for news',
    breaks: 'rule 21: whose disk is older than it was is out of date everywhere, and nobody else',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'if (session.challenge < (this.#sights.get(osd.uuid)?.challenge ?? 0)) {',
        replace: 'if (session.challenge < 0) {',
      },
    ],
    scenario: 'boot-of-an-earlier-life',
  },
  {
    name: 'losses are judged by a map that OSDs refuse',
    breaks: 'promise P3',
    patches: [
      {
        file: 'src/mon/loss-commands.ts',
        find: 'this.#world.requireTakenMap();\n      accept(lossesOfDestroying(state, ids));',
        replace: 'accept(lossesOfDestroying(state, ids));',
      },
    ],
    scenario: 'given-up-by-an-edited-map',
  },
  {
    name: 'layouts are made by a map that OSDs refuse',
    breaks: 'promise P1, decision 25',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'if (taking <= refusing) return;',
        replace: 'if (taking + refusing < 0) return;',
      },
    ],
    scenario: 'laid-out-by-an-edited-map',
  },
  {
    name: 'a pool of copies keeps an interim layout',
    breaks: 'convergence',
    patches: [
      {
        file: 'src/mon/layouts.ts',
        find: 'if (active === own && !isErasure) return undefined;',
        replace: 'if (!isErasure) return undefined;',
      },
    ],
    scenario: 'interim-of-an-edited-map',
  },
  {
    name: 'what goes in one turn is sent by the direction of the next',
    breaks: 'rule 32, promise P1',
    patches: [
      {
        file: 'src/osd/handover.ts',
        find: "if (role?.kind !== 'source' || role.turn !== turn) throw",
        replace: 'if (role === undefined) throw',
      },
    ],
    scenario: 'turned-back-while-asking',
  },
  {
    name: 'an erasure-coded group answers for objects',
    breaks: 'promise P1',
    patches: [
      {
        file: primary,
        find: "if (geometry.kind === 'copies') return;\n    throw",
        replace: 'if (this.#tenure >= 0) return;\n    throw',
      },
    ],
    scenario: 'asked-where-no-objects-are',
  },
  {
    name: 'a map that OSDs refuse is shown to those who know none',
    breaks: 'promise P4',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'return taking > refusing || (refusing === 0 && !hasRun);',
        replace: 'return refusing >= 0 || hasRun;',
      },
    ],
    scenario: 'shown-an-edited-map',
  },
  {
    name: 'while nobody is there to refuse the map everybody is shown it',
    breaks: 'promise P4',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'return taking > refusing || (refusing === 0 && !hasRun);',
        replace: 'return taking > refusing || (refusing === 0 && hasRun !== undefined);',
      },
    ],
    scenario: 'nobody-there-to-refuse-the-map',
  },
  {
    name: 'a primary whose log is too old stays',
    breaks: 'convergence',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'const next = isCurrent ? otherLead(state.map, record, isStopped) : undefined;',
        replace:
          'const next = isCurrent && this.#closed ? otherLead(state.map, record, isStopped) : undefined;',
      },
    ],
    scenario: 'log-too-old-to-lead',
  },
  {
    name: 'a peer that others call down is not asked whether it lives',
    breaks: 'convergence',
    patches: [
      {
        file: 'src/osd/peers.ts',
        find: 'if (session?.isOpen === true) {\n        session\n          .request',
        replace:
          'if (!isExpected) {\n        peer.heardAt = now;\n        continue;\n      }\n      if (session?.isOpen === true) {\n        session\n          .request',
      },
    ],
    scenario: 'frozen-osd',
  },
  {
    name: 'a session that is open counts as a sign of life',
    breaks: 'convergence',
    patches: [
      {
        file: 'src/mon/monitor.ts',
        find: 'const isQuiet = now - heardAt > silenceMs;',
        replace: 'const isQuiet = sight?.session?.isOpen !== true && now - heardAt > silenceMs;',
      },
    ],
    scenario: 'frozen-osd',
  },
  {
    name: 'who says that it can not start a group is asked to lead it',
    breaks: 'convergence',
    patches: [
      {
        file: 'src/mon/even-leads.ts',
        find: ' && !isStopped(osd.uuid, pg);',
        replace: ' && isStopped !== undefined;',
      },
    ],
    scenario: 'lead-of-who-cannot',
  },
  {
    name: 'who has lost what it held does not say that it can not lead',
    breaks: 'convergence (P5)',
    patches: [
      {
        file: osd,
        find: 'if (member?.isWhole !== true) this.#leaveLead(record);',
        replace: 'if (member === undefined) this.#leaveLead(record);',
      },
    ],
    scenario: 'lead-of-who-lost',
  },
  {
    name: 'what is left over of a pool that is gone is called one that can not be led',
    breaks: 'convergence (P5)',
    patches: [
      {
        file: osd,
        find: 'if (mon.map === undefined || !isRetired(pg, mon.map)) found.push(pg);',
        replace: 'found.push(pg);',
      },
    ],
    scenario: 'lost-of-a-removed-pool',
  },
  {
    name: 'a delete fails when the layout of its blob is given up meanwhile',
    breaks: 'convergence (P5)',
    patches: [
      {
        file: 'src/client/cluster-client.ts',
        find: 'if (!isGone()) throw error;',
        replace: 'throw error;',
      },
    ],
    scenario: 'delete-where-all-has-gone',
  },
  {
    name: 'who has lost what it held is asked to lead again',
    breaks: 'convergence (P5)',
    patches: [
      {
        file: osd,
        find: '...this.#incomplete().map(',
        replace: '...this.#incomplete().slice(0, 0).map(',
      },
    ],
    scenario: 'lead-of-who-lost',
  },
  {
    name: 'an object that nobody can read keeps its group from its redundancy',
    breaks: 'convergence (P5)',
    patches: [
      {
        file: link,
        find: 'if (!isLost || this.version < blobLostSince) throw error;',
        replace: 'throw error;',
      },
    ],
    scenario: 'lost-object',
  },
  {
    name: 'a takeover waits for a connection that has ended',
    breaks: 'convergence',
    patches: [
      {
        file: link,
        find: 'this.#wake = resolve;\n      this.#owner.adopted.then(resolve, resolve);',
        replace: 'this.#owner.adopted.then(resolve, resolve);',
      },
    ],
    scenario: 'takeover-waits-for-ever',
  },
  {
    name: 'a put that can not be read at a takeover is called done',
    breaks: 'rule 20, promise P1',
    patches: [
      {
        file: primary,
        find: '?? lastSequence;\n    }\n    throw this.#shards.tooFewShards(facts.blob);',
        replace: '?? lastSequence;\n    }\n    return undefined;',
      },
      {
        file: primary,
        find: 'if (bytes === undefined) throw this.#shards.tooFewShards(blob);',
        replace: 'if (bytes === undefined) continue;',
      },
      {
        file: primary,
        find: "assert(this.disk.missingCount === 0, 'who",
        replace: "assert(this.disk.missingCount >= 0, 'who",
      },
    ],
    scenario: 'put-lost-at-a-takeover',
  },
  {
    name: 'a put that came without its shard leaves no mark',
    breaks: 'rule 20, promise P1',
    patches: [
      {
        file: disk,
        find: 'after.push(() => this.#missing.set(nameOf(blobKey(0, blob)), listing));',
        replace: 'transaction.delete(this.#collection, key);',
      },
    ],
    scenario: 'given-up-half-way',
  },
  {
    name: 'a takeover goes on with whom is left though a put was judged by who is not',
    breaks: 'rule 20, convergence',
    patches: [
      {
        file: primary,
        find: 'if (dropped !== undefined)\n      throw new OsdError(',
        replace: 'if (dropped !== undefined && this.hasEnded)\n      throw new OsdError(',
      },
    ],
    scenario: 'judge-lost-half-way',
  },
  {
    name: 'an entry without its shard counts as a shard',
    breaks: 'rule 20, promise P1',
    patches: [
      {
        file: primary,
        find: 'head.sequence >= sequence && !missing.has(name),',
        replace: 'head.sequence >= sequence && (!missing.has(name) || sequence > 0),',
      },
      {
        file: link,
        find: 'let isFilled = collected.missing === 0;',
        replace: 'let isFilled = collected.missing >= 0;',
      },
    ],
    scenario: 'given-up-half-way',
  },
  {
    name: 'what an in-sync member misses is not filled before it is served from',
    breaks: 'rule 20, promise P1',
    patches: [
      {
        file: link,
        find: 'let isFilled = collected.missing === 0;',
        replace: 'let isFilled = collected.missing >= 0;',
      },
    ],
    scenario: 'deleted-half-way',
  },
  {
    name: 'an answer is lost where the blob is gone already',
    breaks: 'rule 5, no resurrected delete',
    patches: [
      {
        file: disk,
        find: '    this.#applyRequest(transaction, entry, after);\n',
        replace:
          "    if (shard !== undefined || entry.effect.kind !== 'put-blob')\n      this.#applyRequest(transaction, entry, after);\n",
      },
    ],
    scenario: 'answer-lost-by-catching-up',
  },
  {
    name: 'joining disks count for the write floor',
    breaks: 'rule 2',
    patches: [
      {
        file: 'src/map/pg-record.ts',
        find: "return distinctCount(slotsIn(record, 'in-sync'), layout, map) >= writeFloor(layout.geometry);",
        replace:
          "return (\n    distinctCount(\n      record.slots.filter((slot) => slot.state === 'in-sync' || slot.state === 'joining'),\n      layout,\n      map,\n    ) >= writeFloor(layout.geometry)\n  );",
      },
    ],
    scenario: 'joining-does-not-count',
  },
  {
    name: 'a push is taken for what was deleted meanwhile',
    breaks: 'rule 24',
    patches: [
      {
        file: member,
        find: '      if (!wanted) return;\n',
        replace: '      if (!wanted && blob.counter < 0) return;\n',
      },
    ],
    scenario: 'push-overtaken-by-a-delete',
  },
  {
    name: 'what counters say is empty is removed',
    breaks: 'rule 31, promise P1',
    patches: [
      {
        file: primary,
        find: 'const blobs = hasBlobs ? Math.max(1, counts.blobs) : 0;',
        replace: 'const blobs = hasBlobs ? counts.blobs : 0;',
      },
    ],
    scenario: 'layout-called-empty',
  },
  {
    name: 'the write floor goes at once by what a layout changes to',
    breaks: 'promise P4',
    patches: [
      {
        file: 'src/map/pg-record.ts',
        find: "return distinctCount(slotsIn(record, 'in-sync'), layout, map) >= writeFloor(layout.geometry);",
        replace:
          "const next = { ...layout, ...placementOf(layout) };\n  return distinctCount(slotsIn(record, 'in-sync'), next, map) >= writeFloor(next.geometry);",
      },
    ],
    scenario: 'change-in-place',
  },
  {
    name: 'a change in place is kept before every group is there',
    breaks: 'promise P1',
    patches: [
      {
        file: 'src/mon/in-place.ts',
        find: 'pgIdsOf(pool, layout).every((pg) => {',
        replace: 'pgIdsOf(pool, layout).some((pg) => {',
      },
    ],
    scenario: 'change-in-place',
  },
  {
    name: 'a change in place gives up slots before there is as much elsewhere',
    breaks: 'promise P1',
    patches: [
      {
        file: 'src/map/pg-record.ts',
        find: 'if (layout.next === undefined) return true;\n  const stay',
        replace: 'if (record.slots.length > 0) return true;\n  const stay',
      },
    ],
    scenario: 'change-in-place',
  },
  {
    name: 'a full disk takes no garbage',
    breaks: 'rule 26: deletes and recovery work on a full disk',
    scenario: 'full-disk-gives-back',
    patches: [
      {
        file: primary,
        find: 'outcome.reclaims === true ||',
        replace: 'outcome.effects.length < 0 ||',
      },
    ],
  },
  {
    name: 'disks that swap shards wait for each other',
    breaks: 'convergence',
    patches: [
      {
        file: 'src/mon/planner.ts',
        find: 'computeTargets(map, layout, pgs, before, held)',
        replace: 'computeTargets(map, layout, pgs, before, held === undefined ? held : undefined)',
      },
    ],
  },
  {
    name: 'a read path without checksum',
    breaks: 'promise P2',
    patches: [
      {
        file: store,
        find: 'if (actual === expected) continue;',
        replace: 'if (actual === expected || actual >= 0) continue;',
      },
    ],
  },
  {
    name: 'who was deposed says that a blob is not there',
    breaks: 'rule 25',
    patches: [
      {
        file: primary,
        find: 'if (listing === undefined) {\n      await this.#confirmRead();\n',
        replace: 'if (listing === undefined) {\n',
      },
    ],
    scenario: 'absent-at-a-deposed-primary',
  },
  {
    name: 'space of what is deleted is not given back',
    breaks: 'no leak: space taken is space accounted for',
    patches: [
      {
        file: store,
        find: 'for (const extent of freed) this.#allocator.release(extent);',
        replace: '',
      },
    ],
    scenario: 'trash-comes-back',
  },
  {
    name: 'an object that is replaced leaves its blobs behind',
    breaks: 'rule 29, no leak',
    patches: [
      {
        file: 'src/s3/index/key-versions.ts',
        find: 'garbage.addEntry(readEntry(current));',
        replace: '',
      },
      {
        file: 'src/s3/index/key-versions.ts',
        find: 'garbage.addEntry(this.entryOf(this.#current));',
        replace: '',
      },
    ],
    scenario: 'get-never-short',
  },
  {
    name: 'what is replaced is collected though somebody reads it',
    breaks: 'rule 29',
    patches: [
      {
        file: 'src/s3/long-reads.ts',
        find: 'heard.ageMs === undefined ? 0 :',
        replace: 'heard.ageMs !== -1 ? 0 :',
      },
    ],
    scenario: 'get-never-short',
  },
  {
    name: 'a writer deletes its blobs after an unknown outcome',
    breaks: 'rule 28',
    patches: [
      {
        file: 'src/s3/operations/put-object.ts',
        find: 'const committed = await commitEntry(parts, access, order);',
        replace: `const committed = await commitEntry(parts, access, order).catch(async (error: unknown) => {
    for (const { layout, first, count } of stored.kind === 'blobs' ? stored.runs : [])
      for (let at = 0; at < count; at++)
        await parts.cluster.deleteBlob(layout, { ...first, counter: first.counter + at });
    throw error;
  });`,
      },
    ],
    scenario: 'commit-unheard',
  },
  {
    name: 'who writes for long is taken for dead',
    breaks: 'rule 28',
    patches: [
      {
        file: 'src/client/cluster-client.ts',
        find: 'return gapsBetween(live, judgedBelow);',
        replace: 'return gapsBetween(live.slice(live.length), Math.max(judgedBelow, ...live) + 1);',
      },
    ],
    scenario: 'slow-put',
  },
  {
    name: 'a migrator takes its own manifest for a conflict',
    breaks: 'rules 28 and 31',
    patches: [
      {
        file: 'src/s3/migrator.ts',
        find: 'outcome = await commit();',
        replace: `outcome = await commit().catch(async (error: unknown) => {
        const runs = [...step.placed];
        await this.#parts.index.callObject(object, messages.addGarbage, { runs });
        throw error;
      });`,
      },
    ],
    scenario: 'move-unheard',
  },
  {
    name: 'a closed upload takes parts',
    breaks: 'rule 30',
    patches: [
      {
        file: 'src/s3/index/upload-methods.ts',
        find: 'if (upload === undefined || writer !== undefined) {',
        replace: 'if (writer !== undefined) {',
      },
    ],
    scenario: 'closed-upload',
  },
  {
    name: 'memory of a put is not given back',
    breaks: 'promise P6',
    patches: [
      {
        file: primary,
        find: 'this.#pendingShards.delete(sequence);\n        pending.release();',
        replace: 'this.#pendingShards.delete(sequence);',
      },
    ],
    scenario: 'puts-wait-for-memory',
  },
  {
    name: 'puts are taken in without a bound',
    breaks: 'promise P6',
    patches: [
      {
        file: primary,
        find: 'await ingest.acquire(bytes);',
        replace: 'ingest.acquire(bytes).catch(() => {});',
      },
    ],
    scenario: 'puts-wait-for-memory',
  },
  {
    name: 'a read that a disk fails says what is on it',
    breaks: 'promise P2',
    patches: [
      {
        file: 'src/osd/shard-reader.ts',
        find: 'if (this.#group.world.env.clock.now() - this.#readFailedAt < readTimeoutMs)',
        replace: 'if (this.#group.world.env.clock.now() < this.#readFailedAt)',
      },
    ],
    scenario: 'disk-fails-one-read',
  },
  {
    name: 'a layout that a client has not heard of is none',
    breaks: 'promise P4',
    patches: [
      {
        file: 'src/client/cluster-client.ts',
        find: 'if (!isRetired(formatPgId(ref.pool as PoolId, ref.layout, 0), map)) return undefined;',
        replace: '',
      },
    ],
    scenario: 'layout-not-heard-of',
  },
  {
    name: 'no sync between data and metadata',
    breaks: 'promise P1',
    patches: [
      {
        file: store,
        find: 'if (group.some(({ hasData }) => hasData)) await this.#block.sync();',
        replace: 'if (group.length > 1e9) await this.#block.sync();',
      },
    ],
  },
  {
    name: 'metadata is not synced',
    breaks: 'promise P1',
    patches: [
      {
        file: store,
        find: 'await this.#keyValue.commit(operations, { sync: true });',
        replace: 'await this.#keyValue.commit(operations, { sync: false });',
      },
    ],
  },
  {
    name: 'memory of a write is shown to readers after it was given back',
    breaks: 'promise P2',
    patches: [
      {
        file: store,
        find: 'for (const { changes } of group) for (const { cell } of changes) cell.forgetViews();',
        replace: '',
      },
    ],
    scenario: 'read-beside-a-hung-read',
  },
  {
    name: 'a blob is collected that is still referred to',
    breaks: 'rule 28',
    patches: [
      {
        file: 'src/s3/garbage-collector.ts',
        find: 'deleteBlobs(run.layout, blobsOfRun(run));',
        replace:
          'deleteBlobs(run.layout, blobsOfRun({ ...run, first: { ...run.first, counter: run.first.counter + 1 } }));',
      },
    ],
  },
  {
    name: 'a version that is held can be deleted',
    breaks: 'S3 object lock',
    patches: [
      {
        file: 'src/s3/index/key-methods.ts',
        find: "if (isLocked(found.value)) return outcome('locked');",
        replace: '',
      },
    ],
  },
  {
    name: 'a delete of the newest version leaves the one before out of sight',
    breaks: 'S3 versions: what is newest is what a plain read gets',
    patches: [
      {
        file: 'src/s3/index/key-versions.ts',
        find: 'if (this.#current === undefined && list.versioned) await this.#promote();',
        replace: '',
      },
    ],
  },
  {
    name: 'lifecycle rules pass over versions that are not the newest',
    breaks: 'S3 lifecycle',
    patches: [
      {
        file: 'src/s3/lifecycle-job.ts',
        find: "      case 'remove':\n        deletes.push({",
        replace:
          "      case 'remove':\n        if (action.kind === 'remove') return;\n        deletes.push({",
      },
    ],
  },
  {
    name: 'tags that were deleted stay',
    breaks: 'S3 tags: what was acknowledged is what is read',
    patches: [
      {
        file: 'src/s3/index/key-methods.ts',
        find: 'changed = { ...entry, tags: change.tags };',
        replace:
          'changed = { ...entry, tags: change.tags.length === 0 ? entry.tags : change.tags };',
      },
    ],
  },
  {
    name: 'a copy leaves the tags of its source behind',
    breaks: 'S3 tags: the directive',
    patches: [
      {
        file: 'src/s3/operations/copy-object.ts',
        find: "taggingDirective === 'COPY' ? entry.tags :",
        replace: "taggingDirective === 'COPY' ? [] :",
      },
    ],
  },
  {
    name: "a customer's key is not compared with the object's",
    breaks: 'S3 encryption: another key reads nothing and copies nothing',
    patches: [
      {
        file: 'src/s3/object-cipher.ts',
        find: 'if (!equalSecret(fingerprint(customer.key, salt), keyId))',
        replace: 'if (!equalSecret(fingerprint(customer.key, salt), keyId) && salt.length === 0)',
      },
    ],
  },
  {
    name: "a range of an encrypted object is decrypted from the block's beginning",
    breaks: 'promise P2',
    patches: [
      {
        file: 'src/s3/object-cipher.ts',
        find: 'const skip = offsetBytes % blockBytes;',
        replace: 'const skip = 0 * blockBytes;',
      },
    ],
  },
  {
    name: 'an access key that was removed opens what it opened',
    breaks: 'decision 15: a gateway acts on the directory it has',
    patches: [
      {
        file: 'src/s3/iam/identities.ts',
        find: '    this.#users.clear();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'a gateway misses every other change of users',
    breaks: 'decision 15: every gateway is told',
    patches: [
      {
        file: 'src/client/cluster-client.ts',
        find: "if (message.kind === 'directory') this.#takeDirectory(message);",
        replace:
          "const isFirst = this.#directory.users.length === 0;\n        if (message.kind === 'directory' && (isFirst || this.#nextBlob % 2 === 0))\n          this.#takeDirectory(message);",
      },
    ],
  },
  {
    name: "a bucket's policy is remembered for ever",
    breaks: 'decision 17: two seconds after the change at the latest',
    patches: [
      {
        file: 'src/s3/index/index-client.ts',
        find: 'if (ageMs > rememberedMsMax) return undefined;\n    if (ageMs > renewAfterMs) this.#renew(name);',
        replace: 'if (ageMs > 1000 * renewAfterMs) this.#renew(name);',
      },
    ],
  },
  {
    name: 'who changes a bucket goes on with what it remembers of it',
    breaks: 'decision 17: the gateway that made the change acts on it at once',
    patches: [
      {
        file: 'src/s3/index/index-client.ts',
        find: "    this.drop(name);\n    return this.#tellSiblings({ kind: 'bucket', name });",
        replace: "    return this.#tellSiblings({ kind: 'bucket', name });",
      },
    ],
  },
  {
    name: "a denial in a user's own policy is passed over",
    breaks: 'decision 15: a denial anywhere',
    patches: [
      {
        file: 'src/s3/authorization.ts',
        find: "if (ofIdentity === 'deny' || ofBucket === 'deny') throw",
        replace: "if (ofBucket === 'deny') throw",
      },
    ],
  },
  {
    name: 'a session outlives the keys of its user',
    breaks: 'decision 15: a token is void when all keys of its user are gone',
    patches: [
      {
        file: 'src/s3/iam/identities.ts',
        find: 'if (user?.keys.some(({ active }) => active) !== true) throw',
        replace: 'if (user === undefined) throw',
      },
    ],
  },
  {
    name: "a bucket's default encryption is passed over",
    breaks: 'S3 encryption: what names nothing is encrypted as its bucket says',
    patches: [
      {
        file: 'src/s3/new-object.ts',
        find: '?? defaultEncryptionOf(access.configuration);',
        replace:
          '?? (access.name.length > 0 ? undefined : defaultEncryptionOf(access.configuration));',
      },
    ],
  },
  {
    name: 'what a gateway lets in counts for nothing until it looks again',
    breaks: 'S3 quotas: a gateway adds what it lets in',
    patches: [
      {
        file: 'src/s3/quotas.ts',
        find: 'usage.added = sum(usage.added, wanted);',
        replace: 'usage.added = sum(usage.added, nothing);',
      },
    ],
  },
  {
    name: 'what a bucket holds is looked at once',
    breaks: 'S3 quotas: every two seconds; deletes make room',
    patches: [
      {
        file: 'src/s3/quotas.ts',
        find: 'if (known !== undefined && this.#clock.now() - known.seenAt <= freshMs[quota.kind])',
        replace:
          'if (known !== undefined && this.#clock.now() - known.seenAt <= 1000 * freshMs[quota.kind])',
      },
    ],
  },
  {
    name: 'a session goes on as another role when its own is gone',
    breaks: 'decision 15: a role that is gone takes its sessions with it',
    patches: [
      {
        file: 'src/s3/iam/identities.ts',
        find: 'const role = directory.roles.find(({ id }) => id === session.entityId);',
        replace:
          'const role =\n        directory.roles.find(({ id }) => id === session.entityId) ?? directory.roles[0];',
      },
    ],
  },
  {
    name: 'a lost group that begins empty keeps what was there',
    breaks: 'rule 24',
    patches: [{ file: osd, find: "if (state === 'founding') await this.#erase(pg);", replace: '' }],
    scenario: 'lost-and-begun-empty',
  },
  {
    name: 'a disk that does not answer is taken for one that has nothing',
    breaks: 'promise P3',
    patches: [
      {
        file: 'src/osd/salvage.ts',
        find: '  } catch (error) {\n    pg.waiting',
        replace: '  } catch (error) {\n    if (pg.pg !== undefined) return false;\n    pg.waiting',
      },
      {
        file: primary,
        find: 'link.collected !== undefined || this.#isDown(link)',
        replace: 'link !== undefined',
      },
    ],
    scenario: 'lost-and-begun-again',
  },
  {
    name: 'a lost group begins again though who held everything may come back',
    breaks: 'rule 18',
    patches: [
      {
        file: 'src/map/lost-pg.ts',
        find: 'if (awaited.length > 0) {',
        replace: 'if (awaited.length > 1000) {',
      },
    ],
    scenario: 'lost-and-begun-again',
  },
  {
    name: 'recovery does not go on after a want of memory',
    breaks: 'promise P6',
    patches: [
      {
        file: 'src/osd/memory-guard.ts',
        find: 'this.#isStopped && permille < recoveryGoesOnPermille',
        replace: 'this.#isStopped && permille < -recoveryGoesOnPermille',
      },
    ],
  },
  {
    name: 'a disk of a newer format is opened all the same',
    breaks: 'design 16: newer than known is refused, untouched',
    patches: [
      {
        file: 'src/store/format.ts',
        find: 'if (version > formatVersion) return',
        replace: 'if (version > formatVersion + 1) return',
      },
    ],
  },
  {
    name: 'a group that has lost nothing may be marked lost',
    breaks: 'promise P3',
    patches: [
      {
        file: 'src/map/lost-pg.ts',
        find: "if (fate === 'less-redundancy' && !waits)",
        replace: "if (fate === 'less-redundancy' && !waits && record.slots.length === 0)",
      },
      {
        file: 'src/mon/loss-commands.ts',
        find: 'if (this.#world.emptinessOf(pg)?.serving === true)\n        throw',
        replace:
          'if (this.#world.emptinessOf(pg)?.serving === true && pgs.length > 1)\n        throw',
      },
    ],
  },
  {
    name: 'shards of a bucket in the trash go on serving',
    breaks: 'a removed bucket is none (docs/decisions/0021)',
    patches: [
      {
        file: 'src/s3/bucket-trash.ts',
        find: "await index.callObject(object, messages.trashShard, { removal });\n  return 'done';",
        replace:
          "if (keepMs < 0) await index.callObject(object, messages.trashShard, { removal });\n  return 'done';",
      },
    ],
  },
  {
    name: 'a bucket that came back is emptied when its time in the trash would be over',
    breaks: 'promise P3',
    patches: [
      {
        file: 'src/s3/index/trash-methods.ts',
        find: '      remove(trashedRow(bucketId)),\n      put(bucketRow(name), record),',
        replace: '      put(bucketRow(name), record),',
      },
    ],
  },
  {
    name: 'the conditions of a form that begin with something are not asked',
    breaks: 'a form does what its policy allows',
    patches: [
      {
        file: 'src/s3/protocol/post-policy.ts',
        find: "const holds = kind === 'eq' ? actual === value : actual.startsWith(value);",
        replace: "const holds = kind !== 'eq' || actual === value;",
      },
    ],
  },
  {
    name: 'the error document of a website is shown as if it were the page',
    breaks: 'a website answers by its configuration',
    patches: [
      {
        file: 'src/s3/website.ts',
        find: 'return shown.status === 200 ? { ...shown, status: error.status } : shown;',
        replace: 'return shown;',
      },
    ],
  },
  {
    name: 'a block of public access does not reach the lists of objects',
    breaks: 'who may read an object follows from the settings of its bucket',
    patches: [
      {
        file: 'src/s3/authorization.ts',
        find: "  const groups = publicAccessBlockOf(access.configuration).ignorePublicAcls ? 'ignored' : 'all';\n  if (!aclGrants(entry.acl",
        replace: "  const groups = 'all';\n  if (!aclGrants(entry.acl",
      },
    ],
  },
  {
    name: 'a list is put for an object where its bucket has none',
    breaks: 'BucketOwnerEnforced turns access lists off',
    patches: [
      {
        file: 'src/s3/operations/bucket-acl.ts',
        find: '    checkListsCount(access);\n    body ??=',
        replace: '    body ??=',
      },
    ],
  },
  {
    name: 'a policy opens a bucket to anybody though that is blocked',
    breaks: 'BlockPublicPolicy refuses a public policy',
    patches: [
      {
        file: 'src/s3/operations/bucket-policy.ts',
        find: 'if (publicAccessBlockOf(access.configuration).blockPublicPolicy && isPublicPolicy(policy))',
        replace:
          'if (publicAccessBlockOf(access.configuration).blockPublicAcls && isPublicPolicy(policy))',
      },
    ],
  },
  {
    name: 'a page is let in by a rule for other methods',
    breaks: 'a preflight is answered by the CORS rules of its bucket',
    patches: [
      {
        file: 'src/s3/protocol/cors.ts',
        find: 'if (origin === undefined || !rule.methods.includes(question.method)) continue;',
        replace: 'if (origin === undefined) continue;',
      },
    ],
  },
  {
    name: 'parity is rebuilt as if the data lost with it were zeros',
    breaks: 'P1',
    patches: [
      {
        file: 'src/erasure/erasure-codec.ts',
        find: 'if (solution.rowMask !== 0)\n',
        replace: 'if (solution.rowMask !== 0 && wanted.some((index) => index < this.k))\n',
      },
    ],
    scenario: 'two-disks-at-once',
  },
  {
    name: 'a checksum behind the body is not compared',
    breaks: 'a put that says another checksum changes nothing',
    patches: [
      {
        file: 'src/s3/protocol/payload.ts',
        find: 'if (expected !== undefined && expected !== value)\n',
        replace:
          'if (expected !== undefined && expected !== value && this.#claim?.inTrailer !== true)\n',
      },
    ],
  },
  {
    name: 'a small object is copied into a part from its beginning on',
    breaks: 'never wrong bytes',
    patches: [
      {
        file: 'src/s3/copy-source.ts',
        find: 'entry.content.bytes.subarray(range.beginBytes, range.endBytes);',
        replace: 'entry.content.bytes.subarray(0, range.endBytes - range.beginBytes);',
      },
    ],
  },
  {
    name: 'compliance is shortened by who may pass over governance',
    breaks: 'S3 object lock',
    patches: [
      {
        file: 'src/s3/index/key-methods.ts',
        find: "const mayWeaken = old.mode === 'GOVERNANCE' && change.bypassGovernance;",
        replace: 'const mayWeaken = change.bypassGovernance;',
      },
    ],
  },
  {
    name: 'who asks to pass over governance needs no right to',
    breaks: 'S3 object lock',
    patches: [
      {
        file: 'src/s3/operations/object-lock.ts',
        find: "return isAllowed(context, access, { action: 's3:BypassGovernanceRetention', ...version });",
        replace: 'return true;',
      },
    ],
  },
  {
    name: 'retention ends two seconds early',
    breaks: 'S3 object lock',
    patches: [
      {
        file: 'src/s3/index/key-methods.ts',
        find: 'if (entry.retention === undefined || entry.retention.untilMs <= context.wallMs)',
        replace:
          'if (entry.retention === undefined || entry.retention.untilMs <= context.wallMs + 2000)',
      },
    ],
  },
  {
    name: 'an upload of parts is not kept by the default of its bucket',
    breaks: 'S3 object lock',
    patches: [
      {
        file: 'src/s3/operations/complete-multipart-upload.ts',
        find: 'retention: upload.retention ?? defaultRetention(access.configuration, wholeNowMs(gateway)),',
        replace: 'retention: upload.retention,',
      },
    ],
  },
  {
    name: 'what a rule moves to another storage class is kept no longer',
    breaks: 'S3 object lock, and that a transition changes nothing else',
    patches: [
      {
        file: 'src/s3/index/key-methods.ts',
        find: 'changed = { ...entry, storageClass: change.storageClass };',
        replace: 'changed = { ...entry, storageClass: change.storageClass, retention: undefined };',
      },
    ],
  },
  {
    name: 'lifecycle rules pass over governance',
    breaks: 'S3 object lock',
    patches: [
      {
        file: 'src/s3/lifecycle-job.ts',
        find: 'bypassGovernance: false,',
        replace: 'bypassGovernance: true,',
      },
    ],
  },
  {
    name: 'a peer that says to lead is believed though the monitor says otherwise',
    breaks: 'only the monitor elects',
    patches: [
      {
        file: osd,
        find: 'if (word.record !== undefined && leadsBy(word.record, record)) return;',
        replace: 'if (word.record !== undefined) return;',
      },
    ],
    scenario: 'word-of-the-monitor',
  },
  {
    name: 'what a peer said while no monitor was there stands when it is back',
    breaks: 'only the monitor elects',
    patches: [
      {
        file: osd,
        find: 'if (word !== undefined) await this.#holdAgainst(belief, word.record);',
        replace: '',
      },
    ],
    scenario: 'word-of-the-monitor',
  },
  {
    name: 'what a peer said while no monitor was there is forgotten by a restart, and stands',
    breaks: 'only the monitor elects',
    patches: [{ file: osd, find: '    await this.#beliefs.load();\n', replace: '' }],
    scenario: 'word-of-the-monitor',
  },
  {
    name: 'entries that came by a record that was never given are kept',
    breaks: 'rule 1',
    patches: [
      {
        file: member,
        find: 'if (!equalVersions(head, belief.head)) return false;\n',
        replace: '',
      },
    ],
    scenario: 'word-of-the-monitor',
  },
  {
    name: 'nobody is believed while no monitor answers',
    breaks: 'with every monitor gone, running primaries go on',
    patches: [
      {
        file: osd,
        find: 'if (!isBelief && mayHaveBeenSaid(record, known)) return;\n',
        replace:
          "if (!isBelief && mayHaveBeenSaid(record, known)) return;\n      if (record.tenure > 0) throw new OsdError('stale', 'nobody says so');\n",
      },
    ],
    scenario: 'word-of-the-monitor',
  },
  {
    name: 'what an older map store does not say was never said',
    breaks: 'rule 22',
    patches: [
      {
        file: 'src/net/mon-link.ts',
        find: "if (message.kind !== 'records' || !message.complete) return undefined;",
        replace: "if (message.kind !== 'records') return undefined;",
      },
    ],
    scenario: 'word-of-the-monitor',
  },
  {
    name: 'records of requests are added to a log object that was sent already',
    breaks: 'a live gateway loses no record without a word',
    patches: [
      {
        file: 'src/s3/access-log.ts',
        find: 'group.timer.cancel();\n    this.#groups.delete(name);',
        replace: 'group.timer.cancel();',
      },
    ],
  },
  {
    name: 'a log object that fails once is given up without a word',
    breaks: 'a live gateway loses no record without a word',
    patches: [
      {
        file: 'src/s3/access-log.ts',
        find: 'if (attempt >= attemptsMax || !isPassing(error)) {',
        replace: 'if (attempt >= 1) {',
      },
      {
        file: 'src/s3/access-log.ts',
        find: 'this.#lose(group.count, error, group.target.bucket);',
        replace: '',
      },
    ],
  },
  {
    name: 'a request that is answered with an error has no record',
    breaks: 'a request has one record',
    patches: [
      {
        file: 'src/s3/logged-request.ts',
        find: 'if (bucket === undefined || logging === undefined) return answer;',
        replace:
          'if (bucket === undefined || logging === undefined || answer.status > 400) return answer;',
      },
    ],
  },
  {
    name: 'a name goes before the other layout has its rows durably',
    breaks: 'rule 32',
    scenario: 'names-handed-over',
    patches: [
      {
        file: handover,
        find: 'const bytes = await this.#push(name, turn);',
        replace: 'const bytes = 0;',
      },
    ],
  },
  {
    name: 'rows that are handed over are called taken before they are committed',
    breaks: 'rule 32',
    scenario: 'taken-and-not-kept',
    patches: [
      {
        file: handover,
        find: '    await group.untilCommitted(sequence);\n    return taken;',
        replace:
          '    return sequence >= 0 ? taken : group.untilCommitted(sequence).then(() => taken);',
      },
    ],
  },
  {
    name: 'absent here, so it is asked for in the other layout',
    breaks: 'rule 32',
    scenario: 'names-handed-over',
    patches: [
      {
        file: places,
        find: 'layout: homeLayout(pool).id,\n        turn: pool.settledTurn,',
        replace: 'layout: activeLayout(pool).id,\n        turn: pool.turn,',
      },
    ],
  },
  {
    name: 'a group is sealed without a look at what is being ordered',
    breaks: 'rule 32',
    scenario: 'made-while-sealing',
    patches: [
      {
        file: handover,
        find: 'if (!this.#mayGo(turn) || (await group.disk.hasRows())) return undefined;',
        replace: 'if (!this.#mayGo(turn)) return undefined;',
      },
    ],
  },
  {
    name: 'a name on its way is written to where it comes from',
    breaks: 'rule 32',
    scenario: 'name-turned-back',
    patches: [
      {
        file: primary,
        find: "if (verdict.kind === 'read')\n          throw new OsdError(",
        replace:
          "if (verdict.kind === 'read' && message.turn > turnMax)\n          throw new OsdError(",
      },
    ],
  },
  {
    name: 'rows of an earlier turn stay under those that are pushed',
    breaks: 'rule 32',
    scenario: 'name-turned-back',
    patches: [
      {
        file: handover,
        find: '        await this.#clear(name);\n        if (turn > (this.#whole?.base ?? 0)) this.#putWhole({ base: turn });',
        replace: '        if (turn > (this.#whole?.base ?? 0)) this.#putWhole({ base: turn });',
      },
    ],
  },
  {
    name: 'what was called moved is served again with what was left of it',
    breaks: 'rule 32',
    scenario: 'lost-where-it-went',
    patches: [
      {
        file: handover,
        find: "        await this.#clear(name);\n        this.#putMarker(name, { state: 'here', turn });",
        replace: "        this.#putMarker(name, { state: 'here', turn });",
      },
    ],
  },
  {
    name: 'rows pushed in an earlier turn, or twice, are taken',
    breaks: 'rule 32',
    scenario: 'push-held-back',
    patches: [
      {
        file: handover,
        find: "if (marker?.turn === turn && marker.state !== 'arriving')\n",
        replace: 'if (turn < 0)\n',
      },
    ],
  },
  {
    name: 'versions begin anew in the other layout',
    breaks: 'rule 32: what methods are given only rises',
    patches: [
      {
        file: handover,
        find: 'return base === 0 ? version : { ...version, tenure: version.tenure + base * tenuresInTurn };',
        replace:
          'return base < 0 ? { ...version, tenure: version.tenure + tenuresInTurn } : version;',
      },
    ],
  },
  {
    name: 'a request whose answer was lost is carried out in the other layout too',
    breaks: 'rules 5 and 32',
    scenario: 'answer-lost-in-a-hand-over',
    patches: [
      {
        file: places,
        find: 'if (this.#open === 0 || this.#place === undefined) this.#place',
        replace: 'this.#place',
      },
    ],
  },
  {
    name: 'a layout goes while names may still come to be in it',
    breaks: 'rules 31 and 32',
    scenario: 'unsealed-layout-stays',
    patches: [
      {
        file: handover,
        find: "return role?.kind === 'source' && (this.#whole?.sealed ?? 0) < role.turn;",
        replace: "return role?.kind === 'source' && (this.#whole?.sealed ?? 0) > role.turn;",
      },
    ],
  },
  {
    name: 'what has arrived is served before the old group says that it went',
    breaks: 'rule 32',
    scenario: 'turned-back-on-arrival',
    patches: [
      {
        file: handover,
        find: 'if (this.#isOurs(marker) || turn >= marker.turn) {',
        replace: 'if (turn >= 0) {',
      },
    ],
  },
  {
    name: 'of a name without rows the other layout is told nothing',
    breaks: 'rule 32',
    scenario: 'removed-after-it-stayed',
    patches: [
      {
        file: handover,
        find: 'if (await this.#handOverEmpty(turn)) await this.#seal(turn, kept);',
        replace: 'await this.#seal(turn, kept);',
      },
    ],
  },
  {
    name: 'the seal of a turn that is over is believed',
    breaks: 'rule 32',
    scenario: 'made-after-a-turn',
    patches: [
      {
        file: places,
        find: 'turn: pool.settledTurn,',
        replace: 'turn: 0,',
      },
    ],
  },
  {
    name: 'a group that was lost in a hand-over answers for what it has forgotten',
    breaks: 'rule 32: absent here is no answer',
    scenario: 'lost-in-a-hand-over',
    patches: [
      {
        file: primary,
        find: '    await this.#doubtHandovers();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'a name that was turned back stays frozen',
    breaks: 'rule 32: it can be turned back',
    scenario: 'name-turned-back',
    patches: [
      {
        file: handover,
        find: "const stays = role !== undefined && role.kind !== 'source' && role.turn > marker.turn;",
        replace:
          "const stays = role !== undefined && role.kind === 'source' && role.turn > marker.turn;",
      },
    ],
  },
  {
    name: 'what is sent is given back before the network has taken it',
    breaks: 'what arrives is what was sent',
    patches: [
      {
        file: 'src/net/session.ts',
        find: '      outgoing.release,\n    );',
        replace: '    );\n    outgoing.release?.();',
      },
    ],
  },
];

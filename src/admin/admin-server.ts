// The admin API: JSON over HTTP with a bearer token. Reads are answers of pure functions over what the
// monitor knows; commands go to the monitor, or to whoever runs the daemons. A command that would make
// data unavailable is refused with the list of what it would hit (promise P3), unless the caller names
// that with `evenIfUnavailable`.
//
//   GET    /v1/status            everything at a glance
//   GET    /v1/health
//   GET    /v1/osds              POST /v1/osds/{out,in,down,start,stop}  {osds: [..]}
//   POST   /v1/osds/{destroy,undestroy,wipe,purge}  {osds: [..], acceptLoss}
//   POST   /v1/what-if           {command, targets: [..]}: what it would do, before it is done
//   GET    /v1/settings          POST /v1/settings {name, value}
//   POST   /v1/osds/add          {deviceClass}: one OSD more on this machine
//   POST   /v1/osds/register     {osd, uuid, host, capacityBytes, deviceClass}: a disk under a new id
//   POST   /v1/osds/replace      {osd, uuid}: a new disk under a known id
//   POST   /v1/osds/failed       {osd, reason}: its daemon could not run
//   GET    /v1/pools             POST /v1/pools   DELETE /v1/pools/NAME
//   POST   /v1/pools/NAME/{set,revert,pause,resume,rate,restore}
//   GET    /v1/pgs               [?pool=NAME]         POST: lost-pgs.ts
//   …      /v1/users, /v1/accounts                       users.ts
//   …      /v1/buckets                                   buckets.ts
//   GET    /v1/daemons
//   POST   /v1/scrub             {pgs: [..]} or {pool} or {all: true}, and deep
//   GET    /metrics              Prometheus

import { encodeUtf8 } from '../base/bytes.ts';
import { isPgId, isUuid, type OsdId, type PgId, type Uuid } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import { BodyError, type HttpRequest, type HttpResponse } from '../env/http.ts';
import type { Address } from '../env/network.ts';
import { findOsd, findPool, placementOf } from '../map/cluster-map.ts';
import { settingOf, settings } from '../map/settings.ts';
import { type Fate, fatesOf, osdsNamed } from '../map/what-if.ts';
import { type Assessment, assess, worstMargin } from './assess.ts';
import { postBuckets, viewBuckets } from './buckets.ts';
import type { BucketControl, Crash, MonitorControl, SupervisorControl } from './control.ts';
import { AdminError, asAdminError, httpStatusOf } from './errors.ts';
import { computeHealth } from './health.ts';
import { requireAccepted } from './loss.ts';
import { postPgs } from './lost-pgs.ts';
import { formatMetrics } from './metrics.ts';
import {
  deviceClassField,
  type Fields,
  flagField,
  layoutFields,
  optionalText,
  osdsField,
  poolField,
  readFields,
  textField,
  textsField,
  wholeField,
} from './requests.ts';
import { deleteUsers, postAccounts, postQuotas, postUsers, viewUsers } from './users.ts';
import type { AdminFailure, Health, ScrubStarted, SettingView, Status } from './views.ts';
import {
  answerWhatIf,
  nameOfDestroying,
  poolsWithoutRoom,
  type WhatIfCommand,
  whatIfCommands,
} from './what-if.ts';

export interface AdminOptions {
  readonly address: Address;
  readonly token: string;
  readonly version: string;
  readonly monitor: MonitorControl;
  /** Undefined where nobody runs the daemons for us. */
  readonly supervisor?: SupervisorControl;
  /** Undefined where nobody can look at indexes. */
  readonly buckets?: BucketControl;
  /** What is always true here and easily forgotten; shown with every status. */
  readonly notes: readonly string[];
  /** Of daemons that stopped on a defect and were not acknowledged. */
  readonly crashes: () => Promise<readonly Crash[]>;
}

export interface AdminServer {
  readonly address: Address;
  close(): Promise<void>;
}

/** Throws `EnvError` when the address can't be had. */
export async function startAdmin(env: Env, options: AdminOptions): Promise<AdminServer> {
  const api = new AdminApi(env, options);
  const listener = await env.http.serve(options.address, (request) => api.handle(request));
  return { address: listener.address, close: () => listener.close() };
}

/** What a request asked for, beyond method and path. */
interface Question {
  readonly rest: readonly string[];
  readonly query: ReadonlyMap<string, string>;
  readonly fields: Fields;
}

type Answer = object | string;

class AdminApi {
  readonly #env: Env;
  readonly #options: AdminOptions;
  readonly #routes: ReadonlyMap<string, (question: Question) => Promise<Answer> | Answer>;

  constructor(env: Env, options: AdminOptions) {
    this.#env = env;
    this.#options = options;
    this.#routes = new Map<string, (question: Question) => Promise<Answer> | Answer>([
      ['GET metrics', () => this.#metrics()],
      ['GET v1/status', () => this.#status()],
      ['GET v1/health', () => this.#health(this.#assess())],
      ['GET v1/osds', () => ({ osds: this.#assess().osds })],
      ['POST v1/osds', (question) => this.#commandOsds(question)],
      ['GET v1/pools', () => ({ pools: this.#assess().pools })],
      ['POST v1/pools', (question) => this.#commandPool(question)],
      ['DELETE v1/pools', ({ rest, query }) => this.#removePool(rest, query.get('acceptLoss'))],
      ['POST v1/what-if', ({ fields }) => this.#whatIf(fields)],
      ['GET v1/settings', () => ({ settings: this.#settings() })],
      ['POST v1/settings', ({ fields }) => this.#setSetting(fields)],
      ['GET v1/pgs', ({ query }) => this.#pgs(query.get('pool'))],
      [
        'POST v1/pgs',
        ({ rest, fields }) =>
          rest[0] === 'let-in'
            ? this.#letIn(fields)
            : postPgs(options.monitor, () => this.#buckets(), rest, fields),
      ],
      ['GET v1/users', () => viewUsers(options.monitor.directory)],
      ['POST v1/users', ({ rest, fields }) => postUsers(options.monitor, rest, fields)],
      ['DELETE v1/users', ({ rest }) => deleteUsers(options.monitor, rest)],
      ['GET v1/quotas', () => ({ quotas: options.monitor.directory.quotas })],
      ['POST v1/quotas', ({ rest, fields }) => postQuotas(options.monitor, rest, fields)],
      ['POST v1/accounts', ({ rest, fields }) => postAccounts(options.monitor, rest, fields)],
      ['DELETE v1/accounts', ({ rest }) => this.#removeAccount(rest)],
      ['GET v1/buckets', ({ rest, query }) => viewBuckets(this.#buckets(), rest, query)],
      [
        'POST v1/buckets',
        ({ rest, fields }) =>
          postBuckets(
            this.#buckets(),
            rest,
            fields,
            settingOf(options.monitor.map, 'bucket_trash_hours'),
          ),
      ],
      ['GET v1/buckets-trash', async () => ({ buckets: await this.#buckets().trash() })],
      ['GET v1/daemons', async () => ({ daemons: await this.#supervisor().daemons() })],
      ['POST v1/mon', (question) => this.#commandMon(question)],
      ['POST v1/scrub', ({ fields }) => this.#scrub(fields)],
    ]);
  }

  async handle(request: HttpRequest): Promise<HttpResponse> {
    try {
      this.#authorize(request);
      const answer = await this.#dispatch(request);
      if (typeof answer === 'string') return textResponse(answer);
      return jsonResponse(200, answer);
    } catch (thrown) {
      if (thrown instanceof BodyError)
        return jsonResponse(400, failureOf('invalid', thrown.message));
      try {
        const { code, message } = asAdminError(thrown);
        return jsonResponse(httpStatusOf[code], failureOf(code, message));
      } catch {
        const words = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
        this.#env.log.write('error', 'admin request failed', {
          target: request.target,
          error: words,
        });
        return jsonResponse(
          500,
          failureOf('unavailable', 'the admin API failed; its log says why'),
        );
      }
    }
  }

  #authorize({ headers }: HttpRequest): void {
    const given = headers.find(([name]) => name.toLowerCase() === 'authorization')?.[1] ?? '';
    if (!sameText(given, `Bearer ${this.#options.token}`))
      throw new AdminError('unauthorized', 'the token is missing or is not this cluster’s');
  }

  async #dispatch({ method, target, body }: HttpRequest): Promise<Answer> {
    const [path = '', search = ''] = target.split('?', 2);
    const parts = path.split('/').slice(1).map(decodePart);
    // The first two parts name the resource, what follows is in it.
    const rest = parts[0] === 'v1' ? parts.slice(2) : parts.slice(1);
    const resource = parts.slice(0, parts.length - rest.length).join('/');
    const route = this.#routes.get(`${method} ${resource}`);
    if (route === undefined) throw new AdminError('not-found', `no ${method} ${path}`);
    const fields = method === 'POST' ? await readFields(body) : {};
    return route({ rest, query: parseQuery(search), fields });
  }

  #assess(): Assessment {
    return assess(this.#options.monitor, this.#env.clock.now());
  }

  async #health(assessment: Assessment): Promise<Health> {
    return computeHealth(this.#options.monitor, assessment, await this.#options.crashes());
  }

  async #status(): Promise<Status> {
    const { monitor, notes, version } = this.#options;
    const assessment = this.#assess();
    const { osds, pgs, pools } = assessment;
    const byState: Record<string, number> = {};
    for (const { state } of pgs) byState[state] = (byState[state] ?? 0) + 1;
    return {
      fsid: monitor.map.fsid,
      version,
      epoch: monitor.map.epoch,
      ready: pgs.length > 0 && pgs.every((pg) => pg.writable || pg.draining),
      health: await this.#health(assessment),
      osds: {
        total: osds.length,
        up: osds.filter((osd) => osd.up).length,
        in: osds.filter((osd) => osd.in).length,
      },
      pgs: {
        total: pgs.length,
        serving: pgs.filter((pg) => pg.serving).length,
        clean: pgs.filter((pg) => pg.clean && pg.serving).length,
        byState,
      },
      pools,
      usage: {
        capacityBytes: osds.reduce((sum, osd) => sum + osd.capacityBytes, 0),
        usedBytes: osds.reduce((sum, osd) => sum + osd.usedBytes, 0),
      },
      recovery: {
        pgs: pgs.filter((pg) => pg.missing > 0).length,
        missing: pgs.reduce((sum, pg) => sum + pg.missing, 0),
      },
      margin: worstMargin(pgs.map((pg) => pg.margin)),
      notes,
    };
  }

  async #metrics(): Promise<string> {
    const assessment = this.#assess();
    const health = await this.#health(assessment);
    return formatMetrics(assessment, health, this.#options.monitor.notifications);
  }

  #pgs(pool: string | undefined): Answer {
    const { pgs, pools } = this.#assess();
    if (pool === undefined) return { pgs };
    if (!pools.some(({ name }) => name === pool))
      throw new AdminError('not-found', `no pool ${pool}`);
    return { pgs: pgs.filter((pg) => pg.pool === pool) };
  }

  // ——— commands ———

  async #commandOsds({ rest, fields }: Question): Promise<Answer> {
    const { monitor } = this.#options;
    const [command, ...more] = rest;
    if (more.length > 0) throw new AdminError('not-found', `no /v1/osds/${rest.join('/')}`);
    switch (command) {
      case 'add': {
        const osd = await this.#supervisor().addOsd(deviceClassField(fields));
        return { osd };
      }
      case 'register':
        return this.#registerDisk(fields);
      case 'replace':
        return this.#replaceDisk(fields);
      case 'failed': {
        const osd = this.#requireOsd(fields.osd);
        monitor.daemonFailed(osd, textField(fields, 'reason'));
        return {};
      }
      case 'destroy':
      case 'undestroy':
      case 'wipe':
      case 'purge': {
        const ids = [...osdsField(fields)].map((id) => this.#requireOsd(id));
        return this.#giveUp(command, new Set(ids), optionalText(fields, 'acceptLoss'));
      }
      case 'accept-rollback':
        return this.#acceptRollback(
          this.#requireOsd(fields.osd),
          optionalText(fields, 'acceptLoss'),
        );
      case 'weight': {
        const id = this.#requireOsd(fields.osd);
        if (typeof fields.weight !== 'number') throw new AdminError('invalid', 'weight: a number');
        await this.#options.monitor.setWeight(id, fields.weight);
        return { osd: id, weight: fields.weight };
      }
      case 'out':
      case 'in':
      case 'down':
      case 'start':
      case 'stop': {
        const ids = [...osdsField(fields)].map((id) => this.#requireOsd(id));
        return this.#applyToOsds(command, new Set(ids), fields);
      }
      default:
        throw new AdminError('not-found', `no command ${command} for OSDs`);
    }
  }

  async #applyToOsds(
    command: 'out' | 'in' | 'down' | 'start' | 'stop',
    ids: ReadonlySet<OsdId>,
    fields: Fields,
  ): Promise<Answer> {
    const { monitor } = this.#options;
    if ((command === 'stop' || command === 'down') && !flagField(fields, 'evenIfUnavailable'))
      this.#refuseUnavailability(command, ids);
    const roomless = command === 'out' ? poolsWithoutRoom(monitor.map, ids) : [];
    const supervisor = command === 'start' || command === 'stop' ? this.#supervisor() : undefined;
    for (const id of ids)
      switch (command) {
        case 'out':
          await monitor.markOut(id);
          break;
        case 'in':
          await monitor.markIn(id);
          break;
        case 'down':
          await monitor.markDownByOperator(id);
          break;
        case 'start':
          await supervisor?.startOsd(id);
          break;
        case 'stop':
          await supervisor?.stopOsd(id);
          break;
      }
    const warnings = roomless.map(
      (pool) =>
        `pool ${pool} has no other failure domain to move to: its data stays until there is one`,
    );
    return { osds: [...ids], warnings };
  }

  #refuseUnavailability(command: string, ids: ReadonlySet<OsdId>): void {
    const { map, records } = this.#options.monitor;
    const fates = fatesOf(map, records.values(), ids, 'away');
    const pgsOf = (fate: Fate): readonly string[] =>
      fates.filter((each) => each.fate === fate).map(({ pg }) => pg);
    const unreadable = pgsOf('unavailable');
    const unwritable = pgsOf('writes-wait');
    if (unreadable.length === 0 && unwritable.length === 0) return;
    const names = [...ids].map((id) => `osd.${id}`).join(' ');
    const parts = [
      ...(unreadable.length === 0 ? [] : [`reads and writes of ${listed(unreadable)} would stop`]),
      ...(unwritable.length === 0 ? [] : [`writes to ${listed(unwritable)} would wait`]),
    ];
    throw new AdminError('unsafe', `${command} ${names}: ${parts.join(', ')}`);
  }

  /** Disks given up, taken back, erased, or taken out of the map; judged as a set (PROTOCOL rule 27). */
  async #giveUp(
    command: 'destroy' | 'undestroy' | 'wipe' | 'purge',
    ids: ReadonlySet<OsdId>,
    accepted: string | undefined,
  ): Promise<Answer> {
    const { monitor, supervisor } = this.#options;
    switch (command) {
      case 'destroy': {
        const { advice } = answerWhatIf(monitor, this.#assess(), 'destroy', ids);
        await monitor.losses.destroyOsds(ids, (losses) =>
          requireAccepted(nameOfDestroying(ids), losses, accepted, advice),
        );
        for (const id of ids) await supervisor?.stopOsd(id);
        break;
      }
      case 'undestroy':
        await monitor.losses.undestroyOsds(ids);
        for (const id of ids) await supervisor?.startOsd(id);
        break;
      case 'wipe':
        for (const id of ids) {
          await monitor.losses.wipeOsd(id, (losses) =>
            requireAccepted(`wiping osd.${id}`, losses, accepted, [
              `holdfast osd undestroy ${id} brings it back`,
            ]),
          );
          await supervisor?.wipeOsd(id);
        }
        break;
      case 'purge':
        for (const id of ids) await monitor.losses.purgeOsd(id);
        break;
    }
    return { osds: [...ids] };
  }

  #whatIf(fields: Fields): Answer {
    const command = textField(fields, 'command');
    if (!whatIfCommands.some((each) => each === command))
      throw new AdminError(
        'invalid',
        `command: ${command} is none of ${whatIfCommands.join(', ')}`,
      );
    const ids = new Set<OsdId>();
    for (const word of textsField(fields, 'targets') ?? []) {
      const named = osdsNamed(this.#options.monitor.map, word);
      if (named === undefined) throw new AdminError('not-found', `${word} names no OSD`);
      for (const id of named) ids.add(id);
    }
    if (ids.size === 0) throw new AdminError('invalid', 'targets: name OSDs, or host:NAME');
    const { monitor } = this.#options;
    if (monitor.untakenMap !== undefined) throw new AdminError('refused', monitor.untakenMap);
    return answerWhatIf(monitor, this.#assess(), command as WhatIfCommand, ids);
  }

  #settings(): readonly SettingView[] {
    return settings.map((facts) => ({
      ...facts,
      value: settingOf(this.#options.monitor.map, facts.name),
    }));
  }

  async #setSetting(fields: Fields): Promise<Answer> {
    const value = fields.value === undefined ? undefined : wholeField(fields, 'value');
    await this.#options.monitor.setSetting(textField(fields, 'name'), value);
    return { settings: this.#settings() };
  }

  async #acceptRollback(id: OsdId, accepted: string | undefined): Promise<Answer> {
    const { monitor } = this.#options;
    const losses = [...monitor.records.values()].flatMap((record) => {
      const slot = record.slots.find((each) => each.osd === id && each.state === 'rolled-back');
      if (slot === undefined) return [];
      return `pg ${record.pg}: what was acknowledged up to version ${slot.asOf} of its record and osd.${id} no longer has`;
    });
    requireAccepted(`accepting osd.${id} as it is`, losses, accepted);
    return { pgs: await monitor.acceptRollback(id) };
  }

  async #commandMon({ rest, fields }: Question): Promise<Answer> {
    if (rest.length !== 1 || rest[0] !== 'restore')
      throw new AdminError('not-found', `no /v1/mon/${rest.join('/')}`);
    const missing = fields.osds === undefined ? [] : [...osdsField(fields)];
    await this.#options.monitor.restoreStore(missing.map((id) => this.#requireOsd(id)));
    return {};
  }

  async #replaceDisk(fields: Fields): Promise<Answer> {
    const osd = this.#requireOsd(fields.osd);
    const uuid = textField(fields, 'uuid');
    if (!isUuid(uuid))
      throw new AdminError('invalid', `uuid: ${uuid} is not 32 hexadecimal digits`);
    await this.#options.monitor.replaceDisk(osd, uuid);
    return {};
  }

  async #registerDisk(fields: Fields): Promise<Answer> {
    const deviceClass = deviceClassField(fields);
    const disk = {
      uuid: textField(fields, 'uuid') as Uuid,
      host: textField(fields, 'host'),
      capacityBytes: wholeField(fields, 'capacityBytes'),
      ...(deviceClass === undefined ? {} : { deviceClass }),
    };
    return { osd: await this.#options.monitor.addDisk(disk, wholeField(fields, 'osd')) };
  }

  #requireOsd(id: unknown): OsdId {
    if (typeof id !== 'number')
      throw new AdminError('invalid', `osd: ${String(id)} is not a number`);
    const osd = findOsd(this.#options.monitor.map, id);
    if (osd === undefined) throw new AdminError('not-found', `no osd.${id}`);
    return osd.id;
  }

  async #commandPool({ rest, fields }: Question): Promise<Answer> {
    const [name, command, ...more] = rest;
    if (name === undefined) return this.#createPool(fields);
    const { monitor } = this.#options;
    switch (more.length === 0 ? command : undefined) {
      case 'set': {
        const { deviceClass, failureDomain, ...wish } = layoutFields(fields);
        const layout = findPool(monitor.map, name)?.layouts.at(-1);
        if (layout === undefined) throw new AdminError('not-found', `no pool ${name}`);
        const asked = placementOf(layout).rule;
        const rule = {
          failureDomain: failureDomain ?? asked.failureDomain,
          deviceClass:
            deviceClass === undefined
              ? asked.deviceClass
              : deviceClass === 'any'
                ? undefined
                : deviceClass,
        };
        await monitor.pools.setPoolLayout(name, { ...wish, rule });
        return {};
      }
      case 'revert':
        await monitor.pools.revertPool(name);
        return {};
      case 'restore':
        await monitor.pools.restorePool(name);
        return {};
      case 'pause':
        await monitor.pools.setMigration(name, { migration: 'paused' });
        return {};
      case 'resume':
        await monitor.pools.setMigration(name, { migration: 'running' });
        return {};
      case 'rate':
        await monitor.pools.setMigration(name, {
          migrationBytesPerSecond: wholeField(fields, 'bytesPerSecond'),
        });
        return {};
      case 'inline':
        await monitor.pools.setInline(name, wholeField(fields, 'bytesMax'));
        return {};
      default:
        throw new AdminError('not-found', `no /v1/pools/${rest.join('/')}`);
    }
  }

  async #createPool(fields: Fields): Promise<Answer> {
    const { id, name } = await this.#options.monitor.pools.createPool(poolField(fields));
    return { id, name };
  }

  async #removePool(rest: readonly string[], accepted: string | undefined): Promise<Answer> {
    const name = onlyPart(rest);
    await this.#options.monitor.pools.removePool(name, (losses) =>
      requireAccepted(`removing pool ${name}`, losses, accepted, []),
    );
    return {};
  }

  async #removeAccount(rest: readonly string[]): Promise<Answer> {
    await this.#options.monitor.users.removeAccount(onlyPart(rest));
    return {};
  }

  #buckets(): BucketControl {
    const { buckets } = this.#options;
    if (buckets === undefined)
      throw new AdminError('unavailable', 'nobody here looks at bucket indexes');
    return buckets;
  }

  #scrub(fields: Fields): ScrubStarted {
    const { monitor } = this.#options;
    const all = this.#assess().pgs;
    const named = textsField(fields, 'pgs');
    const pool = fields.pool === undefined ? undefined : textField(fields, 'pool');
    const unknown = named?.find((name) => !all.some((pg) => pg.pg === name));
    if (unknown !== undefined) throw new AdminError('not-found', `no placement group ${unknown}`);
    const chosen =
      named ??
      all
        .filter((pg) => (pool === undefined ? flagField(fields, 'all') : pg.pool === pool))
        .map((pg) => pg.pg);
    if (chosen.length === 0)
      throw pool === undefined
        ? new AdminError('invalid', 'name placement groups, a pool, or all')
        : new AdminError('not-found', `no pool ${pool}`);
    const deep = flagField(fields, 'deep');
    const before = new Map(
      all.map((pg) => [pg.pg, deep ? pg.deepScrubbedMs : pg.scrubbedMs] as const),
    );
    const asked: readonly string[] = monitor.scrub(chosen as readonly PgId[], deep);
    return {
      asked: asked.map((pg) => ({ pg, beforeMs: before.get(pg) ?? null })),
      unasked: chosen.filter((pg) => !asked.includes(pg)),
    };
  }

  async #letIn(fields: Fields): Promise<Answer> {
    const pg = textField(fields, 'pg');
    const [osd] = osdsField(fields);
    if (!isPgId(pg) || !this.#options.monitor.records.has(pg))
      throw new AdminError('not-found', `no placement group ${pg}`);
    if (osd === undefined) throw new AdminError('invalid', 'osds: name one');
    await this.#supervisor().letIn(osd, pg);
    return { pg, osd };
  }

  #supervisor(): SupervisorControl {
    const { supervisor } = this.#options;
    if (supervisor === undefined)
      throw new AdminError('unavailable', 'nobody here starts and stops daemons');
    return supervisor;
  }
}

function listed(pgs: readonly string[]): string {
  const shown = pgs.slice(0, 10).join(' ');
  const more = pgs.length > 10 ? ` and ${pgs.length - 10} more` : '';
  return `${pgs.length === 1 ? 'placement group' : 'placement groups'} ${shown}${more}`;
}

function onlyPart(rest: readonly string[]): string {
  const [name, ...more] = rest;
  if (name === undefined || name === '' || more.length > 0)
    throw new AdminError('not-found', 'one name is needed behind the path');
  return name;
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new AdminError('invalid', `"${part}" is not percent-encoded text`);
  }
}

function parseQuery(search: string): ReadonlyMap<string, string> {
  const pairs = search.split('&').filter((pair) => pair !== '');
  return new Map(
    pairs.map((pair) => {
      const [name = '', value = ''] = pair.split('=', 2);
      return [decodePart(name), decodePart(value)] as const;
    }),
  );
}

/** Takes as long for a wrong text as for the right one of that length. */
function sameText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let at = 0; at < given.length; at++)
    difference |= given.charCodeAt(at) ^ expected.charCodeAt(at % expected.length);
  return difference === 0;
}

function failureOf(code: AdminFailure['error']['code'], message: string): AdminFailure {
  return { error: { code, message } };
}

function jsonResponse(status: number, body: object): HttpResponse {
  return {
    status,
    headers: [['Content-Type', 'application/json; charset=utf-8']],
    body: encodeUtf8(`${JSON.stringify(body)}\n`),
  };
}

function textResponse(body: string): HttpResponse {
  return {
    status: 200,
    headers: [['Content-Type', 'text/plain; version=0.0.4; charset=utf-8']],
    body: encodeUtf8(body),
  };
}

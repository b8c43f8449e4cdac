// A stage with a gateway: for schedules of objects, of their blobs, and of what becomes of those that nothing refers to.

import { equalBytes } from '../base/bytes.ts';
import { copies, type Geometry } from '../map/geometry.ts';
import type { GatewayOptions } from '../s3/gateway.ts';
import { s3Methods } from '../s3/index/methods.ts';
import type { WholeResponse } from '../testing/simulated-http.ts';
import { tell } from './recording.ts';
import { type S3Call, signedRequest } from './s3-request.ts';
import type { SimulatedGateway } from './simulated-cluster.ts';
import { Stage } from './stage.ts';
import { workloadMethods } from './workload.ts';

/** A second, where a cluster that people use has a quarter of an hour. */
export const garbageGraceMs = 1000;

const paces: Partial<GatewayOptions> = {
  garbageGraceMs,
  garbageIntervalMs: 1000,
  orphansIntervalMs: 5000,
  migrateIntervalMs: 1000,
};

const everyBlob = {
  begin: { incarnation: 0, counter: 0 },
  end: { incarnation: 1000, counter: 0 },
  cursor: undefined,
  limit: 1000,
} as const;

export class S3Stage {
  readonly stage: Stage;
  readonly gateway: SimulatedGateway;

  private constructor(stage: Stage, gateway: SimulatedGateway) {
    this.stage = stage;
    this.gateway = gateway;
  }

  /** A cluster with a bucket named `bucket`; its index in three copies. */
  static async open(
    osdCount: number,
    data: Geometry,
    options: Partial<GatewayOptions> = {},
  ): Promise<S3Stage> {
    const methods = new Map([...workloadMethods, ...s3Methods]);
    const index = copies(Math.min(3, osdCount), Math.min(2, osdCount - 1));
    const stage = new Stage(osdCount, index, false, data, 1, methods);
    await stage.start();
    const gateway = await stage.cluster.gateway({ ...paces, ...options });
    const s3 = new S3Stage(stage, gateway);
    await s3.expectStatus(200, { method: 'PUT', path: '/bucket' });
    return s3;
  }

  signed(call: S3Call) {
    return signedRequest(call, this.gateway.process.env.wall.nowMs());
  }

  request(call: S3Call): Promise<WholeResponse> {
    return this.gateway.process.http.request(this.signed(call));
  }

  send(call: S3Call): Promise<WholeResponse> {
    return this.stage.cluster.settle(this.request(call), `${call.method} ${call.path}`);
  }

  async expectStatus(status: number, call: S3Call): Promise<WholeResponse> {
    const answer = await this.send(call);
    const what = `${call.method} ${call.path}`;
    tell(this.stage.cluster, `${what}: ${answer.status}`);
    this.stage.expect(answer.status === status, `${what} is answered ${answer.status}`);
    return answer;
  }

  /** What is read is exactly this. */
  async expectObject(path: string, bytes: Uint8Array): Promise<void> {
    const { body } = await this.expectStatus(200, { method: 'GET', path });
    this.stage.expect(equalBytes(body, bytes), `${path} is what was written`);
  }

  /** Blobs that there are, whatever refers to them. */
  async blobCount(): Promise<number> {
    const listing = this.gateway.client.listBlobs('data', everyBlob);
    return (await this.stage.cluster.settle(listing, 'a listing')).blobs.length;
  }

  /** Resolves after so long, for who waits beside what runs. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.stage.cluster.scheduler.after(ms, 'client pause', resolve);
    });
  }
}

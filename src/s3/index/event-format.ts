// What has happened to objects and is still to be told: rows beside the keys, written in the call that changed the key.

import { bytes, type Carried, list, oneOf, option, struct, text, uint } from '../../base/codec.ts';
import { sealed } from './format.ts';

const topicName = struct({ owner: text, name: text });

/** Who did it and how, as events tell it. */
const causeFields = {
  principal: text,
  sourceAddress: text,
  requestId: text,
  /** Of the gateway. */
  hostId: text,
};
const cause = struct(causeFields);
export type EventCause = Carried<typeof cause>;

const event = struct({
  topic: topicName,
  /** `Id` of the rule that wants it told. */
  configurationId: text,
  /** As S3 names it in events, e.g. `ObjectCreated:Put`. */
  name: text,
  /** The primary's wall clock; what is told first, never an order. */
  wallMs: uint,
  bucket: text,
  bucketOwner: text,
  key: bytes,
  sizeBytes: option(uint),
  etag: option(text),
  versionId: option(text),
  /** Rises with each change of a key: 36 hexadecimal digits. */
  sequencer: text,
  ...causeFields,
});
export type QueuedEvent = Carried<typeof event>;
export const eventFormat = sealed('event', 0x56, event);

/** How many rows `q` there are, and of how many bytes. */
export const queueFormat = sealed('event queue', 0x51, struct({ count: uint, bytes: uint }));

/** A bucket that has, or had, notifications: the job that delivers looks at its shards. */
export const notifiedFormat = sealed('notified bucket', 0x4f, struct({ name: text }));

/**
 * What is to be told of a call if it does what it asks for. `item`: which of its keys. `marker`: what happened is that a
 * delete marker was put.
 */
export const eventNotices = struct({
  bucket: text,
  bucketOwner: text,
  ...causeFields,
  rules: list(struct({ topic: topicName, configurationId: text })),
  wanted: list(
    struct({
      item: uint,
      outcome: oneOf('done', 'marker'),
      name: text,
      /** Index in `rules`. */
      rule: uint,
    }),
  ),
});
export type EventNotices = Carried<typeof eventNotices>;

/** A row `q` as it was written. */
export const queuedRows = list(struct({ row: bytes, event: bytes }));
export type QueuedRow = Carried<typeof queuedRows>[number];

/** Of one shard. A webhook that is away holds up writes only after so many: 500 a minute for 20 minutes. */
export const queuedEventsMax = 10_000;
/** As much as is copied in a few seconds when a disk comes back. */
export const queuedBytesMax = 8 * 1024 * 1024;

/** Of one call: below what a call may write and answer, with keys of 1,024 bytes and names of 256. */
export const eventsPerCallMax = 1000;

// Every bound the gateway sets on what a client may send, with its reason.

/** Longest object key, in bytes of UTF-8: S3's own limit, and what keeps index rows under 3,072 bytes. */
export const keyBytesMax = 1024;

/** User metadata of an object, names and values together: S3's own limit. */
export const metadataBytesMax = 2048;

/** Where a website sends on from an object: S3's own limit. */
export const redirectBytesMax = 2048;

/**
 * All request headers together. S3 allows 8 KiB; a request with 2 KiB of metadata, ten tags and a long
 * presigned target stays well below, and a manifest must fit its 64 KiB whatever was sent.
 */
export const headerBytesMax = 16 * 1024;

/** The raw target: a 1,024-byte key sent as `%XX` is 3 KiB, and a presigned query adds about 2 KiB. */
export const targetBytesMax = 16 * 1024;

/**
 * A request body that is XML. The longest legal one is CompleteMultipartUpload with 10,000 parts and
 * a checksum each (about 1.9 MB); 1,000 keys of DeleteObjects, percent-heavy, stay near 1 MB.
 */
export const xmlBytesMax = 2 * 1024 * 1024;

/** Largest object in a single PUT, part, or copy: S3's own limit. */
export const putBytesMax = 5 * 1024 ** 3;

/** Largest object: S3's limit, and 1.3 million blobs. */
export const objectBytesMax = 5 * 1024 ** 4;

/** Smallest part but the last: S3's own limit; it bounds how fragmented a manifest gets. */
export const partBytesMin = 5 * 1024 * 1024;

export const partNumberMax = 10_000;

/** Keys in a DeleteObjects request and items on a listing page: S3's own limit. */
export const keysPerRequestMax = 1000;

/** S3's own limits on tags. */
export const tagsMax = 10;
export const bucketTagsMax = 50;
export const tagKeyCharactersMax = 128;
export const tagValueCharactersMax = 256;

/** How far a request's date may be from ours: S3's own limit, and how long a captured request can be replayed. */
export const clockSkewMsMax = 15 * 60 * 1000;

/** Longest life of a presigned URL: S3's own limit; signing keys change with the day anyway. */
export const presignedSecondsMax = 7 * 24 * 3600;

/** A client that sends nothing for so long holds a connection and buffers for nothing. */
export const bodyStallMsMax = 60_000;

/**
 * Longest time to fill one blob of 4 MiB: 4.6 kB/s. Slower clients would hold a share of the
 * gateway's buffers each, and two dozen of them would stop everybody else.
 */
export const blobFillMsMax = 15 * 60 * 1000;

/**
 * GETs end themselves after this: garbage collection relies on no read being older (rule 29 of the
 * protocol).
 */
export const readMsMax = 24 * 3600 * 1000;

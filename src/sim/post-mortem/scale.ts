// How much smaller the simulated story is than the real one. Every figure that is shown is scaled up again, but times.

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;

/** What is stored: 300 GiB are 150 MiB. */
export const bytesScale = 2048;

/** One write of the copy is 4 MiB: as many as fit a minute of one core, so that they are larger than they should be. */
export const pieceScale = 128;

/** A byte that a daemon holds counts for so many: between the two above, since it is pieces of what is stored. */
export const memoryScale = 256;

/** Of disks. Bytes are scaled by twenty times as much: what took an hour takes three minutes. */
export const rateScale = 100;

export const scaleWords: string =
  `stored bytes 1:${bytesScale}, pieces of 4 MiB 1:${pieceScale}, memory 1:${memoryScale}, rates of disks 1:${rateScale}; ` +
  `an hour of copying is some three minutes, timeouts are as they are`;

/** The VM's disk that is copied in. */
export const copyBytes: number = (300 * gibibyte) / bytesScale;
export const pieceBytes: number = (4 * mebibyte) / pieceScale;

/** A seek is a seek; 150 MB/s, and 500. */
export const hdd = { seekMs: 4, bytesPerMs: 150_000 / rateScale };
export const ssd = { seekMs: 0.2, bytesPerMs: 500_000 / rateScale };

/** Small machines, in bytes as they are in the story. */
export const machineMemoryBytes: number = 8 * gibibyte;
/** API server, etcd, monitor and what else a controller runs. */
export const controlPlaneBytes: number = 2 * gibibyte;
/** The system and other people's pods: a controller has fewer of them, since it has its control plane. */
export const otherBytes: number = 5.7 * gibibyte;
export const otherBytesOfController: number = 3.7 * gibibyte;
/** A daemon that holds nothing for anybody: measured, an OSD that leads as many groups as here. */
export const osdRestBytes: number = 96 * mebibyte;
/** Of the store's cache, 16 MiB, so that it counts as what it is. */
export const cacheBytes: number = (16 * mebibyte) / memoryScale;

export function inGibibytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}

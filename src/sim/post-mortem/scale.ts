// How much smaller the simulated story is than the real one. Every figure that is shown is scaled up again, but times.

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;
const gibibyte = 1024 * mebibyte;

/** Bytes that are stored, held in memory and passed by disks; so an hour of copying is an hour of virtual time. */
export const scale = 100;

export const scaleWords: string = `bytes, memory and rates of disks 1:${scale}, times as they are`;

/** The VM's disk that is copied in: 3 GiB are written, and three times as much is stored. */
export const copyBytes: number = (300 * gibibyte) / scale;
/** What a VM writes at once: 4 MiB. */
export const pieceBytes: number = Math.ceil((4 * mebibyte) / scale);
/** What the copy writes at once, 16 MiB: four times fewer events, of which there are twenty thousand even so. */
export const copyPieceBytes: number = Math.ceil((16 * mebibyte) / scale);
/** Of a disk: 1.6 TiB. */
export const capacityBytes: number = 16 * gibibyte;

/** A seek is a seek; 150 MB/s, and 500. */
export const hdd = { seekMs: 4, bytesPerMs: 150_000 / scale };
export const ssd = { seekMs: 0.2, bytesPerMs: 500_000 / scale };

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
export const cacheBytes: number = Math.ceil((16 * mebibyte) / scale);

export function inGibibytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}

// The names of the additional checksums; stored formats number them by position, so append only.

export const checksumAlgorithms = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;
export type ChecksumAlgorithm = (typeof checksumAlgorithms)[number];

export const checksumTypes = ['FULL_OBJECT', 'COMPOSITE'] as const;
export type ChecksumType = (typeof checksumTypes)[number];

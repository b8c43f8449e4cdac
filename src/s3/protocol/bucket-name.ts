// S3's rules for bucket names: they must work as a host name's label.

import { S3Error } from './errors.ts';

export function isBucketName(name: string): boolean {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) return false;
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(name)) return false;
  if (/\.\.|\.-|-\./.test(name)) return false;
  return !name.startsWith('xn--') && !name.endsWith('-s3alias');
}

export function checkBucketName(name: string): void {
  if (!isBucketName(name))
    throw new S3Error('InvalidBucketName', undefined, {
      detail: { BucketName: name.slice(0, 255) },
    });
}

// Which S3 action a request is. Subresources in the query decide before the method does; what is not
// here is refused by its name, never taken for something simpler: `PUT ?acl` must not become an upload.

import type { Operation } from './context.ts';
import { refuseUnknownHeaders } from './known-headers.ts';
import { abortMultipartUpload } from './operations/abort-multipart-upload.ts';
import { getBucketAcl, getObjectAcl, putBucketAcl, putObjectAcl } from './operations/bucket-acl.ts';
import { deleteBucketCors, getBucketCors, putBucketCors } from './operations/bucket-cors.ts';
import {
  deleteBucketEncryption,
  getBucketEncryption,
  putBucketEncryption,
} from './operations/bucket-encryption.ts';
import {
  deleteBucketLifecycle,
  getBucketLifecycle,
  putBucketLifecycle,
} from './operations/bucket-lifecycle.ts';
import {
  getBucketLogging,
  postBucketLogging,
  putBucketLogging,
} from './operations/bucket-logging.ts';
import {
  deleteBucketNotification,
  getBucketNotification,
  putBucketNotification,
} from './operations/bucket-notification.ts';
import {
  deleteBucketOwnershipControls,
  deletePublicAccessBlock,
  getBucketOwnershipControls,
  getPublicAccessBlock,
  putBucketOwnershipControls,
  putPublicAccessBlock,
} from './operations/bucket-ownership.ts';
import {
  deleteBucketPolicy,
  getBucketPolicy,
  getBucketPolicyStatus,
  putBucketPolicy,
} from './operations/bucket-policy.ts';
import {
  getBucketAccelerate,
  getBucketLocation,
  getBucketReplication,
  headBucket,
} from './operations/bucket-properties.ts';
import {
  getBucketRequestPayment,
  putBucketRequestPayment,
} from './operations/bucket-request-payment.ts';
import {
  deleteBucketTagging,
  getBucketTagging,
  putBucketTagging,
} from './operations/bucket-tagging.ts';
import { getBucketVersioning, putBucketVersioning } from './operations/bucket-versioning.ts';
import {
  deleteBucketWebsite,
  getBucketWebsite,
  putBucketWebsite,
} from './operations/bucket-website.ts';
import { completeMultipartUpload } from './operations/complete-multipart-upload.ts';
import { copyObject } from './operations/copy-object.ts';
import { createBucket } from './operations/create-bucket.ts';
import { createMultipartUpload } from './operations/create-multipart-upload.ts';
import { deleteBucket } from './operations/delete-bucket.ts';
import { deleteObject } from './operations/delete-object.ts';
import { deleteObjects } from './operations/delete-objects.ts';
import { getObject, headObject } from './operations/get-object.ts';
import { getObjectAttributes } from './operations/get-object-attributes.ts';
import { listBuckets } from './operations/list-buckets.ts';
import { listMultipartUploads } from './operations/list-multipart-uploads.ts';
import { listObjectVersions } from './operations/list-object-versions.ts';
import { listObjects, listObjectsV2 } from './operations/list-objects.ts';
import { listParts } from './operations/list-parts.ts';
import {
  getObjectLegalHold,
  getObjectLockConfiguration,
  getObjectRetention,
  putObjectLegalHold,
  putObjectLockConfiguration,
  putObjectRetention,
} from './operations/object-lock.ts';
import {
  deleteObjectTagging,
  getObjectTagging,
  putObjectTagging,
} from './operations/object-tagging.ts';
import { postObject } from './operations/post-object.ts';
import { putObject } from './operations/put-object.ts';
import { uploadPart, uploadPartCopy } from './operations/upload-part.ts';
import { S3Error } from './protocol/errors.ts';
import type { S3Request } from './protocol/request.ts';

/** Everything S3 knows as a subresource. */
const subresources = new Set([
  'abac',
  'accelerate',
  'acl',
  'analytics',
  'append',
  'attributes',
  'cors',
  'delete',
  'encryption',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'lifecycle',
  'location',
  'logging',
  'metadataConfiguration',
  'metadataTable',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'publicAccessBlock',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'renameObject',
  'select',
  'session',
  'tagging',
  'torrent',
  'uploadId',
  'uploads',
  'versioning',
  'versions',
  'website',
]);

/** What may stand in the query of a write without a value, beside subresources. */
const parameters = new Set(['partNumber', 'versionId', 'x-id']);

type Routes = Readonly<Record<string, Operation>>;

/** `METHOD` or `METHOD subresource`. */
const bucketRoutes: Routes = {
  PUT: createBucket,
  HEAD: headBucket,
  DELETE: deleteBucket,
  GET: (context) =>
    context.request.query.get('list-type') === '2' ? listObjectsV2(context) : listObjects(context),
  'GET location': getBucketLocation,
  'GET versioning': getBucketVersioning,
  'GET encryption': getBucketEncryption,
  'PUT encryption': putBucketEncryption,
  'DELETE encryption': deleteBucketEncryption,
  'GET lifecycle': getBucketLifecycle,
  'PUT lifecycle': putBucketLifecycle,
  'DELETE lifecycle': deleteBucketLifecycle,
  'PUT versioning': putBucketVersioning,
  'GET versions': listObjectVersions,
  'GET acl': getBucketAcl,
  'PUT acl': putBucketAcl,
  'GET ownershipControls': getBucketOwnershipControls,
  'PUT ownershipControls': putBucketOwnershipControls,
  'DELETE ownershipControls': deleteBucketOwnershipControls,
  'GET publicAccessBlock': getPublicAccessBlock,
  'PUT publicAccessBlock': putPublicAccessBlock,
  'DELETE publicAccessBlock': deletePublicAccessBlock,
  'PUT policy': putBucketPolicy,
  'DELETE policy': deleteBucketPolicy,
  'GET policyStatus': getBucketPolicyStatus,
  'GET object-lock': getObjectLockConfiguration,
  'PUT object-lock': putObjectLockConfiguration,
  'GET uploads': listMultipartUploads,
  POST: postObject,
  'POST delete': deleteObjects,
  'GET accelerate': getBucketAccelerate,
  'GET cors': getBucketCors,
  'PUT cors': putBucketCors,
  'DELETE cors': deleteBucketCors,
  'GET logging': getBucketLogging,
  'PUT logging': putBucketLogging,
  'POST logging': postBucketLogging,
  'GET notification': getBucketNotification,
  'PUT notification': putBucketNotification,
  'DELETE notification': deleteBucketNotification,
  'GET policy': getBucketPolicy,
  'GET replication': getBucketReplication,
  'GET requestPayment': getBucketRequestPayment,
  'PUT requestPayment': putBucketRequestPayment,
  'GET tagging': getBucketTagging,
  'PUT tagging': putBucketTagging,
  'DELETE tagging': deleteBucketTagging,
  'GET website': getBucketWebsite,
  'PUT website': putBucketWebsite,
  'DELETE website': deleteBucketWebsite,
};

const objectRoutes: Routes = {
  PUT: (context) =>
    context.request.headers.has('x-amz-copy-source') ? copyObject(context) : putObject(context),
  GET: getObject,
  HEAD: headObject,
  DELETE: deleteObject,
  'GET tagging': getObjectTagging,
  'PUT tagging': putObjectTagging,
  'DELETE tagging': deleteObjectTagging,
  'GET acl': getObjectAcl,
  'PUT acl': putObjectAcl,
  'GET attributes': getObjectAttributes,
  'GET retention': getObjectRetention,
  'PUT retention': putObjectRetention,
  'GET legal-hold': getObjectLegalHold,
  'PUT legal-hold': putObjectLegalHold,
  'POST uploads': createMultipartUpload,
  'PUT uploadId': (context) =>
    context.request.headers.has('x-amz-copy-source')
      ? uploadPartCopy(context)
      : uploadPart(context),
  'POST uploadId': completeMultipartUpload,
  'DELETE uploadId': abortMultipartUpload,
  'GET uploadId': listParts,
};

/** What is there, as `METHOD` or `METHOD subresource`; the reference page lists it. */
export const routeNames: Readonly<Record<'bucket' | 'object', readonly string[]>> = {
  bucket: Object.keys(bucketRoutes).sort(),
  object: Object.keys(objectRoutes).sort(),
};

/** What of an object or bucket the request is about; undefined: all of it. */
export function subresourceOf(request: S3Request): string | undefined {
  if (request.rawQuery === '') return undefined;
  for (const name of request.query.keys()) if (subresources.has(name)) return name;
  return undefined;
}

const reads = new Set(['GET', 'HEAD']);

/**
 * What a write would leave out is refused: a subresource that nobody knows must not make of `PUT ?new` the bucket, nor
 * of `DELETE ?new` its end, and an upload goes to no version or part. Throws `NotImplemented` by name, `InvalidArgument`.
 */
function checkWrite(request: S3Request, name: string): void {
  const { query, headers, key, rawQuery } = request;
  const kind = key === undefined ? 'bucket' : 'object';
  refuseUnknownHeaders(`${kind} ${name}`, headers);
  if (rawQuery === '') return;
  for (const [parameter, value] of query) {
    if (value !== '' || subresources.has(parameter) || parameters.has(parameter)) continue;
    if (!parameter.toLowerCase().startsWith('x-amz-'))
      throw new S3Error(
        'NotImplemented',
        `${request.method} ?${parameter.slice(0, 100)} is not implemented`,
      );
  }
  const isUpload = name === 'PUT' || name === 'PUT uploadId' || name === 'POST uploads';
  if (isUpload && key !== undefined && query.has('versionId'))
    throw new S3Error('InvalidArgument', 'This operation does not accept a version-id.', {
      detail: { ArgumentName: 'versionId' },
    });
  if (name === 'PUT' && query.has('partNumber'))
    throw new S3Error('InvalidArgument', 'A partNumber needs the uploadId that it belongs to', {
      detail: { ArgumentName: 'partNumber' },
    });
}

/** Throws `NotImplemented`, `MethodNotAllowed`, `InvalidArgument`. */
export function route(request: S3Request): Operation {
  const { method, bucket, key } = request;
  const subresource = subresourceOf(request);
  if (bucket === undefined) {
    if (method === 'GET' && subresource === undefined) return listBuckets;
    throw new S3Error('MethodNotAllowed');
  }
  const routes = key === undefined ? bucketRoutes : objectRoutes;
  const name = subresource === undefined ? method : `${method} ${subresource}`;
  const operation = Object.hasOwn(routes, name) ? routes[name] : undefined;
  if (operation !== undefined) {
    if (!reads.has(method)) checkWrite(request, name);
    return operation;
  }
  if (subresource !== undefined)
    throw new S3Error('NotImplemented', `${method} ?${subresource} is not implemented`);
  throw new S3Error('MethodNotAllowed');
}

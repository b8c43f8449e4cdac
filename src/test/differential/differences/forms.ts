// Of the family `forms`.

import type { Form } from '../form.ts';
import type { Step } from '../side.ts';
import { api, apiPage, guide, type KnownDifference, outcome } from './known-difference.ts';

const families = ['forms'];

const action = /^PostObject$/;

function fieldOf(form: Form | undefined, name: string): string | undefined {
  return form?.fields.find(([each]) => each === name)?.[1];
}

/** What of a form is refused by itself, whatever else is wrong with it. */
function faultsOf({ form, path }: Step): number {
  if (form === undefined) return 0;
  const { policy, proof = 'v4' } = form;
  return [
    path.startsWith('/no-such-bucket'),
    form.contentType !== undefined,
    form.file === undefined,
    policy === undefined,
    policy !== undefined && !/^v[24]$/.test(proof),
    (fieldOf(form, 'key') ?? '') === '',
    fieldOf(form, 'acl') === 'nonsense',
    fieldOf(form, 'x-amz-storage-class') === 'NONSENSE',
    fieldOf(form, 'tagging') === '<Tagging><TagSet>',
    policy !== undefined && !policy.includes('"expiration":"2035-01-01T00:00:00'),
    /"content-length-range"/.test(policy ?? ''),
    policy !== undefined && isOpen(form, policy),
  ].filter((each) => each).length;
}

/** Whether it is not JSON, lacks what each policy has, or has a condition of no known form. */
function isNoPolicy(policy: string): boolean {
  let value: unknown;
  try {
    value = JSON.parse(policy);
  } catch {
    return true;
  }
  if (typeof value !== 'object' || value === null) return true;
  const { expiration, conditions } = value as Readonly<Record<string, unknown>>;
  if (typeof expiration !== 'string' || !/^\d{4}-/.test(expiration)) return true;
  if (!Array.isArray(conditions)) return true;
  return conditions.some((each: unknown) => {
    if (typeof each !== 'object' || each === null) return true;
    if (Array.isArray(each)) {
      const [kind, field] = each as readonly unknown[];
      if (each.length !== 3) return true;
      if (kind === 'content-length-range') return false;
      return (kind !== 'eq' && kind !== 'starts-with') || !String(field).startsWith('$');
    }
    const values = Object.values(each as Readonly<Record<string, unknown>>);
    return values.length === 0 || values.some((one) => typeof one !== 'string');
  });
}

/** Whether the policy leaves out a field, or has a condition that none can hold. */
function isOpen(form: Form, policy: string): boolean {
  const named = form.fields.map(([name]) => name).filter((name) => !name.startsWith('x-ignore-'));
  const proof = form.proof?.startsWith('v2') === true ? [] : ['x-amz-date'];
  const isUnspoken = ['bucket', ...named, ...proof].some((name) => !policy.includes(name));
  return (
    isUnspoken ||
    /"other?"|"oth?"|"o"|missing|\$\{|nonsense|"conditions":(\{\}|"x")|12|\[\]|\{\}/.test(policy)
  );
}

export const formDifferences: readonly KnownDifference[] = [
  {
    title: 'A form’s answer has the ETag and the location in its headers, and the ETag in quotes',
    families,
    action,
    field: /^(header (etag|location)|PostResponse\/ETag)$/,
    holdfast: /^("[0-9a-f]{32}"|http:\/\/.*)$/,
    peer: /^(-|[0-9a-f]{32})$/,
    right: 'both',
    page: apiPage('RESTObjectPOST'),
    why: 'The page lists neither header, and has no example of an answer. S3 is seen to send both, and to quote.',
  },
  {
    title: 'The location of what a form put is a URI',
    families,
    action,
    field: /^PostResponse\/Location$/,
    right: 'Holdfast',
    page: apiPage('RESTObjectPOST'),
    quote: 'Location: The URI of the object.',
    why: 'radosgw leaves out the scheme.',
  },
  {
    title: 'A form with a wrong signature or an unknown key is told so',
    families,
    action,
    field: /^code$/,
    holdfast: /^(SignatureDoesNotMatch|InvalidAccessKeyId)$/,
    peer: /^AccessDenied$/,
    when: ({ form }) => /(wrong|unknown-key)$/.test(form?.proof ?? ''),
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'SignatureDoesNotMatch: The request signature that the server calculated does not match the signature that you provided. … 403 Forbidden',
    why: 'And InvalidAccessKeyId for a key that “does not exist in our records”.',
  },
  {
    title: 'A policy of a form that can’t be understood is InvalidPolicyDocument',
    families,
    action,
    field: outcome,
    holdfast: /^(400|InvalidPolicyDocument)$/,
    peer: /^(400|403|InvalidArgument|AccessDenied)$/,
    when: ({ form }) => isNoPolicy(form?.policy ?? ''),
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'InvalidPolicyDocument is explained as “The content of the form does not meet the conditions specified in the policy document”, for which both services answer AccessDenied; S3 is seen to answer as Holdfast does.',
  },
  {
    title: 'A range of sizes that none can have is no policy',
    families,
    action,
    field: outcome,
    holdfast: /^(400|InvalidPolicyDocument)$/,
    when: ({ form }) =>
      /"content-length-range",(-1,|10,1\]|2000,10\]|"a",)/.test(form?.policy ?? ''),
    right: 'both',
    page: apiPage('sigv4-HTTPPOSTConstructPolicy'),
    why: 'What such a range means is not said. radosgw compares the size with each of the two.',
  },
  {
    title: 'A `success_action_status` that is none is 204',
    families,
    action,
    field: outcome,
    holdfast: /^(204|-)$/,
    peer: /^(400|InvalidArgument)$/,
    when: ({ form }) => fieldOf(form, 'success_action_status') === 'x',
    right: 'Holdfast',
    page: apiPage('RESTObjectPOST'),
    quote:
      'If the value is not set or if it is set to a value that is not valid, Amazon S3 returns an empty document with a 204 status code.',
    why: '',
  },
  {
    title: 'A `success_action_redirect` that is no URL is passed over',
    families,
    action,
    field: /^status$/,
    peer: /^303$/,
    when: ({ form }) => /^(nonsense)?$/.test(fieldOf(form, 'success_action_redirect') ?? 'none'),
    right: 'Holdfast',
    page: apiPage('RESTObjectPOST'),
    quote: 'If Amazon S3 cannot interpret the URL, it acts as if the field is not present.',
    why: '',
  },
  {
    title: '`redirect` is the older name of `success_action_redirect`',
    families,
    action,
    field: /^status$/,
    holdfast: /^303$/,
    when: ({ form }) => fieldOf(form, 'redirect') !== undefined,
    right: 'Holdfast',
    page: apiPage('RESTObjectPOST'),
    quote:
      'The redirect field name is deprecated, and support for the redirect field name will be removed in the future.',
    why: 'Until then it is there. radosgw has no such field.',
  },
  {
    title: 'Tags of a form that are no XML are MalformedXML',
    families,
    action,
    field: /^code$/,
    holdfast: /^MalformedXML$/,
    peer: /^InvalidArgument$/,
    when: ({ form }) => fieldOf(form, 'tagging') === '<Tagging><TagSet>',
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'MalformedXML: The XML that you provided was not well formed or did not validate against our published schema.',
    why: '',
  },
  {
    title: 'What stands in for the file’s name is judged as what it becomes',
    families,
    action,
    field: /^(status|code|PostResponse\/Key)$/,
    holdfast: /^(403|AccessDenied|[^\\]+)$/,
    peer: /^(20[014]|303|40[04]|-|EntityToo\w+|InvalidArgument|NoSuchBucket|.*\\.*)$/,
    when: ({ form }) =>
      (fieldOf(form, 'key') ?? '').includes('${') &&
      (/"\$?key"[:,]"\$/.test(form?.policy ?? '') || form?.fileName.includes('\\') === true),
    right: 'Holdfast',
    page: apiPage('sigv4-HTTPPOSTConstructPolicy'),
    quote:
      'All variables within the form are expanded prior to validating the POST policy. Therefore, all condition matching should be against the expanded form fields.',
    why: 'And of a path “only the text following the last slash (/) or backslash (\\) is used” (HTTPPOSTForms); radosgw takes all of it.',
  },
  {
    title: 'A form has exactly one file',
    families,
    action,
    field: outcome,
    holdfast: /^(400|InvalidArgument)$/,
    when: ({ form }) => form?.file === undefined,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'IncorrectNumberOfFilesInPostRequest: POST requires exactly one file upload per request. 400 Bad Request',
    why: 'S3 is seen to say so with the code InvalidArgument, and Holdfast does as that. radosgw stores nothing under the key, as an object.',
  },
  {
    title: 'A form that is not multipart is 412',
    families,
    action,
    field: outcome,
    holdfast: /^(412|PreconditionFailed)$/,
    when: ({ form }) => form?.contentType !== undefined,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'RequestIsNotMultiPartContent: A bucket POST request must be of the enclosure-type multipart/form-data. 412 Precondition Failed',
    why: 'The code that S3 is seen to send is PreconditionFailed.',
  },
  {
    title: 'An unknown storage class in a form is InvalidStorageClass',
    families,
    action,
    field: /^code$/,
    holdfast: /^InvalidStorageClass$/,
    peer: /^InvalidArgument$/,
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote: 'InvalidStorageClass: The storage class that you specified is not valid.',
    why: '',
  },
  {
    title: 'What a form says of caches and disposition is kept',
    families,
    action: /^(Get|Head)Object$/,
    field: /^header (cache-control|content-disposition)$/,
    holdfast: /^(max-age=5|attachment)$/,
    peer: /^-$/,
    right: 'Holdfast',
    page: apiPage('RESTObjectPOST'),
    quote:
      'Cache-Control, Content-Type, Content-Disposition, Content-Encoding, Expires: REST-specific headers.',
    why: '',
  },
  {
    title: 'Of two faults of a form one is told',
    families,
    action,
    field: outcome,
    holdfast: /^(4\d\d|[A-Z]\w+)$/,
    peer: /^(4\d\d|[A-Z]\w+)$/,
    when: (step) => faultsOf(step) > 1,
    right: 'both',
    page: apiPage('ErrorResponses'),
    why: 'The errors of both are listed, in no order of precedence.',
  },
  {
    title: 'What a redirect has in its query stays, and more is added',
    families,
    action,
    field: /^header location$/,
    holdfast: /\?a=b&bucket=/,
    peer: /\?a=b\?bucket=/,
    right: 'Holdfast',
    page: guide('HTTPPOSTForms'),
    quote:
      'Amazon S3 appends the bucket, key, and etag values as query string parameters to the URL.',
    why: '',
  },
  {
    title: 'Objects of the class STANDARD do not tell it',
    families,
    action: /^(Get|Head)Object$/,
    field: /^header x-amz-storage-class$/,
    holdfast: /^-$/,
    peer: /^STANDARD$/,
    right: 'Holdfast',
    page: api('GetObject'),
    quote:
      'Amazon S3 returns this header for all objects except for S3 Standard storage class objects.',
    why: 'So does radosgw where no field named the class.',
  },
];

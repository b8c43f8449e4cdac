// Of the family `websites`.

import { badConfigurations } from '../families/websites.ts';
import { apiPage, guide, type KnownDifference, outcome, rfc9110 } from './known-difference.ts';

const families = ['websites'];

export const websiteDifferences: readonly KnownDifference[] = [
  {
    title: 'A folder without its slash is sent to where its index is',
    families,
    action: /^Browse$/,
    field: outcome,
    holdfast: /^(302|-)$/,
    peer: /^(200|206|30[147]|412|416|PreconditionFailed|InvalidRange|-)$/,
    when: ({ path }) => path === '/dir',
    right: 'Holdfast',
    page: guide('IndexDocumentSupport'),
    quote:
      'it searches for an index document, photos/index.html. If that document is found, Amazon S3 returns a 302 Found message and points to the photos/ key.',
    why: 'radosgw shows the index in place, so that its relative links lead elsewhere.',
  },
  {
    title: 'Where the index of a folder can’t be shown, the folder is not there',
    families,
    action: /^Browse$/,
    field: outcome,
    holdfast: /^(30[17]|40[34]|NoSuchKey|AccessDenied|\w{12}|-)$/,
    peer: /^(30[17]|40[34]|NoSuchKey|AccessDenied|\w{12}|-)$/,
    when: ({ path }) => path === '/dir',
    right: 'both',
    page: guide('IndexDocumentSupport'),
    why: '“If the index document is not found, Amazon S3 returns an error”; which one is not said. radosgw answers, and goes by rules, for the index.',
  },
  {
    title: 'Ranges and conditions are not of the error document',
    families,
    action: /^Browse$/,
    field: /./,
    statuses: /^40[34] (200|206|304|40[34]|41[26])$/,
    when: ({ headers = {} }) =>
      headers.range !== undefined ||
      headers['if-match'] !== undefined ||
      headers['if-none-match'] !== undefined,
    right: 'Holdfast',
    page: rfc9110('section-13.2.1'),
    quote:
      'A server MUST ignore all received preconditions if its response to the same request without those conditions, prior to processing the request content, would have been a status code other than a 2xx (Successful) or 412 (Precondition Failed).',
    why: 'Of ranges section 14.2 says so: “only if the result in absence of the Range header field would be a 200 (OK) response”.',
  },
  {
    title: 'Where a request is sent on to is percent-encoded',
    families,
    action: /^Browse$/,
    field: /^header location$/,
    holdfast: /%C3%BC/,
    right: 'Holdfast',
    page: rfc9110('section-10.2.2'),
    quote: 'Location = URI-reference',
    why: 'A URI has no characters beyond ASCII. radosgw sends the bytes as they are.',
  },
  {
    title: 'A configuration that the schema does not have is refused',
    families,
    action: /^PutBucketWebsite$/,
    field: outcome,
    holdfast: /^(400|MalformedXML|InvalidArgument)$/,
    peer: /^(200|MalformedXML|InvalidArgument|-)$/,
    when: ({ body }) => badConfigurations.includes(String(body)),
    right: 'Holdfast',
    page: apiPage('ErrorResponses'),
    quote:
      'MalformedXML: The XML that you provided was not well formed or did not validate against our published schema.',
    why: 'RedirectAllRequestsTo has HostName as “Required: Yes”, ErrorDocument Key; of IndexDocument’s Suffix it says “The suffix must not be empty and must not include a slash character”. radosgw takes such configurations, or answers InvalidArgument.',
  },
];

// All kinds of differences from radosgw that are understood. docs/reference/s3-differences.md is made of them.

import type { Difference } from './compare.ts';
import { encryptionDifferences } from './differences/encryption.ts';
import { formDifferences } from './differences/forms.ts';
import { isKnown, type KnownDifference } from './differences/known-difference.ts';
import { loggingDifferences } from './differences/logging.ts';
import { notificationDifferences } from './differences/notifications.ts';
import { lockDifferences } from './differences/object-lock.ts';
import { objectDifferences } from './differences/objects.ts';
import { quotaDifferences } from './differences/quotas.ts';
import { requestPaymentDifferences } from './differences/request-payment.ts';
import { sessionDifferences } from './differences/sessions.ts';
import { userDifferences } from './differences/users.ts';
import { websiteDifferences } from './differences/websites.ts';
import { measuredPart } from './measured.ts';
import type { Step } from './side.ts';

interface Chapter {
  readonly title: string;
  readonly differences: readonly KnownDifference[];
}

const chapters: readonly Chapter[] = [
  { title: 'Objects and buckets', differences: objectDifferences },
  { title: 'Encryption', differences: encryptionDifferences },
  { title: 'Object lock', differences: lockDifferences },
  { title: 'Websites', differences: websiteDifferences },
  { title: 'Forms', differences: formDifferences },
  { title: 'Users', differences: userDifferences },
  { title: 'Sessions', differences: sessionDifferences },
  { title: 'Requesters that pay', differences: requestPaymentDifferences },
  { title: 'Logging', differences: loggingDifferences },
  { title: 'Notifications', differences: notificationDifferences },
  { title: 'Quotas', differences: quotaDifferences },
];

export const knownDifferences: readonly KnownDifference[] = chapters.flatMap(
  ({ differences }) => differences,
);

/** Its title; undefined for what nobody has explained. */
export function explanationOf(
  family: string,
  step: Step,
  difference: Difference,
): string | undefined {
  return knownDifferences.find((known) => isKnown(known, family, step, difference))?.title;
}

/** docs/reference/s3-differences.md. */
export function differencesPage(): string {
  const tables = chapters.map(({ title, differences }) => tableOf(title, differences));
  return `# Differences from radosgw

\`npm run differential\` sends random sequences of S3 operations to a cluster and to another service, and compares statuses, error codes, chosen headers and documents field by field. What differed from radosgw 16.2.15 was mended here, or is one of these kinds, each with the line of Amazon’s documentation, or of the standard that it refers to, and who does as it says. Where no line decides, either may be right, and the page named is the nearest. This page is made from \`src/test/differential\`.

| family | what is drawn |
|---|---|
| objects | objects, copies, versions, listings, multipart uploads, tags, access lists, policies, CORS and lifecycle rules |
| encryption | SSE-C, SSE-S3 and SSE-KMS of objects, copies and uploads in parts, with keys that are right, wrong, malformed or missing, and what a bucket encrypts by default |
| object-lock | configuration and default retention, retention and legal hold, passing over governance, compliance, and deletes of what is locked |
| websites | configurations, good and bad, index and error documents, routing rules and redirects, as a browser sees them |
| forms | policies and conditions of forms, \`success_action_status\` and \`success_action_redirect\`, fields missing and too many, signatures of both versions, right and wrong |
| users | two users and nobody: what they may do in each other’s bucket by policies, access lists, public access blocks and policies of a user’s own |
| sessions | roles, their trust and policies, AssumeRole and GetSessionToken with durations and session policies, requests with a session’s keys in two users’ buckets, and tokens missing, cut or of other keys |
| request-payment | buckets whose requesters pay, asked by two users and nobody who say that they pay, something else, or nothing |
| logging | configurations of bucket logging, good and bad, and requests to a bucket that is logged; radosgw 16 has no logging, so that the records are held against Amazon’s description of each field |
| notifications | topics over SNS’s API, notification configurations with filters, and what their webhook is told of puts, copies, forms, uploads in parts and deletes, field by field |
| quotas | quotas of a bucket or a user in objects and bytes, set by who runs the service, passed and not passed by puts, copies and uploads in parts |

A sequence goes on only while both services hold the same: where one did what the other refused, what it did is taken away again on both, and where that can’t be, the sequence ends.

${measuredPart()}
${tables.join('\n')}`;
}

function tableOf(heading: string, differences: readonly KnownDifference[]): string {
  const rows = differences.map(({ title, right, quote, why, page }) => {
    const words = quote === undefined ? 'No line decides.' : `“${inCell(quote)}”`;
    const link = `[${page.title}](${page.address})`;
    return `| ${title} | ${right} | ${words} ${link} | ${why} |`;
  });
  return `## ${heading}

| what differs | right | the line | beside it |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** As text of a table's cell: what looks like markup is shown. */
function inCell(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('|', '\\|').replaceAll('*', '\\*');
}

// What the last long run against radosgw gave, and how that was set up.

interface Measured {
  readonly family: string;
  readonly operations: number;
  readonly equal: number;
  /** With differences that the page explains; the rest had others. */
  readonly explained: number;
}

/** By hand, from what the runs printed. */
const runs: readonly { readonly seeds: string; readonly families: readonly Measured[] }[] = [
  {
    seeds: '1001 to 1060',
    families: [
      { family: 'objects', operations: 3723, equal: 1324, explained: 2399 },
      { family: 'encryption', operations: 3366, equal: 684, explained: 2682 },
      { family: 'object-lock', operations: 3192, equal: 1165, explained: 2027 },
      { family: 'websites', operations: 5220, equal: 3747, explained: 1473 },
      { family: 'forms', operations: 3229, equal: 1391, explained: 1838 },
      { family: 'users', operations: 3555, equal: 2448, explained: 1107 },
    ],
  },
  {
    seeds: '1001 to 1040',
    families: [
      { family: 'sessions', operations: 3480, equal: 1922, explained: 1558 },
      { family: 'request-payment', operations: 2226, equal: 988, explained: 1238 },
      { family: 'logging', operations: 3360, equal: 1377, explained: 1983 },
      { family: 'notifications', operations: 4016, equal: 1259, explained: 2757 },
      { family: 'quotas', operations: 915, equal: 235, explained: 680 },
    ],
  },
];

const setup = `radosgw was Debian 12’s, on one monitor and one OSD, with \`rgw_crypt_require_ssl = false\`, \`rgw_crypt_s3_kms_backend = testing\` and two keys \`testkey-1\` and \`testkey-2\` of 32 bytes in \`rgw_crypt_s3_kms_encryption_keys\`, \`rgw_enable_static_website = true\`, \`rgw_enable_apis = s3, s3website, sts, iam, admin, notifications\`, \`rgw_s3_auth_use_sts = true\` and an \`rgw_sts_key\`, \`rgw_bucket_quota_soft_threshold = 2\` and \`rgw_user_quota_bucket_sync_interval = 1\`, names for \`rgw_dns_name\` and \`rgw_dns_s3website_name\`, and \`rgw_multi_obj_del_max_aio = 1\`: deleting several keys of one request at once, it was seen to end with a segmentation fault. Its users were \`main\` (main@example.com, with the capabilities \`user-policy=*\`, \`roles=*\`, \`users=*\` and \`buckets=*\`) and \`alt\` (alt@example.com); a cluster of its own is given the same by the test. It was called with \`--against URL --against-keys ACCESS:SECRET --against-alt-keys ACCESS:SECRET --against-websites NAME --against-admin\`. Its topics send events to a webhook of the test’s, on the same machine. While notifications are on it is asked for no DeleteObjects: it ends (\`Caught signal (Aborted)\`) as it tells of what that removed.`;

function row(seeds: string, { family, operations, equal, explained }: Measured): string {
  const others = operations - equal - explained;
  return `| ${family} | ${seeds} | ${operations} | ${equal} | ${explained} | ${others} |`;
}

/** Of the page. */
export function measuredPart(): string {
  const all = runs.flatMap(({ families }) => families);
  const sum = (of: (each: Measured) => number): number =>
    all.reduce((total, each) => total + of(each), 0);
  const whole = {
    family: 'all',
    operations: sum(({ operations }) => operations),
    equal: sum(({ equal }) => equal),
    explained: sum(({ explained }) => explained),
  };
  const rows = runs.flatMap(({ seeds, families }) => families.map((each) => row(seeds, each)));
  return `## Measured

${setup} Operations, up to 80 in a sequence of each family and seed (of quotas 20); of notifications, each request’s events count as one more:

| family | seeds | operations | answers equal in all that is compared | differing as explained below | otherwise |
|---|---|---|---|---|---|
${[...rows, row('', whole)].join('\n')}

Most answers that differ do so in one of two headers: \`accept-ranges\`, which radosgw sends with each put, and \`x-amz-delete-marker: false\`, which Holdfast sends of what is absent.
`;
}

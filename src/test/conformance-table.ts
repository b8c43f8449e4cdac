// Results of ceph/s3-tests as lines `OUTCOME<tab>TEST<tab>REASON`, below a line `# RUN` that says of what and when,
// and the page made of them.

export interface Outcome {
  /** `PASSED`, `FAILED`, `SKIPPED`. */
  readonly word: string;
  /** As pytest names it. */
  readonly test: string;
  readonly reason: string;
  /** What was run on what, and when. */
  readonly run: string;
}

export function parseOutcomes(text: string): readonly Outcome[] {
  const outcomes: Outcome[] = [];
  let run = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# ')) run = line.slice(2);
    if (line === '' || line.startsWith('#')) continue;
    const [word, test, ...reason] = line.split('\t');
    if (word === undefined || test === undefined) throw new Error(`not a result: ${line}`);
    outcomes.push({ word, test, reason: reason.join(' '), run });
  }
  return outcomes;
}

function fileOf(test: string): string {
  return test.slice(test.lastIndexOf('/', test.indexOf('::')) + 1, test.indexOf('::'));
}

/** The parametrised families that copy and move what is encrypted count apart: 744 tests. */
function areaOf(test: string): string {
  const file = fileOf(test);
  if (/::test_(copy_enc|copy_part_enc|lifecycle_transition_encrypted)\[/.test(test))
    return `${file}, encrypted copies`;
  return file;
}

/** A line for each run; where there are several, with what it has outcomes of. */
function runLines(outcomes: readonly Outcome[]): readonly string[] {
  const runs = [...new Set(outcomes.map(({ run }) => run))].sort();
  if (runs.length === 1) return runs.map((run) => `${run}.`);
  return runs.map((run) => {
    const its = outcomes.filter((each) => each.run === run).map(({ test }) => areaOf(test));
    return `- ${its.length} tests (${[...new Set(its)].sort().join('; ')}): ${run}`;
  });
}

function count(outcomes: readonly Outcome[], word: string): number {
  return outcomes.filter((each) => each.word === word).length;
}

/** Reasons name ids, dates and ports of one run; a cell has no pipes and no line ends. */
function cell(text: string): string {
  return text
    .replace(/[0-9a-f]{12,}|\d{4}-\d\d-\d\d[T ][\d:.]+|127\.0\.0\.1:\d+/g, '…')
    .replace(/[|\\`<>]/g, ' ')
    .slice(0, 120);
}

/** Tests that pass there and not here: the ones to look at first. */
export function missingAgainst(
  outcomes: readonly Outcome[],
  against: readonly Outcome[],
): readonly Outcome[] {
  const passed = new Set(against.filter(({ word }) => word === 'PASSED').map(({ test }) => test));
  return outcomes.filter(({ word, test }) => word !== 'PASSED' && passed.has(test));
}

export function formatTable(
  outcomes: readonly Outcome[],
  against: { readonly name: string; readonly outcomes: readonly Outcome[] } | undefined,
): string {
  const areas = [...new Set(outcomes.map(({ test }) => areaOf(test)))].sort();
  const lines = [
    '# ceph/s3-tests',
    '',
    'Written by `npm run conformance:s3 -- --suite DIR`; reasons for what fails stand in [s3-compatibility.md](s3-compatibility.md).',
    '',
    ...runLines(outcomes),
    '',
    '| area | passed | failed | skipped |',
    '|---|---|---|---|',
  ];
  const row = (name: string, some: readonly Outcome[]): void => {
    const counts = ['PASSED', 'FAILED', 'SKIPPED'].map((word) => count(some, word));
    lines.push(`| ${name} | ${counts.join(' | ')} |`);
  };
  for (const area of areas)
    row(
      area,
      outcomes.filter(({ test }) => areaOf(test) === area),
    );
  row('all', outcomes);
  const missing = new Set<Outcome>();
  if (against !== undefined) {
    for (const each of missingAgainst(outcomes, against.outcomes)) missing.add(each);
    lines.push(
      '',
      `${missing.size} of these pass on ${against.name} and not here; marked with \\*.`,
    );
  }
  lines.push('', '| does not pass | how |', '|---|---|');
  for (const outcome of [...outcomes].sort((a, b) => (a.test < b.test ? -1 : 1))) {
    if (outcome.word === 'PASSED') continue;
    const mark = missing.has(outcome) ? ' \\*' : '';
    const reason = outcome.word === 'SKIPPED' ? `skipped: ${outcome.reason}` : outcome.reason;
    const name = outcome.test.slice(outcome.test.indexOf('::') + 2);
    lines.push(`| ${cell(name)}${mark} | ${cell(reason)} |`);
  }
  return `${lines.join('\n')}\n`;
}

// `holdfast sim scenario NAME`: what `npm run sim -- --scenario NAME` does, for whoever has only the command.

import { parseArgs } from 'node:util';
import { scenarios } from '../sim/scenarios.ts';
import { postMortem, runPostMortem } from './sim-post-mortem.ts';

const usage = `usage: holdfast sim scenario NAME
       holdfast sim scenario ${postMortem} [--rules holdfast|ceph] [--json]
scenarios: ${[postMortem, ...scenarios.keys()].join(', ')}
`;

/** Runs what stands behind `sim` and resolves with the exit code: 1 when the scenario failed, 2 when it is not known. */
export async function runSimCommand(words: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parseWords>;
  try {
    parsed = parseWords(words);
  } catch (error) {
    process.stderr.write(`holdfast: ${error instanceof Error ? error.message : error}\n${usage}`);
    return 2;
  }
  const { values, positionals } = parsed;
  const [command, name] = positionals;
  if (values.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (command === 'scenario' && name === postMortem && positionals.length === 2)
    return runPostMortem(values);
  const scenario = name === undefined ? undefined : scenarios.get(name);
  if (command !== 'scenario' || scenario === undefined || positionals.length > 2) {
    process.stderr.write(usage);
    return 2;
  }
  await scenario();
  process.stdout.write(`scenario ${name} passed\n`);
  return 0;
}

function parseWords(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      rules: { type: 'string', default: 'holdfast' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
}

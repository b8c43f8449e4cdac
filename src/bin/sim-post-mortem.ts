// Plays the post-mortem (src/sim/post-mortem/) and prints its timeline: by Holdfast's rules in this process, by Ceph's in a
// build of the sources where those are replaced.

import { spawnSync } from 'node:child_process';
import { readStory, writtenStory } from '../sim/post-mortem/recorded.ts';
import { type Rules, rules as rulesHere } from '../sim/post-mortem/rules.ts';
import { cephPatches } from '../sim/post-mortem/rules-ceph.ts';
import { playPostMortem } from '../sim/post-mortem/story.ts';
import { formatStory, type Story, verdictFault } from '../sim/post-mortem/timeline.ts';
import { ScratchBuild } from './scratch-build.ts';

/** The scenario's name. */
export const postMortem = 'post-mortem';

export interface PostMortemOptions {
  readonly rules: string;
  readonly json: boolean;
}

/** The exit code: 1 when the story did not end as it has to by these rules, 2 when they are not known. */
export async function runPostMortem({ rules, json }: PostMortemOptions): Promise<number> {
  if (rules !== 'ceph' && rules !== 'holdfast') {
    process.stderr.write(`no rules '${rules}': there are holdfast, the default, and ceph\n`);
    return 2;
  }
  const story = await playOnce(rules);
  process.stdout.write(json ? writtenStory(story) : `${formatStory(story)}\n`);
  // A build by other rules is judged by whoever started it.
  const fault = verdictFault(story);
  if (fault === undefined || rulesHere === 'ceph') return 0;
  process.stderr.write(`not as it has to end: ${fault}\n`);
  return 1;
}

/** Throws where a story by other rules can't be built or played. */
export async function playOnce(rules: Rules): Promise<Story> {
  if (rules === rulesHere) return playPostMortem();
  const scratch = new ScratchBuild('rules-ceph');
  try {
    const fault = scratch.build(cephPatches);
    if (fault !== undefined) throw new Error(`Ceph's rules: ${fault}`);
    const run = spawnSync(
      process.execPath,
      [scratch.pathOf('bin', 'sim.js'), '--scenario', postMortem, '--rules', 'ceph', '--json'],
      { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
    );
    if (run.status !== 0) throw new Error(`the story by Ceph's rules ended with ${run.status}`);
    return readStory(run.stdout);
  } finally {
    scratch.remove();
  }
}

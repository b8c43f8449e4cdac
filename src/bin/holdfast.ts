#!/usr/bin/env node
// The entry of the `holdfast` command. It must be understood by every Node.js there is, in order to say
// which one is needed: everything newer is loaded after the check.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

// 20.12 is the first with everything used here; package.json says the same.
if (major < 20 || (major === 20 && minor < 12)) {
  process.stderr.write(
    `holdfast: Node.js ${process.versions.node} is too old: 20.12 or newer is needed (https://nodejs.org)\n`,
  );
  process.exitCode = 2;
} else {
  const words = process.argv.slice(2);
  // The simulator is loaded for `sim` alone.
  const run =
    words[0] === 'sim'
      ? import('./sim-command.ts').then((sim) => sim.runSimCommand(words.slice(1)))
      : import('../cli/program.ts').then((program) => program.runCommandLine(words));
  run.then(
    (code) => {
      process.exitCode = code;
    },
    (error) => {
      process.stderr.write(
        `holdfast: ${error instanceof Error && error.stack ? error.stack : String(error)}\n`,
      );
      process.exitCode = 1;
    },
  );
}

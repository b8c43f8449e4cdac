// The command line. Parsing and help are commander's; what is written wrongly is told as the flag, the
// reason and the nearest right one, and ends with exit code 2.

import { Command, CommanderError, Option } from 'commander';
import { addClusterCommands } from './commands.ts';
import { defaults, gatewaysMax, osdsMax } from './data-dir.ts';
import { CliError } from './errors.ts';
import { nearestWord } from './nearest.ts';
import type { UpOptions } from './up.ts';
import { parseAddress, parseWhole } from './values.ts';
import { productVersion } from './version.ts';

const parseOsdCount = parseWhole(1, osdsMax);

/** Runs one command line and resolves with its exit code. Writes to the standard streams. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? 0 : explainUsage(program, words, error);
    if (!(error instanceof CliError)) throw error;
    process.stderr.write(`holdfast: ${error.message}\n`);
    return error.exitCode;
  }
}

export function buildProgram(setExitCode: (code: number) => void): Command {
  const program = new Command('holdfast')
    .description('Cluster storage for a few machines: S3 on replicated and erasure-coded pools.')
    .version(productVersion())
    .addHelpText('after', '\nThe simulator: holdfast sim --help')
    .showSuggestionAfterError(false)
    .configureOutput({ outputError: () => undefined })
    .exitOverride();
  program
    .command('up')
    .description('start a whole cluster on this machine, in the foreground')
    .addOption(dataOption())
    .addOption(
      new Option(
        '--osds <count>',
        `number of OSDs at the first start (default: ${defaults.osds})`,
      ).argParser(parseOsdCount),
    )
    .addOption(
      new Option(
        '--gateways <count>',
        'processes that serve S3 at its address (default: 2 on four cores and more, else 1)',
      ).argParser(parseWhole(1, gatewaysMax)),
    )
    .addOption(
      new Option('--s3 <host:port>', `where S3 listens (default: ${defaults.s3})`).argParser(
        parseAddress,
      ),
    )
    .addOption(
      new Option(
        '--admin <host:port>',
        `where the admin API listens (default: ${defaults.admin})`,
      ).argParser(parseAddress),
    )
    .option('--single-process', 'run all daemons in this process', false)
    .option('--no-restart', 'leave a daemon that died as it is')
    .option('--json', 'print one line of JSON when ready', false)
    .action(async (options: UpOptions) => {
      const { runUp } = await import('./up.ts');
      setExitCode(await runUp(options));
    });
  addClusterCommands(program, dataOption);
  overAll(program, (command) => {
    command.exitOverride().showSuggestionAfterError(false);
    command.configureOutput({ outputError: () => undefined });
    command.allowExcessArguments(false);
  });
  return program;
}

function dataOption(): Option {
  return new Option('--data <dir>', 'the cluster’s directory').default(
    process.env.HOLDFAST_DATA ?? defaults.dataDir,
  );
}

function overAll(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const each of command.commands) overAll(each, visit);
}

// ——— what was written wrongly ———

function explainUsage(program: Command, words: readonly string[], error: CommanderError): number {
  const command = commandMeant(program, words);
  const lines = [`holdfast: ${error.message.replace(/^error: /, '')}`];
  const hint = hintFor(command, error);
  if (hint !== undefined) lines.push(hint);
  if (error.code === 'commander.help') lines.splice(0, lines.length, command.helpInformation());
  else lines.push(`See: ${pathOf(command)} --help`);
  process.stderr.write(`${lines.join('\n')}\n`);
  return 2;
}

function hintFor(command: Command, error: CommanderError): string | undefined {
  const quoted = /'([^']+)'/.exec(error.message)?.[1];
  if (quoted === undefined) return undefined;
  if (error.code === 'commander.unknownOption') {
    const flags = command.options.flatMap((option) => option.long ?? []);
    if (flags.length === 0) return `First name one of ${namesIn(command)}.`;
    const near = nearestWord(quoted.split('=')[0] ?? quoted, [...flags, '--help']);
    return near === undefined ? `Known are ${flags.join(', ')}.` : `Did you mean ${near}?`;
  }
  if (error.code === 'commander.unknownCommand') {
    const near = nearestWord(
      quoted,
      command.commands.map((each) => each.name()),
    );
    return near === undefined ? `Known are ${namesIn(command)}.` : `Did you mean "${near}"?`;
  }
  return undefined;
}

function namesIn(command: Command): string {
  return command.commands.map((each) => each.name()).join(', ');
}

/** The deepest command that the words name. */
function commandMeant(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const word of words) {
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) break;
    command = next;
  }
  return command;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

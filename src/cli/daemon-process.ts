// The inside of a daemon process: waits for its options, runs until told to stop. When its supervisor is
// gone it stops as well, because nobody could stop it later.

import { buffers } from '../base/buffer-pool.ts';
import { memoryShares } from '../base/memory-budget.ts';
import type { Instant } from '../env/clock.ts';
import { crashOnUncaught } from '../host/crash.ts';
import type { HostEnv } from '../host/host-env.ts';
import type { SiblingNews } from '../s3/siblings.ts';
import type {
  DaemonOptions,
  MessageToDaemon,
  MessageToSupervisor,
  SupervisorAnswer,
  SupervisorQuestion,
} from './daemon-options.ts';
import { wordsOf } from './errors.ts';
import { envOf, failureOf, type RunningDaemon, startDaemon } from './start-daemon.ts';

/** Clean ends take some milliseconds; what takes longer is as safe killed. */
const closeMs = 3000;

/** The zero of the host's clock is the start of the process. */
const processStart = 0 as Instant;

/** Exit code of a daemon that could not start. */
const failedExitCode = 1;

export function runDaemonProcess(): void {
  if (process.send === undefined) {
    process.stderr.write('holdfast: this file is started by `holdfast up`\n');
    process.exit(2);
  }
  const daemon = new DaemonProcess();
  process.on('message', (message: MessageToDaemon) => daemon.receive(message));
  process.on('disconnect', () => daemon.stop('the supervisor is gone'));
  process.on('SIGTERM', () => daemon.stop('SIGTERM'));
  // A terminal sends it to every process in the foreground; the supervisor decides.
  process.on('SIGINT', () => undefined);
  process.on('SIGHUP', () => undefined);
  tell({ kind: 'listens' });
}

class DaemonProcess {
  #env: HostEnv | undefined;
  #running: Promise<RunningDaemon> | undefined;
  #stopping = false;
  #nextQuestion = 1;
  readonly #questions = new Map<number, (answer: SupervisorAnswer) => void>();

  receive(message: MessageToDaemon): void {
    switch (message.kind) {
      case 'start':
        if (this.#running === undefined) this.#start(message.options);
        return;
      case 'stop':
        this.stop('told to');
        return;
      case 'hear':
        this.#hear(message.id, message.news);
        return;
      case 'answer':
        this.#questions.get(message.id)?.(message.answer);
        this.#questions.delete(message.id);
        return;
    }
  }

  #start(options: DaemonOptions): void {
    if (options.role !== 'mon')
      buffers.bytesMax = memoryShares(options.memoryBudgetBytes).poolBytes;
    const env = envOf(options, (code) => process.exit(code));
    this.#env = env;
    crashOnUncaught(env.crashSite);
    this.#running = startDaemon(
      { env, ask: (question) => this.#ask(question), bornAt: processStart },
      options,
    );
    this.#running.then(
      ({ report }) => tell({ kind: 'started', report }),
      (error: unknown) => {
        env.log.write('error', 'daemon could not start', { error: wordsOf(error) });
        tell({ kind: 'failed', failure: failureOf(options, error) }, () =>
          process.exit(failedExitCode),
        );
      },
    );
  }

  /** One that does not serve yet remembers nothing. */
  #hear(id: number, news: SiblingNews): void {
    const heard = this.#running?.then((daemon) => daemon.hear?.(news)) ?? Promise.resolve();
    heard.catch(() => undefined).finally(() => tell({ kind: 'heard', id }));
  }

  #ask(question: SupervisorQuestion): Promise<SupervisorAnswer> {
    return new Promise((resolve) => {
      const id = this.#nextQuestion++;
      this.#questions.set(id, resolve);
      tell({ kind: 'ask', id, question });
    });
  }

  stop(why: string): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#env?.log.write('info', 'daemon stops', { why });
    setTimeout(() => process.exit(0), closeMs).unref();
    const closed = this.#running?.then((daemon) => daemon.close()) ?? Promise.resolve();
    closed.catch(() => undefined).finally(() => process.exit(0));
  }
}

function tell(message: MessageToSupervisor, sent?: () => void): void {
  if (process.connected && process.send !== undefined) process.send(message, () => sent?.());
  else sent?.();
}

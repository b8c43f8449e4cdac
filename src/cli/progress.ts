// A bar on a terminal, lines now and then elsewhere; always on standard error, so that what the command
// answers stays alone on standard output.

const barCells = 30;
const lineEveryMs = 5000;

type Stream = { readonly isTTY?: boolean; write(text: string): unknown };

export class Progress {
  readonly #what: string;
  readonly #stream: Stream;
  readonly #isQuiet: boolean;
  #shownAt = 0;
  #width = 0;

  constructor(what: string, options: { readonly quiet: boolean; readonly stream?: Stream }) {
    this.#what = what;
    this.#stream = options.stream ?? process.stderr;
    this.#isQuiet = options.quiet;
  }

  show(done: number, total: number, words: string): void {
    if (this.#isQuiet) return;
    const share = total === 0 ? 1 : done / total;
    if (this.#stream.isTTY === true) {
      const full = Math.round(share * barCells);
      const bar = '█'.repeat(full) + '░'.repeat(barCells - full);
      this.#rewrite(`${this.#what} ${bar} ${done}/${total} ${words}`);
      return;
    }
    if (Date.now() - this.#shownAt < lineEveryMs) return;
    this.#shownAt = Date.now();
    this.#stream.write(`${this.#what}: ${done}/${total} ${words}\n`);
  }

  end(): void {
    if (this.#isQuiet || this.#stream.isTTY !== true) return;
    this.#rewrite('');
    this.#stream.write('\r');
  }

  #rewrite(line: string): void {
    this.#stream.write(`\r${line.padEnd(this.#width)}`);
    this.#width = line.length;
  }
}

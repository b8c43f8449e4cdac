/** What this daemon's process takes of the machine's memory. */
export interface Memory {
  /**
   * Bytes that only ending the process would give back: not the pages of files, which come and go. Cheap enough to
   * ask five times a second.
   */
  usedBytes(): number;
  /** Gives back at once what is garbage. Nothing else runs meanwhile: some tens of milliseconds. */
  collect(): void;
}

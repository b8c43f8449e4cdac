export interface Tasks {
  /**
   * Runs work nobody waits for. A rejection is a defect: it is logged with the name and stops the daemon.
   */
  spawn(name: string, work: () => Promise<void>): void;
}

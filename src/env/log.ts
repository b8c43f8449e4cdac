export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Log {
  /** `event` is a fixed phrase, so that lines can be searched; what varies goes into `fields`. */
  write(level: LogLevel, event: string, fields?: LogFields): void;
}

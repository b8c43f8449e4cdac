// Calendar arithmetic on milliseconds since 1970 UTC (proleptic Gregorian, no leap seconds), and the
// four date forms of S3: HTTP dates, ISO 8601, and SigV4's `YYYYMMDDTHHMMSSZ` and `YYYYMMDD`.

const dayNames = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const monthNames = [
  'Jan',
  'Feb',
  'Mar',
  'Apr',
  'May',
  'Jun',
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
];
const dayMs = 86_400_000;

interface CivilTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly millisecond: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

/** Days are counted in eras of 400 years that begin on 1 March, so that leap days come last. */
function computeCivil(ms: number): CivilTime {
  const days = Math.floor(ms / dayMs);
  const inDay = ms - days * dayMs;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    hour: Math.floor(inDay / 3_600_000),
    minute: Math.floor(inDay / 60_000) % 60,
    second: Math.floor(inDay / 1000) % 60,
    millisecond: Math.floor(inDay) % 1000,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}

function daysOf(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Undefined when a field is out of its range (a 30 February, an hour 24). */
function msOf(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | undefined {
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59)
    return undefined;
  const ms = daysOf(year, month, day) * dayMs + ((hour * 60 + minute) * 60 + second) * 1000;
  const back = computeCivil(ms);
  return back.day === day && back.month === month && back.year === year ? ms : undefined;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

let lastHttpSecond = Number.NaN;
let lastHttpDate = '';

/** `Sun, 06 Nov 1994 08:49:37 GMT`; the last one is remembered, since every answer carries "now". */
export function formatHttpDate(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second === lastHttpSecond) return lastHttpDate;
  const t = computeCivil(ms);
  const text = `${dayNames[t.weekday]}, ${pad(t.day, 2)} ${monthNames[t.month - 1]} ${pad(t.year, 4)} ${pad(t.hour, 2)}:${pad(t.minute, 2)}:${pad(t.second, 2)} GMT`;
  lastHttpSecond = second;
  lastHttpDate = text;
  return text;
}

let lastIsoMinute = Number.NaN;
let lastIsoText = '';

/** `2009-10-12T17:50:30.000Z`; the last minute is remembered, since neighbours in a listing share it. */
export function formatIsoDate(ms: number): string {
  const minute = Math.floor(ms / 60_000);
  if (minute !== lastIsoMinute) {
    const t = computeCivil(ms);
    lastIsoMinute = minute;
    lastIsoText = `${pad(t.year, 4)}-${pad(t.month, 2)}-${pad(t.day, 2)}T${pad(t.hour, 2)}:${pad(t.minute, 2)}:`;
  }
  const inMinute = Math.floor(ms - minute * 60_000);
  return `${lastIsoText}${pad(Math.floor(inMinute / 1000), 2)}.${pad(inMinute % 1000, 3)}Z`;
}

/** `06/Nov/1994:08:49:37 +0000`, as server logs have it. */
export function formatLogDate(ms: number): string {
  const t = computeCivil(ms);
  return `${pad(t.day, 2)}/${monthNames[t.month - 1]}/${pad(t.year, 4)}:${pad(t.hour, 2)}:${pad(t.minute, 2)}:${pad(t.second, 2)} +0000`;
}

/** `20130524T000000Z` */
export function formatAmzDate(ms: number): string {
  const t = computeCivil(ms);
  return `${pad(t.year, 4)}${pad(t.month, 2)}${pad(t.day, 2)}T${pad(t.hour, 2)}${pad(t.minute, 2)}${pad(t.second, 2)}Z`;
}

let lastAmzDate = '';
let lastAmzMs: number | undefined;

/** The last one is remembered: all requests of a second carry the same. */
export function parseAmzDate(text: string): number | undefined {
  if (text !== lastAmzDate) {
    lastAmzMs = readAmzDate(text);
    lastAmzDate = text;
  }
  return lastAmzMs;
}

function readAmzDate(text: string): number | undefined {
  const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (m === null) return undefined;
  return msOf(Number(m[1]), Number(m[2]), Number(m[3]), Number(m[4]), Number(m[5]), Number(m[6]));
}

/** ISO 8601 in UTC: a day, or a time with seconds and perhaps fractions of them. */
export function parseIsoDate(text: string): number | undefined {
  const m =
    /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|[+-]00:?00))?$/.exec(text);
  if (m === null) return undefined;
  const [hour, minute, second] = [Number(m[4] ?? 0), Number(m[5] ?? 0), Number(m[6] ?? 0)];
  const ms = msOf(Number(m[1]), Number(m[2]), Number(m[3]), hour, minute, second);
  return ms === undefined ? undefined : ms + Number((m[7] ?? '').padEnd(3, '0').slice(0, 3));
}

/** The preferred form of RFC 9110; also accepts `+0000` for `GMT`, which some clients send. */
export function parseHttpDate(text: string): number | undefined {
  const m =
    /^(?:[A-Za-z]{3}, )?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|[+-]0000)$/.exec(
      text.trim(),
    );
  if (m === null) return undefined;
  const month = monthNames.indexOf(m[2] as string) + 1;
  return msOf(Number(m[3]), month, Number(m[1]), Number(m[4]), Number(m[5]), Number(m[6]));
}

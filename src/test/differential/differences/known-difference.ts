// One kind of difference that is understood, and the pages that decide.

import type { Difference } from '../compare.ts';
import type { Step } from '../side.ts';

export interface KnownDifference {
  readonly title: string;
  /** Default: any. */
  readonly families?: readonly string[];
  /** Of both; a pattern of the action's whole name, and of the field's. */
  readonly action: RegExp;
  readonly field: RegExp;
  /** Of values; default: any. */
  readonly holdfast?: RegExp;
  readonly peer?: RegExp;
  /** Of both answers, `200 404`; default: any. */
  readonly statuses?: RegExp;
  readonly when?: (step: Step, difference: Difference) => boolean;
  /** Who does as the words say. */
  readonly right: 'Holdfast' | 'radosgw' | 'both';
  readonly page: Page;
  /** The line of the page that decides; without one, none does. */
  readonly quote?: string;
  /** What else is to be said, in our own words; may be empty. */
  readonly why: string;
}

export interface Page {
  readonly title: string;
  readonly address: string;
}

const documents = 'https://docs.aws.amazon.com/AmazonS3/latest';

export function apiPage(name: string): Page {
  return { title: name.replace(/^API_/, ''), address: `${documents}/API/${name}.html` };
}

export function api(name: string): Page {
  return apiPage(`API_${name}`);
}

export function guide(name: string): Page {
  return { title: name, address: `${documents}/userguide/${name}.html` };
}

export function rfc9110(section: string): Page {
  const title = `RFC 9110, ${section.replace('-', ' ')}`;
  return { title, address: `https://www.rfc-editor.org/rfc/rfc9110.html#${section}` };
}

export const outcome = /^(status|code)$/;

export function isKnown(
  known: KnownDifference,
  family: string,
  step: Step,
  difference: Difference,
): boolean {
  return (
    known.families?.includes(family) !== false &&
    known.action.test(step.action) &&
    known.field.test(difference.field) &&
    known.holdfast?.test(difference.holdfast) !== false &&
    known.peer?.test(difference.peer) !== false &&
    known.statuses?.test(difference.statuses) !== false &&
    known.when?.(step, difference) !== false
  );
}

// Whether a policy is public, as block public access means it: whatever is not held to fixed values of a few keys is
// ("The meaning of public" in Amazon's user guide).

import { addressBytes } from './addresses.ts';
import type { Condition, Policy } from './policy.ts';

/** Keys that tell who asks, or from where. */
const keys = new Set([
  'aws:principalarn',
  'aws:principalorgid',
  'aws:sourceaccount',
  'aws:sourcearn',
  'aws:sourcevpc',
  'aws:sourcevpce',
  'aws:userid',
]);

const operators = new Set([
  'ArnEquals',
  'ArnLike',
  'StringEquals',
  'StringEqualsIgnoreCase',
  'StringLike',
]);

const privateNetworks = [
  { bytes: [10], bits: 8 },
  { bytes: [172, 16], bits: 12 },
  { bytes: [192, 168], bits: 16 },
];

function isFixed(text: string): boolean {
  return text !== '' && !/[*?]|\$\{/.test(text);
}

/** Of no more than a network of eight bits, or of 32 in version 6; private ones are of any size. */
function isNarrowRange(text: string): boolean {
  const [base = '', lengthText] = text.split('/');
  const address = addressBytes(base);
  if (address === undefined) return false;
  const length = lengthText === undefined ? address.length * 8 : Number(lengthText);
  if (!Number.isInteger(length) || length < 0 || length > address.length * 8) return false;
  if (address.length > 4) return length >= 32;
  if (length >= 8) return true;
  return privateNetworks.some(
    ({ bytes, bits }) => length >= bits && bytes.every((byte, i) => address[i] === byte),
  );
}

/** One that holds of requests without the key narrows nothing. */
function narrows({ operator, ifExists, quantifier, key, values }: Condition): boolean {
  if (ifExists || quantifier === 'all' || values.length === 0) return false;
  if (key === 'aws:sourceip') return operator === 'IpAddress' && values.every(isNarrowRange);
  return operators.has(operator) && keys.has(key) && values.every(isFixed);
}

/** Whether it lets in anybody from anywhere. */
export function isPublicPolicy(policy: Policy): boolean {
  return policy.statements.some(
    ({ effect, principals, notPrincipal, conditions }) =>
      effect === 'Allow' &&
      (principals === 'everybody') !== notPrincipal &&
      !conditions.some(narrows),
  );
}

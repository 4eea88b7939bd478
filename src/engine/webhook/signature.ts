// Checks the proof of a delivery, as each service defines it. Every key is tried, and every comparison takes the same
// time whatever the text (ADR 0066).

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SignedScheme } from '../../domain/trigger/webhook.ts';
import { createSha256 } from '../../lib/sha256.ts';

/** The only value of a header; undefined when it is missing or there are several. */
export type ReadHeader = (name: string) => string | undefined;

export type Signed = {
  readonly header: string;
  readonly read: ReadHeader;
  readonly body: Buffer;
  readonly nowMs: number;
};

/** `old` means that the time in the signature is too far from now. */
export type Verdict = 'valid' | 'missing' | 'wrong' | 'old';

const toleranceMs = 300_000;
const fewestKeyBytes = 16;

type Check = (signed: Signed, given: string, key: string) => boolean;

/** Whether the signature is right for one key. */
const checks: Readonly<Record<SignedScheme, Check>> = {
  // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
  github: ({ body }, given, key) => isSame(given, `sha256=${hex(key, body)}`),
  // https://docs.gitlab.com/user/project/integrations/webhooks/#validate-payloads-by-using-a-secret-token
  gitlab: (_, given, key) => isSame(given, key),
  // https://docs.stripe.com/webhooks/signature
  stripe: ({ body }, given, key) => {
    const expected = hex(key, `${stripePart(given, 't')[0] ?? ''}.`, body);
    return someOf(stripePart(given, 'v1'), (signature) => isSame(signature, expected));
  },
  // https://api.slack.com/authentication/verifying-requests-from-slack
  slack: ({ body, read }, given, key) =>
    isSame(given, `v0=${hex(key, `v0:${read('x-slack-request-timestamp') ?? ''}:`, body)}`),
  // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
  standard: ({ body, read }, given, key) => {
    const bytes = Buffer.from(key.replace(/^whsec_/, ''), 'base64');
    // A stored secret that is not base64 would decode to an empty key, which everyone knows.
    if (bytes.length < fewestKeyBytes) return false;
    const text = `${read('webhook-id') ?? ''}.${read('webhook-timestamp') ?? ''}.`;
    const expected = `v1,${createHmac('sha256', bytes).update(text).update(body).digest('base64')}`;
    return someOf(given.split(' '), (signature) => isSame(signature, expected));
  },
  hmac: ({ body }, given, key) => isSame(given, `sha256=${hex(key, body)}`),
};

/** How to read the time that is signed, in seconds. The other schemes sign no time. */
const times: Readonly<Partial<Record<SignedScheme, (signed: Signed, given: string) => string | undefined>>> = {
  stripe: (_, given) => stripePart(given, 't')[0],
  slack: ({ read }) => read('x-slack-request-timestamp'),
  standard: ({ read }) => read('webhook-timestamp'),
};

export function verify(scheme: SignedScheme, signed: Signed, keys: readonly string[]): Verdict {
  const given = signed.read(signed.header);
  if (given === undefined || given === '') return 'missing';
  if (!someOf(keys, (key) => checks[scheme](signed, given, key))) return 'wrong';
  const timeOf = times[scheme];
  if (!timeOf) return 'valid';
  const seconds = timeOf(signed, given) ?? '';
  const isNow = /^\d{1,12}$/.test(seconds) && Math.abs(signed.nowMs - Number(seconds) * 1000) <= toleranceMs;
  return isNow ? 'valid' : 'old';
}

function hex(key: string, ...parts: readonly (string | Buffer)[]): string {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest('hex');
}

/** Hashes both first, because only texts of the same length can be compared in constant time. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(createSha256().update(given).digest(), createSha256().update(expected).digest());
}

/** Like `some`, but checks all items, so that the time it takes reveals nothing. */
function someOf<T>(items: readonly T[], isRight: (item: T) => boolean): boolean {
  return items.filter(isRight).length > 0;
}

/** `t=1,v1=a,v1=b` has two `v1`. */
function stripePart(header: string, name: string): string[] {
  return header
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
}

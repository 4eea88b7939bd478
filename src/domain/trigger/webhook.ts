// A webhook decides which deliveries of another service start a run of a job, and with which arguments (ADR 0066).

import type { Binding } from '../principal.ts';

export const signedSchemes = ['github', 'gitlab', 'stripe', 'slack', 'standard', 'hmac'] as const;
/** How a service proves that it has sent a delivery. */
export type SignedScheme = (typeof signedSchemes)[number];

/** With `token`, the token in the address is the only proof. Only webhooks that are made at run time have a token. */
export const webhookSchemes = [...signedSchemes, 'token'] as const;
export type WebhookScheme = (typeof webhookSchemes)[number];

export type WebhookTerms = {
  readonly scheme: WebhookScheme;
  /** The header that contains the signature, in lower case; null for `token`. */
  readonly header: string | null;
  /** The names of stored secrets. A delivery must be signed with one of them. Empty for `token`. */
  readonly secrets: readonly string[];
  /** CEL that decides whether a delivery starts a run; null means that every delivery does. */
  readonly condition: string | null;
  /** CEL for each argument. */
  readonly args: Readonly<Record<string, string>>;
  /** The headers that expressions may read besides `readableHeaders`, in lower case. */
  readonly headers: readonly string[];
  /** How long the answer to a delivery waits for the run to end; null means that it does not wait. */
  readonly waitMs: number | null;
};

/** A webhook of config.yaml. */
export type JobWebhook = WebhookTerms & { readonly name: string };

/**
 * A webhook that was made at run time. Its address contains a token, and the server stores only the hash of the token
 * (ADR 0074).
 */
export type MadeWebhook = JobWebhook & {
  readonly id: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly tokenHash: string;
  /** How many deliveries a minute it takes; null means no limit. */
  readonly perMinute: number | null;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** The limits of the caller who made the webhook, which apply to its runs; null means no such limits. */
  readonly boundTo: Binding | null;
};

/** The position of a webhook in lists. */
export type WebhookPlace = Pick<MadeWebhook, 'jobId' | 'name' | 'id'>;

export const webhookNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';

export const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$";

/** The header in which each scheme has its signature. A webhook with `hmac` may name another header. */
export const signatureHeaders: Readonly<Record<SignedScheme, string>> = {
  github: 'x-hub-signature-256',
  gitlab: 'x-gitlab-token',
  stripe: 'stripe-signature',
  slack: 'x-slack-signature',
  standard: 'webhook-signature',
  hmac: 'x-signature-256',
};

/** Headers that every expression may read. */
export const readableHeaders: readonly string[] = [
  'content-type',
  'user-agent',
  'idempotency-key',
  'webhook-id',
  'webhook-timestamp',
  'x-github-delivery',
  'x-github-event',
  'x-github-hook-id',
  'x-github-hook-installation-target-id',
  'x-github-hook-installation-target-type',
  'x-gitlab-event',
  'x-gitlab-event-uuid',
  'x-gitlab-instance',
  'x-gitlab-webhook-uuid',
  'x-slack-request-timestamp',
  'x-slack-retry-num',
  'x-slack-retry-reason',
];

/** Headers that contain a proof or a credential. No expression may read them. */
export const hiddenHeaders: readonly string[] = [
  ...Object.values(signatureHeaders),
  'x-hub-signature',
  'authorization',
  'proxy-authorization',
  'cookie',
];

/**
 * What a delivery would do. These are the results of a test, which starts nothing. `tested` means that the sender only
 * tests the address.
 */
export const webhookTestResults = ['starts', 'skipped', 'refused', 'tested'] as const;
export type WebhookTestResult = (typeof webhookTestResults)[number];

/** What happened to a delivery. `tested` means that the sender only tested the address. */
export const deliveryResults = ['started', 'skipped', 'refused', 'tested'] as const;
export type DeliveryResult = (typeof deliveryResults)[number];

/**
 * Says which deliveries a webhook still takes although it lacks some of its secrets; undefined if it lacks all of them.
 */
export function takenWithout(missing: readonly string[], secrets: readonly string[]): string | undefined {
  const stored = secrets.filter((secret) => !missing.includes(secret));
  return stored.length === 0 ? undefined : `still takes deliveries signed with ${stored.join(' or ')}`;
}

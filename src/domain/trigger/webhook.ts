// A webhook: which deliveries of another service start a run of a job, and with which arguments (ADR 0066).

import type { Binding } from '../principal.ts';

export const signedSchemes = ['github', 'gitlab', 'stripe', 'slack', 'standard', 'hmac'] as const;
/** How a service proves that a delivery comes from it. */
export type SignedScheme = (typeof signedSchemes)[number];

/** `token`: the token in the address is the only proof. Only a webhook that was made at run time has one. */
export const webhookSchemes = [...signedSchemes, 'token'] as const;
export type WebhookScheme = (typeof webhookSchemes)[number];

export type WebhookTerms = {
  readonly scheme: WebhookScheme;
  /** The header of the signature, in lower case; null for `token`. */
  readonly header: string | null;
  /** Names of stored secrets. A delivery must fit one of them. Empty for `token`. */
  readonly secrets: readonly string[];
  /** CEL; null means that every delivery starts a run. */
  readonly condition: string | null;
  /** CEL for each argument. */
  readonly args: Readonly<Record<string, string>>;
  /** Headers that expressions may read besides `readableHeaders`, in lower case. */
  readonly headers: readonly string[];
  /** How long a delivery waits for the end of its run; null means not at all. */
  readonly waitMs: number | null;
};

/** A webhook of config.yaml. */
export type JobWebhook = WebhookTerms & { readonly name: string };

/** A webhook that was made at run time. Its address has a token, of which only the hash is stored (ADR 0074). */
export type MadeWebhook = JobWebhook & {
  readonly id: string;
  readonly jobId: string;
  readonly tenant: string;
  readonly tokenHash: string;
  /** How many deliveries it takes a minute; null means as many as come. */
  readonly perMinute: number | null;
  readonly createdAtMs: number;
  readonly createdBy: string;
  /** Whose limits apply to its runs; null: nobody's. */
  readonly boundTo: Binding | null;
};

/** The position of a webhook in lists. */
export type WebhookPlace = Pick<MadeWebhook, 'jobId' | 'name' | 'id'>;

export const webhookNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';

export const headerNamePattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$";

/** Where each scheme has its signature. `hmac` may have another header. */
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

/** Headers that carry a proof or a credential. No expression may read them. */
export const hiddenHeaders: readonly string[] = [
  ...Object.values(signatureHeaders),
  'x-hub-signature',
  'authorization',
  'proxy-authorization',
  'cookie',
];

/** What a delivery would do: a test starts nothing. `tested`: it would only test the address. */
export const trialResults = ['starts', 'skipped', 'refused', 'tested'] as const;
export type TrialResult = (typeof trialResults)[number];

/** What became of a delivery. `tested`: it only tested the address. */
export const deliveryResults = ['started', 'skipped', 'refused', 'tested'] as const;
export type DeliveryResult = (typeof deliveryResults)[number];

/** Says which deliveries a webhook takes although it lacks some of its secrets; undefined if it lacks all of them. */
export function takenWithout(missing: readonly string[], secrets: readonly string[]): string | undefined {
  const stored = secrets.filter((secret) => !missing.includes(secret));
  return stored.length === 0 ? undefined : `still takes deliveries signed with ${stored.join(' or ')}`;
}

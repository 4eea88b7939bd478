// A webhook: which deliveries of another service start a run of a job, and with which arguments (ADR 0066).

export const webhookSchemes = ['github', 'gitlab', 'stripe', 'slack', 'standard', 'hmac'] as const;
/** How a service proves that a delivery comes from it. */
export type WebhookScheme = (typeof webhookSchemes)[number];

export type WebhookTerms = {
  readonly scheme: WebhookScheme;
  /** The header of the signature, in lower case. */
  readonly header: string;
  /** Names of stored secrets. One of them must fit. */
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

export const webhookNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';

/** Where each scheme has its signature. `hmac` may have another header. */
export const signatureHeaders: Readonly<Record<WebhookScheme, string>> = {
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

/** What became of a delivery. `tested`: it only tested the address. */
export const deliveryResults = ['started', 'skipped', 'refused', 'tested'] as const;
export type DeliveryResult = (typeof deliveryResults)[number];

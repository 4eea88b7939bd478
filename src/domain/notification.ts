// A notification tells a webhook or a channel about a run. Rules decide which runs are reported, and where.

export const notificationStatuses = ['pending', 'delivered', 'failed'] as const;
export type NotificationStatus = (typeof notificationStatuses)[number];

/**
 * `failed` is every failure, `still_failing` a failure after another one, and `fixed` the first success after a
 * failure. `late` means that something took longer than `expect` says. `missed` means that a schedule started no run
 * for one of its times.
 */
export const notifyEvents = [
  'failed',
  'success',
  'cancelled',
  'fixed',
  'still_failing',
  'waiting_approval',
  'late',
  'missed',
] as const;
export type NotifyEvent = (typeof notifyEvents)[number];

/** A URL or a credential, or the name of the stored secret that holds it. */
export type StoredText = string | { readonly secret: string };

export type ScheduleHeartbeat = { readonly scheduleId: string; readonly to: StoredText };

type RuleTerms = {
  readonly on: readonly NotifyEvent[];
  /** How many times the job must fail in a row before a failure is reported; by default, 1. */
  readonly after?: number;
  /** The same failure of a job is reported only once in this time. By default, every failure is reported. */
  readonly repeatMs?: number;
  /** For channels. Notifications are collected for this long and sent as one message. */
  readonly digestMs?: number;
};

/** Who is notified of which events of a run. */
export type NotifyRule = RuleTerms &
  (
    | {
        /** An absolute http or https URL. It may contain a token, so flwd only ever shows its origin. */
        readonly webhook: string;
        readonly channel?: never;
        readonly heartbeat?: never;
      }
    | {
        /** The name of a channel in flwd.yaml. */
        readonly channel: string;
        readonly webhook?: never;
        readonly heartbeat?: never;
      }
    | {
        /** The schedule that started the run, and the address that flwd calls if the run succeeds. */
        readonly heartbeat: ScheduleHeartbeat;
        readonly channel?: never;
        readonly webhook?: never;
      }
  );

/** A rule of flwd.yaml. */
export type ChannelRule = {
  /** Patterns of job ids. */
  readonly jobs: readonly string[];
  readonly terms: RuleTerms;
  /** Names of channels. */
  readonly to: readonly string[];
};

export const channelTypes = [
  'webhook',
  'slack',
  'teams',
  'discord',
  'telegram',
  'ntfy',
  'gotify',
  'pagerduty',
  'mail',
  'template',
] as const;
export type ChannelType = (typeof channelTypes)[number];

export const channelNamePattern = '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$';

/** A channel of flwd.yaml. A member that the type of the channel does not use is null or empty. */
export type Channel = {
  readonly name: string;
  readonly type: ChannelType;
  /** null means the address of the service that the type names. */
  readonly url: StoredText | null;
  readonly token: StoredText | null;
  readonly chatId: string | null;
  readonly routingKey: StoredText | null;
  /** The addresses that receive mail. */
  readonly to: readonly string[];
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'GET';
  readonly headers: Readonly<Record<string, StoredText>>;
  /** CEL whose value is the body of the request. */
  readonly body: string | null;
};

/** The server that sends mail. */
export type Smtp = { readonly url: StoredText; readonly from: string };

/** The names of the stored secrets that a channel needs. */
export function secretsOfChannel({ type, url, token, routingKey, headers }: Channel, smtp: Smtp | null): string[] {
  const ofMail = type === 'mail' && smtp ? smtp.url : null;
  return secretsIn([url, token, routingKey, ofMail, ...Object.values(headers)]);
}

export function secretsIn(texts: readonly (StoredText | null)[]): string[] {
  return texts.flatMap((text) => (text === null || typeof text === 'string' ? [] : [text.secret]));
}

/** A notification as the API returns it, with only the origin of the webhook's URL. */
export type Notification = {
  readonly id: string;
  readonly status: NotificationStatus;
  readonly event: NotifyEvent;
  /** null means that the job itself names the webhook. */
  readonly channel: string | null;
  /** null means that the notification went to a channel, which has its own address. */
  readonly origin: string | null;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly created_at: string;
  readonly next_attempt_at: string | null;
  /** When the notification was delivered, or when flwd gave up. */
  readonly finished_at: string | null;
};

/**
 * Returns the event that a rule reports for the end of a run; undefined if the rule reports nothing. `failuresBefore`
 * says how often the job failed in a row before this run.
 */
export function eventAtEnd(
  { on, after = 1 }: Pick<RuleTerms, 'on' | 'after'>,
  status: 'success' | 'failed' | 'cancelled',
  failuresBefore: number,
): NotifyEvent | undefined {
  if (status === 'cancelled') return on.find((event) => event === status);
  // If none of the failures was reported, the success is not reported as `fixed`.
  if (status === 'success') return first(on, failuresBefore >= after ? ['fixed', status] : [status]);
  if (failuresBefore + 1 < after) return undefined;
  return first(on, failuresBefore >= after ? ['still_failing', status] : [status]);
}

function first(on: readonly NotifyEvent[], wanted: readonly NotifyEvent[]): NotifyEvent | undefined {
  return wanted.find((event) => on.includes(event));
}

/** Says why the server did not call an address from a job of an untrusted source (ADR 0077). */
export const forbiddenWords =
  'it leads to the server itself, to a link-local address or to the metadata service of its cloud: ' +
  'jobs of an untrusted source may call it only if `notify.allow` lists it';

/** Says why messages wait. The caller formats the times. */
export function waitingWords(o: {
  readonly messages: number;
  readonly since: string;
  readonly error: string;
  readonly next: string;
}): string {
  const what = o.messages === 1 ? '1 message waits' : `${o.messages} messages wait`;
  return `${what} since ${o.since}: ${o.error}; next try ${o.next}`;
}

/** Returns the rules for a new run of the job: the job's own rules, and the rules of flwd.yaml for this job. */
export function rulesFor(jobId: string, own: readonly NotifyRule[], rules: readonly ChannelRule[]): NotifyRule[] {
  const matching = rules.filter(({ jobs }) => jobs.some((pattern) => matchesJob(pattern, jobId)));
  const ofChannels = matching.flatMap(({ terms, to }) => to.map((channel): NotifyRule => ({ ...terms, channel })));
  return [...own, ...ofChannels];
}

/**
 * `*` stands for any characters within a name, and `**` for any number of names. For example, `prod/**` matches every
 * job below `prod`.
 */
export function matchesJob(pattern: string, jobId: string): boolean {
  return matchesNames(pattern.split('/'), jobId.split('/'));
}

function matchesNames([pattern, ...patterns]: readonly string[], names: readonly string[]): boolean {
  if (pattern === undefined) return names.length === 0;
  if (pattern === '**') {
    if (patterns.length === 0) return names.length > 0;
    return names.some((_, at) => matchesNames(patterns, names.slice(at)));
  }
  const [name, ...others] = names;
  return name !== undefined && matchesName(pattern, name) && matchesNames(patterns, others);
}

function matchesName(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return pattern === name;
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

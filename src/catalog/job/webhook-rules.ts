// Checks webhooks against their job: names, expressions, arguments and headers (ADR 0066). The same rules apply to the
// webhooks of a config.yaml and to those made at run time.

import type { JobDefinition } from '../../domain/job.ts';
import {
  hiddenHeaders,
  type JobWebhook,
  readableHeaders,
  signatureHeaders,
  type WebhookScheme,
  type WebhookTerms,
} from '../../domain/trigger/webhook.ts';
import { deliveryRoots } from '../expression/expression-syntax.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import type { RawWebhook } from './config-schema.ts';
import { checkNames, readExpression } from './mapped-arguments.ts';
import { toMs } from './step-definition.ts';

type JobArguments = Pick<JobDefinition, 'argspec'>;

/** The terms of a webhook as a person writes them, in a config.yaml or in a request. */
export type RawTerms = Omit<RawWebhook, 'name' | 'scheme' | 'secret'> & {
  readonly scheme: WebhookScheme;
  readonly secret?: RawWebhook['secret'];
};

/** The longest `wait`: senders give up after 3 to 30 s. */
const longestWaitMs = 30_000;

/**
 * Paths in errors start at the top of config.yaml.
 * @param job undefined when its arguments have errors
 */
export function readWebhooks(
  webhooks: readonly RawWebhook[],
  jobId: string,
  job: JobArguments | undefined,
): { readonly webhooks: readonly JobWebhook[]; readonly errors: readonly MemberError[] } {
  const names = webhooks.map(({ name }) => name);
  const errors = webhooks.flatMap((raw, at) => {
    const found = checkTerms(raw, job);
    const first = names.indexOf(raw.name);
    if (first !== at) found.push(ruleError(['name'], `\`webhooks.${first}\` has the name \`${raw.name}\` already`));
    return within(['webhooks', String(at)], found);
  });
  if (jobId === 'sources') {
    errors.push(
      ruleError(
        ['webhooks'],
        'a job with the id `sources` cannot have webhooks: /hooks/sources is reserved for sources',
      ),
    );
  }
  return { webhooks: webhooks.map((raw) => ({ ...toTerms(raw), name: raw.name })), errors };
}

/** Converts terms that have no errors. */
export function toTerms(raw: RawTerms): WebhookTerms {
  return {
    scheme: raw.scheme,
    header: raw.scheme === 'token' ? null : (raw.header ?? signatureHeaders[raw.scheme]).toLowerCase(),
    secrets: [raw.secret ?? []].flat(),
    condition: raw.if ?? null,
    args: raw.args ?? {},
    headers: (raw.headers ?? []).map((name) => name.toLowerCase()),
    waitMs: toMs(raw.wait),
  };
}

/** Paths in errors start at the webhook. */
export function checkTerms(raw: RawTerms, job: JobArguments | undefined): MemberError[] {
  const errors = [...checkHeaders(raw), ...checkWait(raw)];
  const readable = new Set([...readableHeaders, ...(raw.headers ?? []).map((name) => name.toLowerCase())]);
  if (raw.if !== undefined) errors.push(...checkExpression(['if'], raw.if, readable, true));
  for (const [name, text] of Object.entries(raw.args ?? {})) {
    errors.push(...checkExpression(['args', name], text, readable, false));
  }
  if (job) errors.push(...checkNames(raw.args ?? {}, job));
  return errors;
}

function checkHeaders({ scheme, header, headers = [] }: RawTerms): MemberError[] {
  const errors: MemberError[] = [];
  if (header !== undefined && scheme !== 'hmac') {
    const why = `\`header\` needs \`scheme: hmac\`${scheme === 'token' ? '' : `; \`${scheme}\` has its own header`}`;
    errors.push(ruleError(['header'], why, 'key'));
  }
  for (const [at, name] of headers.entries()) {
    const isHidden = hiddenHeaders.includes(name.toLowerCase()) || name.toLowerCase() === header?.toLowerCase();
    if (isHidden)
      errors.push(
        ruleError(['headers', String(at)], `\`${name}\` authenticates the sender, so no expression may read it`),
      );
  }
  return errors;
}

function checkWait({ wait }: RawTerms): MemberError[] {
  const isTooLong = (toMs(wait) ?? 0) > longestWaitMs;
  return isTooLong
    ? [ruleError(['wait'], '`wait` can be at most `30s`, because senders give up if an answer takes longer')]
    : [];
}

function checkExpression(
  path: readonly string[],
  text: string,
  readable: ReadonlySet<string>,
  isCondition: boolean,
): MemberError[] {
  const name = path.at(-1);
  const read = readExpression(path, text, deliveryRoots, isCondition);
  if ('error' in read) return [read.error];
  const { headers } = read.expression.references;
  const unknown = headers === 'all' ? undefined : [...headers].find((header) => !readable.has(header));
  if (unknown === undefined) return [];
  const why = hiddenHeaders.includes(unknown)
    ? 'authenticates the sender, so no expression may read it'
    : 'is not among the headers that expressions may read: add it to `headers`, and write it in lower case';
  return [ruleError(path, `\`${name}\`: the header \`${unknown}\` ${why}`)];
}

// Checks the triggers of a config.yaml against their job: what they follow, expressions and arguments (ADR 0069, ADR
// 0075).

import type { JobDefinition } from '../../domain/job.ts';
import { type JobTrigger, triggerKinds } from '../../domain/trigger/job-trigger.ts';
import { createSha256 } from '../../lib/sha256.ts';
import { checkRoots, endedRunRoots, fileRoots } from '../expression/expression-syntax.ts';
import type { JobPlace } from '../source/job-files.ts';
import { readCommand } from './command.ts';
import { type MemberError, ruleError, within } from './config-error.ts';
import type { RawTrigger } from './config-schema.ts';
import { checkNames, readExpression } from './mapped-arguments.ts';
import { toMs } from './step-definition.ts';

type JobArguments = Pick<JobDefinition, 'argspec'>;

const defaultSettleMs = 5_000;
const defaultEveryMs = 60_000;
const shortestEveryMs = 5_000;
const longestEveryMs = 7 * 86_400_000;

/** The kind of trigger that each of these members belongs to. All other members fit any kind. */
const kindOfMember = { on: 'job', match: 'files', settle: 'files', every: 'check' } as const;

/**
 * Paths in errors start at the top of config.yaml.
 * @param job undefined when its arguments have errors
 */
export function readTriggers(
  triggers: readonly RawTrigger[],
  jobId: string,
  { job, place }: { readonly job: JobArguments | undefined; readonly place: JobPlace },
): { readonly triggers: readonly JobTrigger[]; readonly errors: readonly MemberError[] } {
  const read = triggers.map((raw) => toTrigger(raw, jobId, place));
  const errors = triggers.flatMap((raw, at) => {
    const found = checkTrigger(raw, job, place);
    const first = read.findIndex(({ id }) => id === read[at]?.id);
    const { match: pattern = '*' } = raw;
    const same = triggers.findIndex(({ files, match = '*' }) => files === raw.files && match === pattern);
    if (first !== at) found.push(ruleError([], `this trigger is the same as \`triggers.${first}\``));
    // Two triggers that follow the same files would share what they remember of these files.
    else if (raw.files !== undefined && same !== at)
      found.push(ruleError([], `\`triggers.${same}\` follows the same files`));
    return within(['triggers', String(at)], found);
  });
  return { triggers: read, errors };
}

function toTrigger(raw: RawTrigger, jobId: string, place: JobPlace): JobTrigger {
  const { job = '', on = ['success'], args = {}, files, match = '*', check } = raw;
  const condition = raw.if ?? null;
  const idOf = (...follows: readonly unknown[]): string => {
    const sorted = Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const hash = createSha256()
      .update(JSON.stringify([jobId, ...follows, condition, sorted]))
      .digest('hex');
    return `trigger_${hash.slice(0, 26).toUpperCase()}`;
  };
  if (files !== undefined) {
    const settleMs = toMs(raw.settle) ?? defaultSettleMs;
    const id = idOf('files', files, match, settleMs);
    return { id, kind: 'files', folder: files, match, settleMs, condition, args };
  }
  if (check !== undefined) {
    const { command, ulcProfile } = readCommand(check, undefined, place);
    const everyMs = toMs(raw.every) ?? defaultEveryMs;
    const id = idOf('check', command, everyMs);
    return { id, kind: 'check', action: { kind: 'command', command, ulcProfile }, everyMs, condition, args };
  }
  return { id: idOf(job, on.toSorted()), kind: 'job', job, on, condition, args };
}

function checkTrigger(raw: RawTrigger, job: JobArguments | undefined, place: JobPlace): MemberError[] {
  const { if: condition, args = {}, check } = raw;
  const errors = checkKind(raw);
  if (errors.length > 0) return errors;
  const roots = raw.files === undefined ? (check === undefined ? endedRunRoots : checkRoots) : fileRoots;
  const expressions = [
    ...(condition === undefined ? [] : [readExpression(['if'], condition, roots, true)]),
    ...Object.entries(args).map(([name, text]) => readExpression(['args', name], text, roots, false)),
  ];
  errors.push(...expressions.flatMap((one) => ('error' in one ? [one.error] : [])));
  if (check !== undefined) errors.push(...within(['check'], readCommand(check, undefined, place).errors));
  const everyMs = toMs(raw.every) ?? defaultEveryMs;
  if (everyMs < shortestEveryMs || everyMs > longestEveryMs)
    errors.push(ruleError(['every'], '`every` must be between 5s and 7d'));
  if (raw.match?.includes('/'))
    errors.push(ruleError(['match'], '`match` must not contain `/`: only files directly in the folder count'));
  return job ? [...errors, ...checkNames(args, job)] : errors;
}

/** Checks that a trigger follows exactly one thing, and that its other members fit. */
function checkKind(raw: RawTrigger): MemberError[] {
  const [kind, second] = triggerKinds.filter((one) => raw[one] !== undefined);
  if (kind === undefined) return [ruleError([], 'a trigger needs one of `job`, `files` and `check`')];
  if (second !== undefined)
    return [ruleError([second], `\`${second}\` and \`${kind}\` must not be used together: write two triggers`, 'key')];
  const others = Object.entries(kindOfMember).filter(([member, owner]) => owner !== kind && member in raw);
  return others.map(([member, owner]) =>
    ruleError([member], `\`${member}\` is only for triggers with \`${owner}\``, 'key'),
  );
}

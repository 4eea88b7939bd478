// Reads option values that several commands take.

import { parseTimestampUs, systemClock, toTimestamp } from '../lib/clock.ts';
import { isDate, startOfDay } from '../lib/cron/calendar-days.ts';
import { toLocalTimestamp } from '../lib/cron/cron.ts';
import { parseDuration } from '../lib/units.ts';
import type { Options } from './command.ts';
import { hint } from './command-line.ts';
import { Refusal } from './exit-code.ts';

/** The value of an option that can be given once. */
export function readValue(options: Options, name: string): string | undefined {
  return options.get(name)?.[0];
}

/** Reads one of `instantForms`. A day stands for its start in the zone, usually that of this host. @throws Refusal */
export function readInstant(options: Options, name: string, zone = hostZone()): string | undefined {
  const text = readValue(options, name);
  if (text === undefined) return undefined;
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return toTimestamp(systemClock.now() - agoMs);
  if (parseTimestampUs(text) !== undefined) return text;
  const date = dateOf(text, zone);
  if (isDate(date)) return toTimestamp(startOfDay(date, zone));
  throw new Refusal(
    `--${name} ${text} is neither a time such as 2026-01-31T12:00:00Z, nor a day such as 2026-01-31, today or yesterday, nor an age such as 2d`,
  );
}

function hostZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

function dateOf(text: string, zone: string): string {
  if (text !== 'today' && text !== 'yesterday') return text;
  const today = toLocalTimestamp(systemClock.now(), zone).slice(0, 10);
  if (text === 'today') return today;
  return toTimestamp(Date.parse(`${today}T00:00:00Z`) - 86_400_000).slice(0, 10);
}

/** @throws Refusal */
export function readCount(options: Options, name: string): number | undefined {
  const text = readValue(options, name);
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Refusal(`--${name} ${text} is not a number of at least 1`);
}

/** @throws Refusal */
export function readChoice<const T extends string>(
  options: Options,
  name: string,
  choices: readonly T[],
): T | undefined {
  const text = readValue(options, name);
  if (text === undefined) return undefined;
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new Refusal(
    `--${name} does not take \`${text}\`${hint(text, choices) ?? `; use one of ${choices.join(', ')}`}`,
  );
}

/** The labels of `--label`; undefined if the option is not given. @throws Refusal */
export function readLabels(options: Options): Readonly<Record<string, string>> | undefined {
  return readPairs(options, 'label');
}

/** The values of an option that takes `KEY=VALUE`; undefined if the option is not given. @throws Refusal */
export function readPairs(options: Options, name: string): Readonly<Record<string, string>> | undefined {
  const pairs = (options.get(name) ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new Refusal(`--${name} ${text} must have the form KEY=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

/** The single operand of a command. @throws Refusal */
export function oneOperand(operands: readonly string[], usage: string): string {
  const [word, extra] = operands;
  if (word === undefined) throw new Refusal(`missing operand: ${usage}`);
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${usage}`);
  return word;
}

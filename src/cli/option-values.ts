// Values of options that several commands take.

import { parseTimestampUs, systemClock, toTimestamp } from '../lib/clock.ts';
import { parseDuration } from '../lib/units.ts';
import type { Options } from './command.ts';
import { hint } from './command-line.ts';
import { Refusal } from './exit-code.ts';

/** A time, or how long ago: RFC 3339. @throws Refusal */
export function readInstant(options: Options, name: string): string | undefined {
  const [text] = options.get(name) ?? [];
  if (text === undefined) return undefined;
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return toTimestamp(systemClock.now() - agoMs);
  if (parseTimestampUs(text) !== undefined) return text;
  throw new Refusal(`--${name} ${text} is no time such as 2026-01-31T12:00:00Z, and no duration such as 2d`);
}

/** @throws Refusal */
export function readCount(options: Options, name: string): number | undefined {
  const [text] = options.get(name) ?? [];
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Refusal(`--${name} ${text} is no number from 1 on`);
}

/** @throws Refusal */
export function readChoice<const T extends string>(
  options: Options,
  name: string,
  choices: readonly T[],
): T | undefined {
  const [text] = options.get(name) ?? [];
  if (text === undefined) return undefined;
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new Refusal(`--${name} ${text}: there is none${hint(text, choices) ?? `; there are ${choices.join(', ')}`}`);
}

/** Those of `--label`; undefined where there are none. @throws Refusal */
export function readLabels(options: Options): Readonly<Record<string, string>> | undefined {
  const labels = (options.get('label') ?? []).map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new Refusal(`--label ${text} is no KEY=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return labels.length > 0 ? Object.fromEntries(labels) : undefined;
}

/** The one word that a command takes. @throws Refusal */
export function oneOperand(operands: readonly string[], usage: string): string {
  const [word, extra] = operands;
  if (word === undefined) throw new Refusal(`one is needed: ${usage}`);
  if (extra !== undefined) throw new Refusal(`\`${extra}\` is one word too many: ${usage}`);
  return word;
}

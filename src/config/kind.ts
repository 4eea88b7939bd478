// The kinds of values that configuration keys can have: how to read them from YAML or text, and how errors name them.

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { isSecretName, secretNamePattern } from '../domain/access/secret-name.ts';
import type { StoredText } from '../domain/notification.ts';
import { isCalendarName } from '../domain/schedule.ts';
import { systemClock } from '../lib/clock.ts';
import { isDate, isTooFar, mostYearsAhead } from '../lib/cron/calendar-days.ts';
import { namesOthersHome, withHome } from '../lib/files/home-path.ts';
import { isTimezone } from '../lib/timezone.ts';
import { nearestSize, parseDuration, parseSize } from '../lib/units.ts';

export type Kind<T> = {
  /** How docs/configuration.md names the kind. */
  readonly name: string;
  /** How an error continues after "must be". */
  readonly expected: string;
  /** `flwd config show` shows the value as a full path. */
  readonly isPath?: true;
  /** The possible words, for suggestions after a typo. */
  readonly words?: readonly string[];
  /** Returns the value of this kind that the user most likely meant. */
  near?(raw: unknown): string | undefined;
  /** Names the first wrong part of a map. */
  wrongPart?(raw: unknown): string | undefined;
  /** Converts a value from YAML. Returns undefined if the value is not of this kind. */
  read(raw: unknown, base: Base): T | undefined;
  /**
   * Converts the text of an environment variable to the value that YAML would have given. Without this function, the
   * text itself is that value.
   */
  fromText?(text: string): unknown;
};

/** Returns the value that YAML would have given for the text of an environment variable. */
export function rawOf({ fromText }: Pick<Kind<unknown>, 'fromText'>, text: string): unknown {
  return fromText ? fromText(text) : text;
}

/** The folders at which relative paths and `~/` start. */
export type Base = { readonly dir: string; readonly home: string };

export type Bind = { readonly host: string; readonly port: number };

/** The name of a stored secret. */
export const storedSecret = new RegExp(secretNamePattern);

const toNumber = (text: string) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

const longestMs = 36_500 * 86_400_000;

export const text: Kind<string> = {
  name: 'text',
  expected: 'a text',
  read: (raw) => (typeof raw === 'string' && raw !== '' ? raw : undefined),
};

/** A text that matches a pattern. */
export function matching(pattern: RegExp, name: string, expected: string): Kind<string> {
  return {
    name,
    expected,
    read: (raw) => (typeof raw === 'string' && pattern.test(raw) ? raw : undefined),
  };
}

export const timezone: Kind<string> = {
  name: 'time zone',
  expected: 'a time zone such as `Europe/Berlin`',
  read: (raw) => (typeof raw === 'string' && isTimezone(raw) ? raw : undefined),
};

export const flag: Kind<boolean> = {
  name: 'true or false',
  expected: 'true or false',
  read: (raw) => (typeof raw === 'boolean' ? raw : undefined),
  fromText: (text) => (text === 'true' ? true : text === 'false' ? false : text),
};

export function integer(minimum: number, maximum: number): Kind<number> {
  return {
    name: 'integer',
    expected: `an integer from ${minimum} to ${maximum}`,
    read: (raw) =>
      Number.isInteger(raw) && Number(raw) >= minimum && Number(raw) <= maximum ? Number(raw) : undefined,
    fromText: toNumber,
  };
}

export const amount: Kind<number> = {
  name: 'number',
  expected: 'a number above 0',
  read: (raw) => (typeof raw === 'number' && raw > 0 && Number.isFinite(raw) ? raw : undefined),
  fromText: toNumber,
};

/**
 * A duration in milliseconds. The duration of a timer needs a maximum, because Node fires a timer of more than 24.8
 * days at once.
 */
export function duration(minimum = '0s', maximum?: string): Kind<number> {
  const minimumMs = parseDuration(minimum) ?? 0;
  const maximumMs = (maximum && parseDuration(maximum)) || longestMs;
  const from = minimumMs > 0 ? `, from ${minimum}` : '';
  return {
    name: 'duration',
    expected: `a duration such as \`30s\` or \`1h30m\`${from}${maximum ? `${from ? '' : ','} up to ${maximum}` : ''}`,
    read(raw) {
      const ms = typeof raw === 'string' ? parseDuration(raw) : undefined;
      return ms !== undefined && ms >= minimumMs && ms <= maximumMs ? ms : undefined;
    },
  };
}

/** How long to keep something, in milliseconds. */
export function lifetime(minimum: string): Kind<number | 'never'> {
  const bounded = duration(minimum);
  return {
    name: 'duration, `never`',
    expected: `${bounded.expected}, or \`never\` to keep it forever`,
    read: (raw, base) => (raw === 'never' ? raw : bounded.read(raw, base)),
  };
}

/** A size in bytes. */
export function size(minimum = '1B', maximum?: string): Kind<number> {
  const minimumBytes = parseSize(minimum) ?? 0;
  const maximumBytes = (maximum && parseSize(maximum)) || Number.MAX_SAFE_INTEGER;
  const read = (raw: unknown): number | undefined => {
    const bytes = typeof raw === 'string' || typeof raw === 'number' ? parseSize(String(raw)) : undefined;
    return bytes !== undefined && bytes >= minimumBytes && bytes <= maximumBytes ? bytes : undefined;
  };
  return {
    name: 'size',
    expected: `a size such as \`64KiB\` or \`1GiB\`, from ${minimum}${maximum ? ` up to ${maximum}` : ''}`,
    near(raw) {
      const near = nearestSize(String(raw));
      return read(near) === undefined ? undefined : near;
    },
    read,
  };
}

export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  const quoted = words.map((word) => `\`${word}\``);
  return {
    name: quoted.join(', '),
    expected: `one of ${quoted.join(', ')}`,
    words,
    read: (raw) => words.find((word) => word === raw),
  };
}

/** Resolves to a full path. `~/` is the user's home. A path such as `$HOME/x` is refused, as no shell reads it. */
export const path: Kind<string> = {
  name: 'path',
  expected: 'a path (`~/` is this user’s home; `~name/` and `$HOME/` are not supported)',
  isPath: true,
  read(raw, base) {
    if (typeof raw !== 'string' || raw === '' || raw.includes('\0') || namesOthersHome(raw)) return undefined;
    if (/^\$\{?\w/.test(raw)) return undefined;
    return resolve(base.dir, withHome(raw, base.home));
  },
};

/** A stream of the process, or the full path of a file. */
export const logOutput: Kind<string> = {
  ...path,
  name: '`stderr`, `stdout`, path',
  expected: '`stderr`, `stdout`, or the path of a file',
  read: (raw, base) => (raw === 'stderr' || raw === 'stdout' ? raw : path.read(raw, base)),
};

export const bind: Kind<Bind> = {
  name: 'host:port',
  expected: 'a host and a port such as `127.0.0.1:8080` or `"[::1]:8080"` (port 0 means any free port)',
  read(raw) {
    const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(String(raw)) ?? [];
    const host = bracketed ?? plain ?? '';
    const isHost = bracketed
      ? isIP(host) === 6
      : isIP(host) === 4 || /^[A-Za-z](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host);
    return isHost && Number(digits) <= 65_535 ? { host, port: Number(digits) } : undefined;
  },
};

export const url: Kind<string> = {
  name: 'URL',
  expected: 'a URL such as `https://flwd.example.org`',
  read: (raw) => (typeof raw === 'string' && /^https?:/.test(raw) && URL.canParse(raw) ? raw : undefined),
};

/** An origin as browsers write it: in lower case, without the scheme's default port and without a slash at the end. */
export const origin: Kind<string> = {
  name: 'origin',
  expected: 'an origin such as `https://console.example.org`, without a path; `*` is not supported',
  read(raw) {
    if (typeof raw !== 'string' || !URL.canParse(raw)) return undefined;
    const given = new URL(raw);
    return /^https?:$/.test(given.protocol) && given.href === `${given.origin}/` && !raw.includes('*')
      ? given.origin
      : undefined;
  },
};

const range = (raw: unknown): raw is string => {
  const [, address = '', prefix] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(String(raw)) ?? [];
  const family = isIP(address);
  return family !== 0 && (prefix === undefined || (Number(prefix) >= 1 && Number(prefix) <= (family === 4 ? 32 : 128)));
};

// A name whose last part is a number would be an address.
const hostName = /^(?=.{1,253}$)(?!.*\.\d+$)[\w-]{1,63}(?:\.[\w-]{1,63})*$/;

export const hostOrRange: Kind<string> = {
  name: 'host, address or range',
  expected: 'the name of a host, an address or a range such as `192.168.0.0/16`',
  read: (raw) => (typeof raw === 'string' && (range(raw) || hostName.test(raw)) ? raw : undefined),
};

export const trustedProxies: Kind<boolean | readonly string[]> = {
  name: 'true, false or list of address',
  expected: '`true`, `false` or a list of addresses and ranges such as `[10.0.0.7, 192.168.0.0/16]`',
  read: (raw) =>
    typeof raw === 'boolean' || (Array.isArray(raw) && raw.length > 0 && raw.every(range)) ? raw : undefined,
  fromText: (text) =>
    text === 'true' || text === 'false' ? text === 'true' : text.split(',').map((each) => each.trim()),
};

export function listOf<T>(item: Kind<T>): Kind<readonly T[]> {
  return {
    name: `list of ${item.name}`,
    expected: `a list, each ${item.expected}`,
    ...(item.words && { words: item.words }),
    ...(item.isPath && { isPath: true }),
    read(raw, base) {
      if (!Array.isArray(raw)) return undefined;
      const values = raw.map((each) => item.read(each, base));
      return values.every((value) => value !== undefined) ? values : undefined;
    },
    fromText: (text) => text.split(',').map((each) => rawOf(item, each.trim())),
  };
}

/** A single value, or a list of values. */
export function oneOrMore<T>(item: Kind<T>): Kind<readonly T[]> {
  const list = listOf(item);
  return {
    ...list,
    name: `${item.name}, or a list`,
    expected: `${item.expected}, or a list of these`,
    read(raw, base) {
      const values = list.read(Array.isArray(raw) ? raw : [raw], base);
      return values?.length === 0 ? undefined : values;
    },
  };
}

/** A text, or the name of the stored secret that holds it. */
export const storedText: Kind<StoredText> = {
  name: 'text, `{secret: NAME}`',
  expected: 'a text, or `{secret: NAME}` with the name of a stored secret',
  read(raw) {
    if (typeof raw === 'string' && raw !== '') return raw;
    if (typeof raw !== 'object' || raw === null || Object.keys(raw).join() !== 'secret') return undefined;
    const { secret }: { readonly secret?: unknown } = raw;
    return typeof secret === 'string' && isSecretName(secret) ? { secret } : undefined;
  },
};

export function ownAllOrNames(item: Kind<string>): Kind<'own' | 'all' | readonly string[]> {
  const names = listOf(item);
  return {
    name: `\`own\`, \`all\`, ${names.name}`,
    expected: `\`own\`, \`all\`, or ${names.expected}`,
    words: ['own', 'all'],
    read: (raw, base) => (raw === 'own' || raw === 'all' ? raw : names.read(raw, base)),
    fromText: (text) => (text === 'own' || text === 'all' ? text : rawOf(names, text)),
  };
}

const date: Kind<string> = {
  name: 'date',
  expected: `a date such as \`2026-12-24\`, at most ${mostYearsAhead} years ahead`,
  read: (raw) => (typeof raw === 'string' && isDate(raw) && !isTooFar(raw, systemClock.now()) ? raw : undefined),
};

const calendar: Kind<CalendarDays> = {
  name: 'list of date, or path',
  expected: 'a list of dates, or a path',
  read(raw, base) {
    if (typeof raw !== 'string') return listOf(date).read(raw, base);
    const file = path.read(raw, base);
    return file === undefined ? undefined : { file };
  },
};

/** Dates, or the full path of an iCalendar file. */
export type CalendarDays = readonly string[] | { readonly file: string };

/** The days of each calendar, by the name that schedules use. */
export const calendars: Kind<Readonly<Record<string, CalendarDays>>> = {
  name: 'map of calendars, each a list of dates or a path',
  expected:
    'a map of names such as `holidays`, each a list of dates such as `[2026-12-24]`, ' +
    `at most ${mostYearsAhead} years ahead, or the path of an iCalendar file`,
  read(raw, base) {
    const days = mapOf(calendar).read(raw, base);
    return days && Object.keys(days).every(isCalendarName) ? days : undefined;
  },
  wrongPart(raw) {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return undefined;
    for (const [name, days] of Object.entries(raw)) {
      if (!isCalendarName(name)) return `\`${name}\` cannot be the name of a calendar`;
      const wrong = [days].flat().find((day) => date.read(day, { dir: '', home: '' }) === undefined);
      if (Array.isArray(days) && wrong !== undefined) return `\`${name}\` has \`${wrong}\``;
    }
    return undefined;
  },
};

/** A map of values by name. The environment has it as `name=value,name=value`. */
export function mapOf<T>(value: Kind<T>): Kind<Readonly<Record<string, T>>> {
  return {
    name: `map of ${value.name}`,
    expected: `a map, each value ${value.expected}`,
    read(raw, base) {
      if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return undefined;
      const entries = Object.entries(raw).map(([name, each]) => [name, value.read(each, base)] as const);
      return entries.every((entry): entry is [string, T & {}] => entry[1] !== undefined)
        ? Object.fromEntries(entries)
        : undefined;
    },
    fromText: (text) =>
      Object.fromEntries(
        text.split(',').map((each) => {
          const [name = '', ...rest] = each.split('=');
          return [name.trim(), rawOf(value, rest.join('=').trim())];
        }),
      ),
  };
}

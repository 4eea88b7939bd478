// Reads a crontab as cron does: variables apply to the lines below them, and `%` ends the command and begins its input.

export type TableLine = {
  /** The number of the line, counted from 1. */
  readonly line: number;
  /** The line as it is written, without its newline. */
  readonly text: string;
} & (
  | {
      readonly kind: 'entry';
      /** Five fields, or one word such as `@daily`. */
      readonly times: readonly string[];
      /** The user that the line names; null in a user's own crontab. */
      readonly user: string | null;
      readonly command: string;
      /** What the command reads from standard input; null without a `%`. */
      readonly input: string | null;
      readonly environment: Readonly<Record<string, string>>;
      readonly endsWithReturn: boolean;
    }
  | { readonly kind: 'broken'; readonly reason: string }
);

const longestLine = 10_000;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Returns the lines that start something or cannot be understood. Comments and variables are left out. */
export function readTable(table: Buffer, o: { readonly hasUser: boolean }): TableLine[] {
  const found: TableLine[] = [];
  const environment = new Map<string, string>();
  let line = 0;
  for (let from = 0; from < table.length; ) {
    const end = table.indexOf(0x0a, from);
    const bytes = table.subarray(from, end === -1 ? table.length : end);
    from = end === -1 ? table.length : end + 1;
    line += 1;
    const read = textOf(bytes);
    if ('reason' in read) {
      found.push({ line, text: bytes.subarray(0, 80).toString('latin1'), kind: 'broken', reason: read.reason });
      continue;
    }
    const text = read.text.trim();
    if (text === '' || text.startsWith('#')) continue;
    const variable = readVariable(text);
    if (variable) environment.set(variable.name, variable.value);
    else {
      const entry = readEntry(text, o.hasUser);
      const shared = { line, text };
      if ('reason' in entry) found.push({ ...shared, kind: 'broken', reason: entry.reason });
      else {
        const endsWithReturn = read.text.endsWith('\r');
        found.push({
          ...shared,
          kind: 'entry',
          ...entry,
          environment: Object.fromEntries(environment),
          endsWithReturn,
        });
      }
    }
  }
  return found;
}

function textOf(bytes: Buffer): { readonly text: string } | { readonly reason: string } {
  if (bytes.length > longestLine) return { reason: `the line is longer than ${longestLine} bytes` };
  if (bytes.includes(0)) return { reason: 'the line contains a NUL byte' };
  try {
    return { text: utf8.decode(bytes) };
  } catch {
    return { reason: 'the line is not UTF-8' };
  }
}

/** Reads a line such as `NAME = "value"`. Quotes around the whole value are removed, and nothing in it is expanded. */
function readVariable(text: string): { readonly name: string; readonly value: string } | undefined {
  const [, double, single, plain, written = ''] = /^(?:"([^"]+)"|'([^']+)'|([^\s="']+))\s*=\s*(.*)$/.exec(text) ?? [];
  const name = double ?? single ?? plain;
  if (name === undefined || name.startsWith('@')) return undefined;
  const [, , quoted] = /^(["'])(.*)\1$/.exec(written) ?? [];
  return { name, value: quoted ?? written };
}

function readEntry(text: string, hasUser: boolean) {
  const [, times = '', rest = ''] = /^(@\S+|\S+(?:[ \t]+\S+){4})[ \t]+(\S[\s\S]*)$/.exec(text) ?? [];
  if (times === '') return { reason: 'it is neither five fields and a command, nor a variable' };
  const [, user = null, command = ''] = hasUser ? (/^(\S+)[ \t]+(\S[\s\S]*)$/.exec(rest) ?? []) : ['', null, rest];
  if (command === '') return { reason: 'a line of a system crontab needs a user before its command' };
  if (user !== null && !/^[a-z_][\w.-]*\$?$/i.test(user)) return { reason: `\`${user}\` is not the name of a user` };
  return { times: times.split(/[ \t]+/), user, ...splitInput(command) };
}

/**
 * The first unescaped `%` ends the command. The rest is its input, in which each further unescaped `%` is a line end.
 */
function splitInput(written: string): { readonly command: string; readonly input: string | null } {
  const parts = [''];
  for (let at = 0; at < written.length; at++) {
    const isEscaped = written[at] === '\\' && written[at + 1] === '%';
    if (isEscaped) at += 1;
    if (written[at] === '%' && !isEscaped) parts.push('');
    else parts.push(`${parts.pop()}${written[at]}`);
  }
  const [command = '', ...lines] = parts;
  const input = lines.join('\n');
  return { command: command.trim(), input: lines.length === 0 ? null : input.endsWith('\n') ? input : `${input}\n` };
}

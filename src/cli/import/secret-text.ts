// Finds what looks like a password in the text of a job: `PGPASSWORD=hunter2`, `--token x`, `mysql -px`, a URL with a
// password, a header. Such a password is never written to a file. It becomes a secret of the job, and a variable in its
// script.

import { isSecretName } from '../../lib/secret-name.ts';
import { argumentName } from '../init/script-arguments.ts';
import { endOfWord, type Quoting, quotingOf } from '../init/shell-quotes.ts';

type Span = {
  /** Where the name of the secret begins in the text, or where the value begins if the name comes from the rule. */
  readonly nameAt: number;
  readonly start: number;
  readonly end: number;
  /** What the secret is called where it was found: `PGPASSWORD`, `password`. */
  readonly name: string;
  /** The text sets a shell variable with this name. */
  readonly isAssignment: boolean;
};

/** Finds secrets by what comes before them: the value begins where the match ends. */
type Rule = {
  readonly pattern: RegExp;
  /** The name of the secret. Without it, the first group of the match is the name. */
  readonly name?: string;
  /** Matches the value. Needed only if the value can end before the word does. */
  readonly value?: RegExp;
  readonly isAssignment?: true;
  /** Applies only inside quotes. So it finds `-H 'X-Api-Key: x'`, but not the Docker image `auth:latest`. */
  readonly isQuoted?: true;
};

const rules: readonly Rule[] = [
  { pattern: /[a-z][\w+.-]*:\/\/[^\s/:@"'`]*:(?=[^\s/@"'`]+@)/gi, name: 'url_password', value: /[^\s/@"'`]+/y },
  { pattern: /[a-z][\w+.-]*:\/\/(?=[^\s/:@"'`]{16,}@)/gi, name: 'url_token', value: /[^\s/:@"'`]+/y },
  { pattern: /hooks\.slack\.com\/\w+\/(?=\w)/gi, name: 'webhook_token', value: /[\w/-]+/y },
  {
    pattern: /(?:\/api\/webhooks\/\d+\/|api\.telegram\.org\/bot)(?=\w)/gi,
    name: 'webhook_token',
    value: /[\w:-]+/y,
  },
  {
    pattern:
      /(?=\b(?:gh[pousr]_\w{20}|github_pat_\w{20}|glpat-[\w-]{16}|xox[abprs]-[\w-]{10}|sk-[\w-]{20}|npm_\w{30}|hvs\.\w{20}|AIza[\w-]{30}|eyJ[\w-]{10,}\.[\w-]{10}))/g,
    name: 'token',
    value: /[\w.-]+/y,
  },
  { pattern: /\bAuthorization\s*:\s*(?:[A-Za-z]+ +)?(?=[^\s"'])/gi, name: 'authorization' },
  {
    pattern: /\bcurl\b[^|;&\n]*?\s(?:-\w*[uU]|--(?:proxy-)?user)[\s=]*["']?[^\s:"'$]+:(?=[^\s"'])/g,
    name: 'curl_password',
  },
  { pattern: /\b(?:mysql|mariadb)[\w-]*\b[^|;&\n]*?\s-p(?=[^\s])/g, name: 'mysql_password' },
  {
    pattern: /\b(?:sshpass|mongo\w*|7za?|rar|unrar|docker login|podman login)\b[^|;&\n]*?\s-p\s*(?=[^\s-])/g,
    name: 'password',
  },
  { pattern: /\b(?:zip|unzip)\b[^|;&\n]*?\s-P\s*(?=\S)/g, name: 'zip_password' },
  { pattern: /\b(?:mosquitto_\w+|ipmitool|sqlcmd)\b[^|;&\n]*?\s-P\s*(?=\S)/g, name: 'password' },
  { pattern: /\bopenssl\b[^|;&\n]*?\s-k\s+(?=\S)/g, name: 'openssl_password' },
  {
    pattern:
      /\b(?:echo|printf)\s+(?:-\w+\s+)*(?=[^\s|;&-][^|;&\n]*\|[^|;&\n]*(?:\bsudo\b[^|;&\n]*\s-\w*S\b|-stdin\b|\bcryptsetup\b))/g,
    name: 'password',
  },
  { pattern: /\bredis-cli\b[^|;&\n]*?\s-a\s*(?=\S)/g, name: 'redis_password' },
  { pattern: /\bldap\w+\b[^|;&\n]*?\s-w\s*(?=\S)/g, name: 'ldap_password' },
  { pattern: /\b(?:smbclient|smbget|rpcclient)\b[^|;&\n]*?\s-U\s*["']?[^\s%"']+%(?=\S)/g, name: 'smb_password' },
  { pattern: /\blftp\b[^|;&\n]*?\s-u\s*["']?[^\s,"']+,(?=\S)/g, name: 'ftp_password' },
  { pattern: /\bpass:(?=\S)/g, name: 'pass' },
  { pattern: /(?<![\w-])--?([A-Za-z][\w.-]+)(?:=|[ \t]+)(?=[^\s-])/g },
  { pattern: /(?<![\w$.{-])([A-Za-z_][\w.-]*)=(?=\S)/g, isAssignment: true },
  { pattern: /(?<![\w$.{-])([A-Za-z_][\w-]*)["']?\s*[:=]\s*["']?(?=[^\s"'])/g, isQuoted: true },
];

const harmless = /^(?:yes|no|true|false|none|null|on|off|prompt|ask|always|never|\d{1,3}|[*x.…]+)$/i;
const isPath = /^(?:~|\.{0,2})\//;
/** Options that concern a secret, but whose own value is not secret: `--ask-password`, `--password-command`. */
const isSwitch =
  /^(?:no|ask|prompt|with|without|use|show|require)[-_]|[-_](?:command|cmd|program|helper|prompt|stdin)$/i;
const longestLine = 20_000;
/** A job cannot have a shorter secret. */
export const fewestSecretBytes = 4;

/** Returns the text without passwords, for a file or a terminal. */
export function withoutSecrets(written: string): string {
  const text = written.replaceAll(/.+/g, (line) => (line.length > longestLine ? '…' : line));
  const spans = findSpans(text, quotingOf(text));
  return replaced(
    text,
    spans.map((span) => ({ ...span, by: '…' })),
  );
}

/** True if the text contains a password, or a line that is too long to be searched. */
export function holdsSecret(text: string): boolean {
  if (hasLongLine(text)) return true;
  return findSpans(text, quotingOf(text)).length > 0;
}

/** Whether a variable holds a password: `PGPASSWORD`, but not `SSH_KEY=/root/.ssh/id_ed25519`. */
export function isSecretValue(name: string, value: string): boolean {
  return holdsSecret(`${name}='${value.replaceAll("'", '')}'`) || holdsSecret(value);
}

function hasLongLine(text: string): boolean {
  return text.split('\n').some((line) => line.length > longestLine);
}

export type Secret = {
  /** The secret argument of the job. */
  readonly argument: string;
  /** The environment variable that holds its value. */
  readonly variable: string;
};

/** The secrets of one job, each with its own name. Values are kept only to compare them. */
export type SecretNames = { readonly add: (name: string, value: string, variable?: string) => Secret };

export function createSecretNames(taken: Iterable<string>): SecretNames & { readonly all: () => readonly Secret[] } {
  const names = new Set(taken);
  const known = new Map<string, Secret>();
  return {
    all: () => [...known.values()],
    add(name, value, own) {
      const key = JSON.stringify([own ?? name, value]);
      const before = known.get(key);
      if (before) return before;
      const wanted = argumentName(name) === own ? `${own}_value` : argumentName(name);
      let argument = wanted;
      for (let n = 2; names.has(argument); n++) argument = `${wanted}_${n}`;
      names.add(argument);
      const upper = argument.toUpperCase();
      const secret = { argument, variable: own ?? (upper.startsWith('SECRET_') ? upper : `SECRET_${upper}`) };
      known.set(key, secret);
      return secret;
    },
  };
}

/** Replaces each password of a shell script with a variable, unless an obstacle keeps it from doing so. */
export function takeSecrets(script: string, names: SecretNames, obstacles: string[]): string {
  if (script.includes('PRIVATE KEY-----')) obstacles.push('it contains a private key');
  if (hasLongLine(script)) obstacles.push('a line of it is too long to be searched for passwords');
  const quoting = quotingOf(script);
  const changes: (Span & { readonly by: string })[] = [];
  for (const span of findSpans(script, quoting)) {
    const value = script.slice(span.start, span.end);
    const how = quoting[span.start] ?? 'plain';
    if (how === 'comment') {
      changes.push({ ...span, by: '…' });
      continue;
    }
    const problem = problemOf(span, { script, quoting, value });
    if (problem !== undefined) {
      obstacles.push(`${span.name} looks like a password, but ${problem}`);
      continue;
    }
    const isOwn = span.isAssignment && how === 'plain' && /^[A-Za-z_]\w*$/.test(span.name);
    const { variable } = names.add(span.name, value, isOwn ? span.name : undefined);
    const by = how === 'single' ? `'"\${${variable}}"'` : how === 'double' ? `\${${variable}}` : `"\${${variable}}"`;
    changes.push({ ...span, by });
  }
  return replaced(script, changes);
}

const otherPrograms =
  /(?:^|[\s/])(?:ssh|eval|(?:ba|da|z|k|a)?sh\s+(?:-\w+\s+)*-\w*c|su\s.*-\w*c|python[\d.]*\s+-c|perl\s+-\w*e|ruby\s+-e|node\s+-e|php\s+-r)\s/;

function problemOf(
  { start, end }: Span,
  o: { readonly script: string; readonly quoting: readonly Quoting[]; readonly value: string },
): string | undefined {
  const { script, quoting, value } = o;
  const how = quoting[start];
  if (how === 'backtick' || how === 'here-document')
    return `it is inside ${how === 'backtick' ? 'backticks' : 'a here-document'}: put this line into a script of its own`;
  const isWhole = how === 'plain' || quoting.slice(start, end).every((one) => one === how);
  if (!isWhole || /[$`]/.test(value.replaceAll(/'[^']*'/g, ''))) return 'it contains a variable';
  if (Buffer.byteLength(value.replaceAll(/["']/g, '')) < fewestSecretBytes)
    return `it is shorter than ${fewestSecretBytes} bytes`;
  let from = start;
  while (from > 0 && !(quoting[from - 1] === 'plain' && /[;|&\n]/.test(script[from - 1] ?? ''))) from -= 1;
  if (otherPrograms.test(script.slice(from, start)))
    return 'another shell or program reads it from its command line: put this line into a script of its own';
  return undefined;
}

/** Returns the positions of all passwords, in order. They do not overlap. */
function findSpans(text: string, quoting: readonly Quoting[]): Span[] {
  const found: Span[] = [];
  let from = 0;
  for (const line of text.split('\n')) {
    // Nobody writes a longer line by hand, and searching it would take long. Callers refuse such a line.
    const spans =
      line.length > longestLine ? [] : rules.flatMap((rule) => spansOf(rule, { text, quoting, from, line }));
    // A password may look like the name of another secret, as in `sshpass -pPASSWORD ssh`. Such a match is left out.
    for (const span of spans)
      if (!found.some(({ start, end }) => span.nameAt < end && start < span.end)) found.push(span);
    from += line.length + 1;
  }
  return found.toSorted((a, b) => a.start - b.start);
}

function spansOf(
  rule: Rule,
  o: { readonly text: string; readonly quoting: readonly Quoting[]; readonly from: number; readonly line: string },
): Span[] {
  const { text, quoting, from, line } = o;
  return [...line.matchAll(rule.pattern)].flatMap((match): Span[] => {
    const start = from + match.index + match[0].length;
    const name = rule.name ?? match[1] ?? '';
    // This header has a rule of its own, which also knows `Bearer $TOKEN`.
    if (rule.isQuoted && /^authorization$/i.test(name)) return [];
    if (rule.name === undefined && (!isSecretName(name) || isSwitch.test(name))) return [];
    const how = quoting[start] ?? 'plain';
    if (rule.isQuoted && how !== 'single' && how !== 'double' && how !== 'here-document') return [];
    const end = endOf(rule, { text, quoting, start, nameAt: from + match.index });
    const value = text
      .slice(start, end)
      .replaceAll(/''|""/g, '')
      .replaceAll(/^["']|["']$/g, '');
    const isNone = value === '' || harmless.test(value) || isExpansion(value);
    if (isNone || (isPath.test(value) && !/pass|pwd|secret|token/i.test(name))) return [];
    const isAssignment = rule.isAssignment === true && /^$|[\s;&|(]/.test(text[from + match.index - 1] ?? '');
    return [{ nameAt: rule.name === undefined ? from + match.index : start, start, end, name, isAssignment }];
  });
}

/** Whether a value only refers to a variable or to the output of a command, so that it contains no password. */
function isExpansion(value: string): boolean {
  return /^(?:\$\w+|\$\{\w+(?::?\?[^}]*)?\}|\$\([^)]*\)?|`.*|\{\{.*|%\w+%)$/.test(value);
}

function endOf(
  { value }: Rule,
  o: {
    readonly text: string;
    readonly quoting: readonly Quoting[];
    readonly start: number;
    readonly nameAt: number;
  },
): number {
  const { text, quoting, start, nameAt } = o;
  if (value) {
    value.lastIndex = start;
    return start + (value.exec(text)?.[0].length ?? 0);
  }
  const how = quoting[start];
  if (how === 'plain' || how === undefined) return endOfWord(text, start, quoting);
  // `-e "PASS=a b"`: the quotes are around the whole assignment or header.
  const isWhole = quoting[nameAt - 1] !== how && how !== 'comment' && how !== 'here-document';
  let end = start;
  while (end < text.length && quoting[end] === how && !(isWhole ? /["'`\n]/ : /[\s"'`&;,\\]/).test(text[end] ?? ''))
    end += 1;
  return end;
}

function replaced(text: string, changes: readonly (Span & { readonly by: string })[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, by } of changes) {
    result += text.slice(at, start) + by;
    at = end;
  }
  return result + text.slice(at);
}

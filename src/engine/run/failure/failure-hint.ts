// The hint of a run that failed: what the failure means for a job, and what to change. It is decided from the reason,
// the exit code, the last lines on standard error, and what the sandbox gave the job. Where the evidence allows several
// causes, the hint names them all, or there is no hint.

import { formatSize } from '../../../lib/units.ts';
import { type ErrorLines, isError, isQuietCurl, printsNothing, withoutScript } from './error-lines.ts';
import type { FailedAttempt, LineRule } from './failed-attempt.ts';
import { hintForFile } from './file-hints.ts';
import { hintForCommand, hintForProgram } from './program-hints.ts';

/** How many lines before the last one may still be about the failure: some programs explain theirs at length. */
const mostLines = 12;

/** undefined if nothing certain can be said. */
export function failureHint(failed: FailedAttempt): string | undefined {
  const { reason } = failed;
  if (reason === 'exit') return hintForExit(failed);
  if (reason === 'signal') return hintForSignal(failed);
  if (reason === 'out_of_memory') return 'raise `permissions: {resources: {memory: …}}` in config.yaml';
  if (reason === 'start_failed') return hintForStart(failed);
  return undefined;
}

function hintForExit(failed: FailedAttempt): string | undefined {
  const { own, bash } = failed.lines;
  if (bash && isRead(bash.command)) return noInput('`read` found no more input');
  const known = curlHint(failed) ?? hintForCommand(failed);
  if (known !== undefined) return known;
  if (bash && printsNothing(bash.command)) return undefined;
  for (const line of own.slice(-mostLines).filter(isError).toReversed()) {
    const hint = hintForLine(withoutScript(line), failed);
    if (hint !== undefined) return hint;
  }
  return undefined;
}

function hintForLine(line: string, failed: FailedAttempt): string | undefined {
  for (const { says, hint } of rules) {
    const match = says.exec(line);
    // The first rule that knows the line decides, even if it has nothing to say.
    if (match) return hint(match, failed);
  }
  return hintForProgram(line, failed) ?? hintForFile(line, failed);
}

const noNetwork = 'the sandbox gives the job no network: allow it with `permissions: {network: all}`';

function hasNoNetwork({ isolation }: FailedAttempt): boolean {
  return isolation.network === 'none';
}

const rules: readonly LineRule[] = [
  {
    says: /could not resolve|could not translate host name|(?:name or service|hostname) not known|(?:failure in|during) name resolution|temporary failure resolving|unable to resolve host|no such host|network is unreachable|UnknownHostException|\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH)\b/i,
    hint: (_, failed) => (hasNoNetwork(failed) ? noNetwork : undefined),
  },
  {
    // Without a network of the host, only the sandbox's own loopback can refuse.
    says: /connection refused|\bECONNREFUSED\b|failed to connect to \S+ port|couldn't connect to server/i,
    hint: (_, failed) =>
      hasNoNetwork(failed)
        ? 'the sandbox has its own 127.0.0.1, where nothing listens, and no other network: ' +
          'allow the network of the host with `permissions: {network: all}`'
        : undefined,
  },
  {
    says: /connection to server on socket "[^"]+" failed: No such file/i,
    hint: (_, { isolation }) =>
      isolation.filesystem === 'workspace'
        ? 'the sandbox does not show the socket of PostgreSQL: allow it with `permissions: {read: [/run/postgresql]}` and ' +
          '`env: {PGHOST: /run/postgresql}`, or set PGHOST to a host and allow `permissions: {network: all}`'
        : undefined,
  },
  {
    says: /no password supplied/i,
    hint: () =>
      'store the password with `flwd secrets set NAME`, and pass it on with `env: {PGPASSWORD: {secret: NAME}}`',
  },
  {
    says: /host key verification failed/i,
    hint: () =>
      'a job has no `~/.ssh/known_hosts`: put the host keys (`ssh-keyscan HOST`) into the job’s folder, and use ' +
      '`ssh -o UserKnownHostsFile="$FLWD_JOB_DIR/known_hosts"`',
  },
  {
    says: /permission denied \([a-z,-]*publickey/i,
    hint: () =>
      'the other host accepts no key that ssh offered; a job has no `~/.ssh`: store the key as a secret, and use ' +
      '`ssh -i "$FLWD_SECRETS_DIR/NAME"`',
  },
  {
    says: /EOFError: EOF when reading a line|stdin is not a (?:terminal|tty)|input device is not a tty|a terminal is required|\/dev\/tty: no such device|could not read (?:username|password) for/i,
    hint: () => noInput('the program wants to ask a person'),
  },
  {
    says: /(?:^|: )([A-Za-z_]\w*): (?:unbound variable|parameter not set|parameter null or not set)$/,
    hint: ([, name = ''], failed) => hintForVariable(name, failed),
  },
  {
    says: /^KeyError: '([A-Z_][A-Z0-9_]*)'$/,
    hint: ([, name = ''], failed) =>
      failed.lines.own.some((line) => /raise KeyError\(key\) from None|os\.environ/.test(line))
        ? hintForVariable(name, failed)
        : undefined,
  },
  {
    says: /cannot allocate memory|^MemoryError|std::bad_alloc/i,
    hint: (_, { plan }) => {
      const bytes = plan.resources?.memoryBytes ?? null;
      if (bytes === null) return undefined;
      return `the run may use ${formatSize(bytes)} of memory: raise \`permissions: {resources: {memory: …}}\` if it needs more`;
    },
  },
  {
    says: /fork: (?:retry: )?resource temporarily unavailable|can't start new thread|pthread_create failed|failed to create new OS thread/i,
    hint: (_, { plan }) => {
      const pids = plan.resources?.pids ?? null;
      if (pids === null) return undefined;
      return `the run may have ${pids} processes and threads: raise \`permissions: {resources: {pids: …}}\` if it needs more`;
    },
  },
  {
    says: /no space left on device|\bENOSPC\b/i,
    hint: (_, { isolation }) =>
      isolation.filesystem === 'host'
        ? undefined
        : 'either the disk of the host is full, or the job’s own `/tmp`, which is small and in memory: large files ' +
          'belong in the workspace',
  },
  {
    says: /ModuleNotFoundError: No module named '([\w.]+)'/,
    hint: ([, name = ''], { isolation }) =>
      isolation.filesystem === 'workspace'
        ? `the job sees only packages of the system, not those of a user: install ${name} for all users of the host, ` +
          'or put it into the job’s folder with `pip install --target`'
        : undefined,
  },
];

/** `read` in bash, from the script's own standard input. */
function isRead(command: string): boolean {
  return /^read\b/.test(command) && !/<|\s-u/.test(command);
}

function noInput(what: string): string {
  return `${what}: a job has no terminal, and its standard input is empty. Take the answer as an argument (\`argspec\`), or ask with an \`approval\` step`;
}

/** Names are compared in lower case: no two arguments differ only in case. */
function hintForVariable(name: string, { plan, isolation }: FailedAttempt): string | undefined {
  const wanted = name.toLowerCase();
  const properties = plan.job.argspec.properties;
  const names = typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  const argument = names.find((one) => one.toLowerCase() === wanted);
  if (argument !== undefined && plan.job.secretArgs.includes(argument)) {
    return (
      `a secret is not a variable: read it from the file "$FLWD_SECRETS_DIR/${argument}", or set the variable with ` +
      `\`env: {${name}: {secret: ${argument}}}\``
    );
  }
  if (argument !== undefined && argument !== name)
    return `the argument is in the variables $${argument} (bash) and $FLWD_ARG_${argument.toUpperCase()}, not in $${name}`;
  if (argument !== undefined || isolation.environment === 'server' || name !== name.toUpperCase()) return undefined;
  return `a job does not get the variables of a login: set ${name} under \`env\` in config.yaml, or make it an argument`;
}

/** What curl's exit codes mean, for scripts that silence it (curl(1)). */
const curlCodes: Readonly<Record<number, string>> = {
  6: 'curl could not resolve the host name',
  7: 'curl could not connect',
  22: 'the server answered curl with an HTTP error (400 or above)',
  28: 'curl ran into a timeout',
  35: 'the TLS handshake failed',
  60: 'curl does not trust the certificate of the server; a private CA needs `--cacert "$FLWD_JOB_DIR/ca.pem"`',
};

function curlHint(failed: FailedAttempt): string | undefined {
  const { exitCode, lines, command } = failed;
  const isCurl = lines.bash ? /^curl\b/.test(lines.bash.command) : /(?:^|\/)curl$/.test(command[0] ?? '');
  const meaning = isCurl && exitCode !== null ? curlCodes[exitCode] : undefined;
  if (meaning === undefined) return undefined;
  if ((exitCode === 6 || exitCode === 7) && hasNoNetwork(failed)) return noNetwork;
  return isSaid(lines) ? undefined : `${meaning} (exit code ${exitCode})`;
}

function isSaid({ own, bash }: ErrorLines): boolean {
  return own.some((line) => line.startsWith('curl: (')) && !(bash && isQuietCurl(bash.command));
}

function hintForSignal({ message }: FailedAttempt): string | undefined {
  if (message.endsWith(' KILL'))
    return 'flwd did not send this signal: another program or a person did, or the kernel, because the host ran out of memory (see `dmesg`)';
  return undefined;
}

function hintForStart({ message }: FailedAttempt): string | undefined {
  if (message.endsWith('is not executable')) return 'make the file executable with `chmod +x`';
  return undefined;
}

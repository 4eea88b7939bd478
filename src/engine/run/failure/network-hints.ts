// Hints about other machines and services: no network, the sandbox's own loopback, sockets of databases, ssh, and curl.

import { type ErrorLines, isQuietCurl } from './error-lines.ts';
import type { FailedAttempt, LineRule } from './failed-attempt.ts';

const noNetwork = 'the sandbox gives the job no network: allow it with `permissions: {network: all}`';

function hasNoNetwork({ isolation }: FailedAttempt): boolean {
  return isolation.network === 'none';
}

export const networkRules: readonly LineRule[] = [
  {
    says: /could not resolve|could not translate host name|(?:name or service|hostname) not known|(?:failure in|during) name resolution|temporary failure resolving|unable to resolve host|no such host|unknown mysql server host|can't connect to mysql server on|network is unreachable|UnknownHostException|\b(?:ENOTFOUND|EAI_AGAIN|ENETUNREACH)\b/i,
    hint: (_, failed) => (hasNoNetwork(failed) ? noNetwork : undefined),
  },
  {
    // Without a network of the host, only the sandbox's own loopback can refuse a connection.
    says: /connection refused|\bECONNREFUSED\b|failed to connect to \S+ port|couldn't connect to server/i,
    hint: (_, failed) =>
      hasNoNetwork(failed)
        ? 'the sandbox has its own 127.0.0.1, where only the job itself can listen, and no other network: ' +
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
    says: /connect to local mysql server through socket '[^']+' \(2/i,
    hint: (_, { isolation }) =>
      isolation.filesystem === 'workspace'
        ? 'the sandbox does not show the socket of MySQL: allow it with `permissions: {read: [/run/mysqld]}`, or connect ' +
          'to 127.0.0.1 and allow `permissions: {network: all}`'
        : undefined,
  },
  {
    says: /no password supplied/i,
    hint: () =>
      'store the password with `flwd secrets set NAME`, and pass it on with `env: {PGPASSWORD: {secret: NAME}}`',
  },
  {
    says: /host key verification failed/i,
    hint: (_, { isolation }) =>
      isolation.filesystem === 'workspace'
        ? 'a job sees `~/.ssh` only if it is granted: put the host keys (`ssh-keyscan HOST`) into the job’s folder, and ' +
          'use `ssh -o UserKnownHostsFile="$FLWD_JOB_DIR/known_hosts"`'
        : undefined,
  },
  {
    says: /permission denied \([a-z,-]*publickey/i,
    hint: (_, { isolation }) =>
      isolation.filesystem === 'workspace'
        ? 'the other host accepts no key that ssh offered, and a job sees `~/.ssh` only if it is granted: store the key ' +
          'as a secret, and use `ssh -i "$FLWD_SECRETS_DIR/NAME"`'
        : undefined,
  },
];

/** What curl's exit codes mean, for scripts that silence it (curl(1)). */
const curlCodes: Readonly<Record<number, string>> = {
  6: 'curl could not resolve the host name',
  7: 'curl could not connect',
  22: 'the server answered curl with an HTTP error (400 or above)',
  28: 'curl ran into a timeout',
  35: 'the TLS handshake failed',
  60: 'curl does not trust the certificate of the server; a private CA needs `--cacert "$FLWD_JOB_DIR/ca.pem"`',
};

export function hintForCurl(failed: FailedAttempt): string | undefined {
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

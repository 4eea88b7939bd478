// Hints about programs that are missing, or that a job cannot use: what flwd offers instead.

import { type HostNeed, hostNeedOf } from '../../../domain/host-needs.ts';
import { errorsIn } from './error-lines.ts';
import type { FailedAttempt, LineRule } from './failed-attempt.ts';
import { hintForWord } from './file-hints.ts';

const otherUser =
  'no program in a job can become another user: run the whole job as that user with `run_as: USER` (if the server runs ' +
  'as root, and USER is not root), or give the job’s user access to the files (`flwd plan JOB` shows its uid)';
const containers =
  'a job sees no container engine; the profile `disabled`, if the operator allows it, gives a job the whole host';
const services =
  'a job cannot reach the services of the host; the profile `disabled`, if the operator allows it, gives a job the whole host';
const rightsOfRoot = 'no job in a sandbox has root privileges';
const schedules = 'flwd starts jobs itself: `schedules: [{cron: "0 3 * * *"}]` in config.yaml';
const mail = 'flwd can report failures itself: `notify` in config.yaml';

const offers: Readonly<Record<HostNeed, string>> = {
  'another user': otherUser,
  containers,
  services,
  schedules,
  'root privileges': rightsOfRoot,
  mail,
};

/** These programs fail in every sandbox, whatever error they print. */
const useless = new Set(['sudo', 'su', 'doas', 'runuser', 'systemctl', 'crontab', 'at']);

const rules: readonly (LineRule & { readonly program: string })[] = [
  {
    program: 'sudo',
    says: /"no new privileges" flag is set|^sudo: (?:effective uid is not 0|.*setuid|unable to)|^su: (?:cannot set|must be|authentication failure)/i,
  },
  { program: 'docker', says: /cannot connect to the docker daemon|\/docker\.sock/i },
  { program: 'systemctl', says: /not been booted with systemd|failed to connect to (?:system scope )?bus/i },
].map((rule) => ({ ...rule, hint: (_, failed) => offer(rule.program, failed) }));

const notFound =
  /(?:^|: )(?:failed to run command )?['"‘“]?([\w.+-]+)['"’”]?: (?:command not found|not found|No such file or directory)$/;

/** What flock(1), setsid(1) and other programs of util-linux print. Each of them has an exit code of its own. */
const notExecuted = /: failed to execute ([\w.+-]+): No such file or directory$/;

/** What Node.js prints, and what Python's subprocess prints after a frame of its own. */
const notStarted = /\bspawn(?:Sync)? ([\w.+-]+) ENOENT\b/;
const notStartedByPython = /^FileNotFoundError: .* No such file or directory: '([\w.+-]+)'$/;
const frameOfSubprocess = /, in _execute_child$/;

/** The shell, env(1) and timeout(1) exit with this code when they do not find a program. */
const notFoundCode = 127;

/** Looks at the command with which a bash script ended. */
export function hintForCommand(failed: FailedAttempt): string | undefined {
  const [name = ''] = (failed.lines.bash?.command ?? '').split(/\s/);
  return useless.has(name) ? offer(name, failed) : undefined;
}

export function hintForProgram(line: string, failed: FailedAttempt): string | undefined {
  for (const { says, hint } of rules) {
    const match = says.exec(line);
    if (match) return hint(match, failed);
  }
  const name = missingProgram(line, failed);
  if (name === undefined) return undefined;
  return hintForWord(name, failed) ?? offer(name, failed) ?? hintForMissing(name, failed);
}

/** Matches only what bash and dash print. Dash begins the line with its own name or that of the script. */
const notFoundByShell =
  /: line \d+: ([\w.+-]+): command not found$|^(?:(?:\S*\/)?(?:da)?sh|\S*\.sh|\/job\/\S+): \d+: ([\w.+-]+): not found$/;

/** What flock(1) prints if the shell or flock itself could not open the lock file. */
const lockNotOpened = /^flock: (?:\d+: Bad file descriptor$|cannot open lock file )/;

/**
 * Names a program that a script did not find, if the script continued and succeeded, as with `rsync … || true`. Also
 * notices a lock that could not be taken, as with `flock -n 9 || exit 0`.
 */
export function hintForSuccess(found: Pick<FailedAttempt, 'lines' | 'isolation'>): string | undefined {
  if (found.lines.own.some((one) => lockNotOpened.test(one)))
    return (
      'the script could not open its lock file, so perhaps it did nothing: remove the lock from the script, and use ' +
      '`concurrency: {limit: 1}` in config.yaml'
    );
  const line = found.lines.own.findLast((one) => notFoundByShell.test(one)) ?? '';
  const [, ofBash, name = ofBash] = notFoundByShell.exec(line) ?? [];
  if (name === undefined) return undefined;
  return `the script continued without ${name}: ${offer(name, found) ?? hintForMissing(name, found)}`;
}

function missingProgram(line: string, { exitCode, lines }: FailedAttempt): string | undefined {
  const isFromPython = lines.own.some((one) => frameOfSubprocess.test(one));
  const [, name] =
    notExecuted.exec(line) ?? notStarted.exec(line) ?? (isFromPython ? notStartedByPython.exec(line) : null) ?? [];
  if (name !== undefined) return name;
  const [words, ofShell] = notFound.exec(line) ?? [];
  if (exitCode === notFoundCode) return ofShell;
  // After `tool || exit 1`, the exit code is another one. An earlier line may be about a program that was not needed.
  const isLast = errorsIn(lines.own).at(-1)?.endsWith(line) === true;
  return isLast && words?.endsWith('command not found') ? ofShell : undefined;
}

function offer(name: string, { isolation }: Pick<FailedAttempt, 'isolation'>): string | undefined {
  const need = hostNeedOf(name);
  return isolation.filesystem === 'host' || need === undefined ? undefined : offers[need];
}

export function hintForMissing(name: string, { isolation }: Pick<FailedAttempt, 'isolation'>): string {
  const lead = `no folder in the job’s PATH has ${name}: install it on the host`;
  return isolation.filesystem === 'workspace'
    ? `${lead} or, if it is outside /usr, allow its folder with \`permissions: {read: […]}\` and call it by its full path`
    : `${lead}, or call it by its full path`;
}

// The hint of a run that failed: what the failure means for a job, and what to change. It is decided from the reason,
// the exit code, the last lines on standard error, and what the sandbox gave the job. Where the evidence allows several
// causes, the hint names them all, or there is no hint.

import { sizeWords } from '../../../lib/units.ts';
import { asksForKey, errorsIn, isError, isSilent, withoutScript } from './error-lines.ts';
import type { FailedAttempt, LineRule } from './failed-attempt.ts';
import { hintForFile } from './file-hints.ts';
import { hintForCurl, networkRules } from './network-hints.ts';
import { hintForCommand, hintForMissing, hintForProgram } from './program-hints.ts';
import { isPlain } from './shown-path.ts';
import { variableRules } from './variable-hints.ts';

/** How many lines before the last one may still be about the failure: some programs explain a failure at length. */
const mostLines = 12;

/** Returns undefined if nothing certain can be said. */
export function failureHint(failed: FailedAttempt): string | undefined {
  const { reason } = failed;
  if (reason === 'exit') return hintForExit(failed);
  if (reason === 'signal') return hintForSignal(failed);
  if (reason === 'out_of_memory') return 'raise `permissions: {resources: {memory: …}}` in config.yaml';
  if (reason === 'start_failed') return hintForStart(failed);
  if (reason === 'lost') return hintForLost(failed);
  return undefined;
}

function hintForExit(failed: FailedAttempt): string | undefined {
  const { own, bash } = failed.lines;
  if (bash && isRead(bash.command)) return noInput('`read` found no more input');
  const known = hintForCurl(failed) ?? hintForCommand(failed) ?? hintForKey(failed);
  if (known !== undefined) return known;
  if (isSilent(failed.lines)) return undefined;
  // If the disk is full, the program may have printed an error that could not be stored.
  if (own.length === 0) return failed.lackOfRoom ?? undefined;
  for (const line of errorsIn(own).slice(-mostLines).toReversed()) {
    const hint = hintForLine(withoutScript(line), failed);
    if (hint !== undefined) return hint;
  }
  return undefined;
}

/** flwd_kv_get says why it fails, except for a key that does not exist. */
function hintForKey({ exitCode, lines }: FailedAttempt): string | undefined {
  const { own, bash } = lines;
  const asks = bash
    ? isSilent(lines) && asksForKey(bash.command)
    : asksForKey(commandOfPython(own.findLast(isError) ?? '')) && !own.some((line) => line.startsWith('flwd_kv_get: '));
  if (exitCode !== 1 || !asks) return undefined;
  return 'there is no such key: give `flwd_kv_get` a default after the key, for the first run';
}

/** The command that failed in Python's `subprocess`: `'flwd_kv_get n'`, or `['flwd_kv_get', 'n']`. */
function commandOfPython(line: string): string {
  const [, list, text = ''] = /: Command (?:'\[(.*)\]'|'(.*)') returned non-zero exit status 1\b/.exec(line) ?? [];
  return list?.replaceAll("', '", "' '") ?? text;
}

function hintForLine(line: string, failed: FailedAttempt): string | undefined {
  for (const { says, hint } of rules) {
    const match = says.exec(line);
    // The first rule that matches the line decides, even if it gives no hint.
    if (match) return hint(match, failed);
  }
  return hintForProgram(line, failed) ?? hintForFile(line, failed);
}

const rules: readonly LineRule[] = [
  ...networkRules,
  ...variableRules,
  {
    // dash takes the `\r` after `set -e` for an option, and prints `Illegal option -`.
    says: /^\$'[^']*\\r': command not found$|^syntax error near unexpected token .\$'[^']*\\r'|^set: (?:\w+\\r: invalid option name|-\w*\\r: invalid option)$|^[^\s:]*\\r: not found$|^(?:\/\S*\/)?env: ['‘][^'’]*\\r['’]: No such file|\^M: bad interpreter|\bIllegal option -$/,
    hint: () => `the script has Windows line endings: ${saveForUnix}`,
  },
  {
    // Matches a word of the script, or a word that the script has read. Bash prints it as `$'12\r'`. Other programs
    // print `'12\r'`, which does not match.
    says: /\$'[^']*\\r'|\\r: (?:No such file or directory|numeric argument required)$/,
    hint: () => `the script, or the text that it reads, has Windows line endings: ${saveForUnix}`,
  },
  {
    says: /^\u{FEFF}/u,
    hint: () =>
      'the script begins with a byte order mark (BOM), so its first line has no effect: save it as UTF-8 without BOM',
  },
  {
    says: /: cannot execute: required file not found$/,
    hint: () => neededFile,
  },
  {
    says: /^syntax error: (?:unexpected end of file|end of file unexpected)/i,
    hint: () =>
      `a block or a quote of the script is not closed; if the script has Windows line endings, ${saveForUnix}`,
  },
  {
    says: /^(?:\s*\d+ )?Killed\b/,
    hint: (_, { exitCode }) => (exitCode === 137 ? killed : undefined),
  },
  {
    says: /EOFError: EOF when reading a line|stdin is not a (?:terminal|tty)|input device is not a tty|a terminal is required|\/dev\/tty: no such device|could not read (?:username|password) for/i,
    hint: () => noInput('the program wants to ask a person'),
  },
  {
    says: /cannot allocate memory|^(?:object type name: )?MemoryError|std::bad_alloc/i,
    hint: (_, { plan }) => {
      const bytes = plan.resources?.memoryBytes ?? null;
      if (bytes === null) return undefined;
      return `a step may use ${sizeWords(bytes)} of memory: raise \`permissions: {resources: {memory: …}}\` if it needs more`;
    },
  },
  {
    says: /fork: (?:retry: )?resource temporarily unavailable|can't start new thread|pthread_create failed|failed to create new OS thread/i,
    hint: (_, { plan }) => {
      const pids = plan.resources?.pids ?? null;
      if (pids === null) return undefined;
      return `a step may have ${pids} processes and threads: raise \`permissions: {resources: {pids: …}}\` if it needs more`;
    },
  },
  {
    says: /no space left on device|\bENOSPC\b/i,
    hint: (_, { isolation, lackOfRoom }) =>
      lackOfRoom !== null || isolation.filesystem === 'host'
        ? (lackOfRoom ?? undefined)
        : 'either the disk of the host is full, or the job’s own `/tmp`, which is in memory: large files belong ' +
          'in the workspace',
  },
  {
    says: /ModuleNotFoundError: No module named '([\w.]+)'/,
    hint: ([, name = ''], { isolation }) =>
      isolation.filesystem === 'workspace'
        ? `the job sees only packages of the system, not those of a user: install ${name} for all users of the host, ` +
          'or put it into the job’s folder with `pip install --target`'
        : undefined,
  },
  {
    says: /Cannot find (?:module|package) '((?:@[\w.-]+\/)?[\w-][\w.-]*)(?:\/[^']*)?'/,
    hint: ([, name = '']) =>
      `run \`npm install ${name}\` in the job’s folder: Node.js finds packages in that folder’s node_modules`,
  },
];

const saveForUnix = 'save it with Unix line endings, for example with `dos2unix`';
const neededFile =
  'the job does not see a program that the file needs: the one that its first line names or, for a compiled program, ' +
  'its loader (`file` shows it). If the first line is right, the file has Windows line endings: ' +
  saveForUnix;

/** Whether the command is bash's `read` from the script's own standard input. */
function isRead(command: string): boolean {
  return /^read\b/.test(command) && !/<|\s-u/.test(command);
}

function noInput(what: string): string {
  return `${what}: a job has no terminal, and its standard input is empty. Take the answer as an argument (\`argspec\`), or ask with an \`approval\` step`;
}

const killed =
  'flwd did not send SIGKILL: another program or a person did, or the kernel, because memory ran out (see `dmesg`)';

function hintForSignal({ message }: FailedAttempt): string | undefined {
  return message.endsWith(' KILL') ? killed : undefined;
}

/** A run that somebody ended is not run again, even if some of its processes could not be ended. */
function hintForLost({ message, plan }: FailedAttempt): string | undefined {
  if (plan.job.onLost === 'retry' || message.endsWith('could not be ended')) return undefined;
  return 'if it does no harm to run the script twice, set `on_lost: retry` in config.yaml: flwd then runs it again by itself';
}

/** Looks at the `#!` line of the job's own script. */
function hintForFirstLine({ command: [script = ''], firstLineOf }: FailedAttempt): string | undefined {
  const line = script.startsWith('./') ? firstLineOf(script) : '';
  const [, interpreter = ''] = /^#!\s*(\S+)/.exec(line) ?? [];
  if (interpreter === '' || !isPlain(interpreter)) return undefined;
  if (line.endsWith('\r')) return `the script has Windows line endings: ${saveForUnix}`;
  return `the script’s first line names ${interpreter}, which the job does not see: install it on the host, or correct the line`;
}

function hintForStart(failed: FailedAttempt): string | undefined {
  const { message } = failed;
  const [, program] = /^(\S+) cannot be started: there is no such program on this host$/.exec(message) ?? [];
  if (program !== undefined) return hintForMissing(program, failed);
  if (message.endsWith('is not executable')) return 'make the file executable with `chmod +x`';
  if (message.endsWith('the program that its first line names does not'))
    return hintForFirstLine(failed) ?? `if the file exists, ${neededFile}`;
  return undefined;
}

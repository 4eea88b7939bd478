// Writes the files of a job that was found in another scheduler: config.yaml, the scripts, and a record of where the
// job comes from. All schedules are held. The job is always `secure`. Comments in config.yaml propose permissions that
// the job will lack.

import { stringify } from 'yaml';
import { shellWord } from '../../lib/shell-word.ts';
import type { NewFile } from '../init/job-folder.ts';
import { printable } from '../terminal/output.ts';
import { scriptText } from './called-script.ts';
import {
  type CommandNeeds,
  foldersOf,
  mergeNeeds,
  needsOfCommand,
  noteOfLock,
  notesOfHidden,
} from './command-needs.ts';
import { commandsOf, type FoundCommand, type FoundJob } from './found-job.ts';
import { type ImportRecord, recordFile, recordOf } from './record.ts';
import {
  createSecretNames,
  fewestSecretBytes,
  holdsSecret,
  isSecretValue,
  type Secret,
  takeSecrets,
  withoutSecrets,
} from './secret-text.ts';

type StoredSecret = Secret & { /** The name of the stored secret. */ readonly stored: string };

export type Draft = {
  readonly files: readonly NewFile[];
  readonly record: ImportRecord;
  readonly needs: CommandNeeds;
  readonly secrets: readonly StoredSecret[];
  /**
   * Variables that contain a password, but do not appear in the job's own commands or in the scripts that they call.
   * Other programs may use the variables.
   */
  readonly unnamed: readonly string[];
  readonly notes: readonly string[];
  /** Lines for config.yaml that ask for the permissions that the job lacks; empty if it lacks no permission. */
  readonly configLines: readonly string[];
  /** What `security` in flwd.yaml must list, so that the job may ask for these permissions. */
  readonly security: Security;
};

export type Security = { readonly paths: readonly string[]; readonly runAs: readonly string[] };

/** The line that flwd.yaml needs; empty if it needs no line. */
export function securityLines(all: readonly Security[]): string[] {
  const [paths, runAs] = [all.flatMap((one) => one.paths), all.flatMap((one) => one.runAs)];
  const security = {
    ...(paths.length > 0 && { paths: [...new Set(paths)].toSorted() }),
    ...(runAs.length > 0 && { run_as: [...new Set(runAs)].toSorted() }),
  };
  return Object.keys(security).length > 0 ? [flow({ security })] : [];
}

/**
 * `user`: the user that `run_as` must name. `lost`: a note that the job ran as another user before, and cannot any
 * more. undefined: the job runs as the same user as before, even without `run_as`, or the earlier user is not known.
 */
export type RunAs = { readonly user: string } | { readonly lost: string } | undefined;

const unsettable =
  /^(?:PATH|IFS|ENV|SHELLOPTS|PS4|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NLSPATH|(?:BASH|LD_|FLWD_|MALLOC_).*)$/;
const setInScripts = /^(?:PATH|LD_LIBRARY_PATH|LD_PRELOAD)$/;
const neverRoot =
  '`run_as` never makes a job root: use another user, or, if the server runs as root, the profile disabled';
const mostOriginLines = 20;
const mostOriginCharacters = 500;
const mostScriptCharacters = 2 ** 20;

type Plan = {
  /** The job's title, which is unique. */
  readonly title: string;
  readonly needs: CommandNeeds;
  /** Another job takes the same lock file. */
  readonly isLockShared: boolean;
  /** Notes besides those of the job and its needs. */
  readonly notes: readonly string[];
  /** The job's folder below the target. The names of its stored secrets are made from it. */
  readonly folder: string;
  readonly runAs: RunAs;
  /** Returns the name of the stored secret for a variable that all jobs of one crontab share. */
  readonly storedName: (place: string, variable: string, value: string) => string;
  /** Returns the id of another imported job, by its name. */
  readonly jobId: (name: string) => string;
  readonly obstacles: string[];
};

/** @param own flwd's own files and folders */
export function needsOfJob(job: FoundJob, own: readonly string[]): CommandNeeds {
  const around = { home: job.home, environment: job.environment, own };
  return mergeNeeds(commandsOf(job).map((command) => needsOfCommand(textForNeeds(command), around)));
}

/** The commands, after the lines that choose their folder. flwd provides the file for outputs. */
function textForNeeds(command: FoundCommand): string {
  const { setup = [] } = command;
  const start = setup.slice(0, setup.findLastIndex((line) => line.startsWith('cd ')) + 1);
  const text = command.isShell ? [withoutLog(command).replaceAll('"$FLWD_OUTPUT_FILE"', '/dev/null')] : [];
  return [...start, ...text].join('\n');
}

function withoutLog({ text, logging }: FoundCommand): string {
  return logging === undefined ? text : text.slice(0, text.lastIndexOf(logging));
}

/** If the job cannot be imported, adds its obstacles to the list. */
export function draftJob(
  found: FoundJob,
  { title, folder, runAs, storedName, jobId, needs, isLockShared, notes: others, obstacles }: Plan,
): Draft {
  const job = withLock({ ...found, name: title }, needs, { isLockShared, others });
  const names = createSecretNames(job.arguments.map(({ name }) => name));
  const notes = [...job.notes];
  const env = environmentOf(job, { names, notes, storedName, obstacles });
  const scripts = new Map<FoundCommand, Script>();
  for (const command of commandsOf(job)) {
    scripts.set(command, scriptOf(command, { names, exported: env.exported, obstacles }));
  }
  const own = job.arguments.flatMap(({ name, secretVariable }) =>
    secretVariable === undefined ? [] : [{ argument: name, variable: secretVariable }],
  );
  const prefix = folder.replaceAll('/', '-');
  const secrets = [...own, ...names.all()].map((one) => ({
    ...one,
    stored: env.stored.get(one.argument) ?? `${prefix}-${one.argument}`,
  }));
  const lines = linesFor(needs, runAs, job);
  const record = recordOf(job, runAs && 'lost' in runAs ? runAs.lost : null);
  const config = configOf(job, {
    variables: { ...homeOf(job, needs), ...env.variables },
    secrets,
    runAs,
    scripts,
    jobId,
  });
  const text = [...headOf(job, record), stringify(config, { lineWidth: 0 }).trimEnd(), ...tailOf(lines, needs)].join(
    '\n',
  );
  return {
    files: [
      { name: 'config.yaml', text: `${text}\n`, mode: 0o600 },
      ...[...scripts.values()].flatMap(({ files }) => files),
      { name: recordFile, text: `${JSON.stringify(record, null, 2)}\n`, mode: 0o600 },
    ],
    record,
    needs,
    secrets,
    unnamed: unnamedIn(
      job,
      needs,
      secrets.filter(({ argument }) => env.stored.has(argument)),
    ),
    notes: [
      ...notes,
      ...notesOfHidden(needs, isLockShared),
      ...needs.notes,
      ...(record.not_carried_over !== null && job.user === 'root' ? [neverRoot] : []),
    ],
    ...lines,
  };
}

function unnamedIn(job: FoundJob, { scripts }: CommandNeeds, secrets: readonly Secret[]): string[] {
  const texts = [...commandsOf(job).map(({ text }) => text), ...scripts.map((path) => scriptText(path) ?? '')];
  const words = new Set(texts.flatMap((text) => text.split(/\W+/)));
  return secrets.map(({ variable }) => variable).filter((variable) => !words.has(variable));
}

/** The other scheduler's own limit takes precedence over a lock in the command. */
function withLock(
  job: FoundJob,
  { lock }: CommandNeeds,
  { isLockShared, others }: { readonly isLockShared: boolean; readonly others: readonly string[] },
): FoundJob {
  if (lock === undefined || job.settings.concurrency !== undefined) return { ...job, notes: [...job.notes, ...others] };
  return {
    ...job,
    settings: { ...job.settings, concurrency: { limit: 1, on_conflict: lock.onConflict } },
    notes: [...job.notes, noteOfLock(lock, isLockShared), ...others],
  };
}

function homeOf({ home }: FoundJob, { isHomeUsed }: CommandNeeds): Record<string, string> {
  return isHomeUsed && home !== null ? { HOME: home } : {};
}

type Names = ReturnType<typeof createSecretNames>;

function environmentOf(
  job: FoundJob,
  o: Pick<Plan, 'storedName' | 'obstacles'> & { readonly names: Names; readonly notes: string[] },
) {
  const variables: Record<string, string> = {};
  const exported: string[] = [];
  /** The names of stored secrets, by argument. */
  const stored = new Map<string, string>();
  for (const [name, value] of Object.entries(job.environment)) {
    if (setInScripts.test(name)) exported.push(`${name}=${shellWord(value)}; export ${name}`);
    else if (unsettable.test(name) || !/^[A-Za-z_]\w*$/.test(name))
      o.notes.push(`the variable ${name} is not carried over: a job must not set it`);
    else if (!isSecretValue(name, value)) variables[name] = value;
    else if (Buffer.byteLength(value) < fewestSecretBytes)
      o.obstacles.push(`${name} looks like a password, but is shorter than ${fewestSecretBytes} bytes`);
    else {
      const { argument } = o.names.add(name, value, name);
      if (job.origin.kind === 'crontab') stored.set(argument, o.storedName(job.origin.place, name, value));
    }
  }
  return { variables, exported, stored };
}

type Script = {
  readonly files: readonly NewFile[];
  /** The command of config.yaml. */
  readonly words: readonly string[];
};

function scriptOf(
  { file, text, interpreter, isShell, setup = [] }: FoundCommand,
  o: { readonly names: Names; readonly exported: readonly string[]; readonly obstacles: string[] },
): Script {
  const before = [...o.exported, ...setup];
  const words = [...interpreter, `./${file}`];
  if (!isShell && holdsSecret(text))
    o.obstacles.push('its script contains what looks like a password: move it to a file or variable');
  if (text.length > mostScriptCharacters) o.obstacles.push('its script is larger than 1 MiB');
  const own = { name: file, text, mode: 0o600 };
  if (!isShell && before.length === 0) return { files: [own], words };
  const lines = isShell
    ? withLines(text, before)
    : [...before, `${interpreter.map(shellWord).join(' ')} "$FLWD_JOB_DIR/${file}" "$@"`, ''];
  const taken = takeSecrets(lines.join('\n'), o.names, o.obstacles);
  if (isShell) return { files: [{ ...own, text: taken }], words };
  const wrapper = `${file}.sh`;
  return { files: [own, { name: wrapper, text: taken, mode: 0o600 }], words: ['/bin/sh', `./${wrapper}`] };
}

function withLines(text: string, before: readonly string[]): string[] {
  const [first = '', ...rest] = text.split('\n');
  return first.startsWith('#!') ? [first, ...before, ...rest] : [...before, first, ...rest];
}

function configOf(
  job: FoundJob,
  o: {
    readonly variables: Readonly<Record<string, string>>;
    readonly secrets: readonly StoredSecret[];
    readonly runAs: RunAs;
    readonly scripts: ReadonlyMap<FoundCommand, Script>;
    readonly jobId: Plan['jobId'];
  },
): Record<string, unknown> {
  const { program, schedules, settings } = job;
  const secretOf = new Map(o.secrets.map((secret) => [secret.argument, secret]));
  const required = job.arguments
    .filter(({ isRequired, name }) => isRequired && !secretOf.has(name))
    .map(({ name }) => name);
  const properties = Object.fromEntries([
    ...job.arguments.map(({ name, schema }) => [name, schema] as const),
    ...o.secrets.map(
      ({ argument, stored }) => [argument, { type: 'string', format: 'secret', default: { secret: stored } }] as const,
    ),
  ]);
  const env = {
    ...o.variables,
    ...Object.fromEntries(o.secrets.map(({ variable, argument }) => [variable, { secret: argument }])),
  };
  const wordsOf = (command: FoundCommand) => o.scripts.get(command)?.words;
  return {
    name: printable(job.name),
    ...(job.description !== undefined &&
      job.description !== '' && { description: withoutSecrets(printable(job.description)) }),
    security_profile: 'secure',
    ...(o.runAs && 'user' in o.runAs && { run_as: o.runAs.user }),
    ...('file' in program
      ? { command: wordsOf(program) }
      : {
          steps: program.map((step) => ({
            id: step.id,
            ...(step.command ? { command: wordsOf(step.command) } : { job: o.jobId(step.job), args: step.args }),
            ...step.settings,
          })),
        }),
    ...(Object.keys(properties).length > 0 && {
      argspec: { type: 'object', ...(required.length > 0 && { required }), properties },
    }),
    ...(Object.keys(env).length > 0 && { env }),
    ...settings,
    ...(schedules.length > 0 && {
      schedules: schedules.map(({ cron, timezone, settings: own }) => ({ cron, timezone, held: true, ...own })),
    }),
  };
}

function headOf({ origin, notes }: FoundJob, record: ImportRecord): string[] {
  const place = `${printable(origin.place)}${origin.line === null ? '' : `, line ${origin.line}`}`;
  return [
    `# Written by flwd import ${origin.kind}, from ${place}:`,
    ...originLines(record.text).map((line) => `#   ${line}`),
    ...[...notes, ...(record.not_carried_over === null ? [] : [`not carried over: ${record.not_carried_over}`])].map(
      (note) => `# Note: ${printable(note)}.`,
    ),
  ];
}

/** The text of an origin as lines of a comment. */
export function originLines(text: string): string[] {
  const lines = text.split(/\r\n|[\n\r\u0085\u2028\u2029]/);
  const shown = lines.slice(0, mostOriginLines).map((line) => {
    const plain = printable(line).trimEnd();
    return plain.length > mostOriginCharacters ? `${plain.slice(0, mostOriginCharacters)}…` : plain;
  });
  return lines.length > mostOriginLines ? [...shown, '…'] : shown;
}

function linesFor(needs: CommandNeeds, runAs: RunAs, { user, home }: FoundJob) {
  const { read, write, network } = needs;
  // `run_as` cannot name root.
  const lost = runAs !== undefined && 'lost' in runAs && user !== null && user !== 'root' ? [user] : [];
  const permissions = {
    ...(network !== undefined && { network: 'all' }),
    ...(read.length > 0 && { read }),
    ...(write.length > 0 && { write }),
  };
  return {
    configLines: [
      ...(Object.keys(permissions).length > 0 ? [flow({ permissions })] : []),
      ...lost.map((name) => flow({ run_as: name })),
    ],
    security: { paths: read.length + write.length > 0 ? foldersOf(needs, home) : [], runAs: lost },
  };
}

/** One line of YAML. */
function flow(value: Readonly<Record<string, object | string>>): string {
  return Object.entries(value)
    .map(
      ([key, one]) =>
        `${key}: ${stringify(one, { collectionStyle: 'flow', flowCollectionPadding: false, lineWidth: 0 }).trim()}`,
    )
    .join('\n');
}

function tailOf(lines: Pick<Draft, 'configLines' | 'security'>, { network }: CommandNeeds): string[] {
  if (lines.configLines.length === 0) return [];
  return [
    '',
    '# In the profile secure, the job needs permissions for what it seems to use. To ask for them, remove the # and the',
    '# space after it:',
    ...lines.configLines.map((line) => `# ${line}`),
    ...(network === undefined ? [] : [`# ${printable(network)} seems to use the network.`]),
    ...securityLines([lines.security]).flatMap((line) => [
      '# The operator must allow them in flwd.yaml:',
      `#   ${line}`,
    ]),
  ];
}

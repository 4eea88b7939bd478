// Finds the job that a command's words name.

import { type ArgumentField, argumentFields } from '../../domain/argument-fields.ts';
import { flagOf, negatedFlagOf } from '../../domain/argument-flags.ts';
import { hint, verbs } from '../command-line.ts';
import { exitCodes, Refusal } from '../exit-code.ts';
import { explained } from '../explained.ts';
import { ownName } from '../own-name.ts';
import { findField, usageOfField } from './argument-words.ts';
import type { Job, KnownJobs } from './known-jobs.ts';

const wordsOfChecks = `${ownName} jobs validate DIR checks jobs, ${ownName} config validate checks flwd.yaml, ${ownName} doctor checks the host`;

const wordsOfRunning = `${ownName} run JOB starts a job`;
const wordsOfEnding = `${ownName} cancel RUN stops a run, ${ownName} cancel RUN --force kills it at once`;
const wordsOfMaking = `${ownName} init PATH makes a job, ${ownName} init --from SCRIPT makes one from a script`;
const wordsOfServing = `${ownName} serve runs the server in the foreground; docs/install.md says how to make it a service`;
const wordsOfAccess = `the user of the server needs no login; ${ownName} tokens create makes a token for other users`;
const wordsOfTimes = `${ownName} schedules lists the times of jobs, ${ownName} import crontab makes jobs from a crontab`;
const wordsOfRemoving = 'remove the folder of the job; flwd keeps the runs of the job until they expire';
const wordsOfEnabled = `\`enabled: false\` in config.yaml disables the job, \`enabled: true\` enables it; ${ownName} schedules hold SCHEDULE holds one schedule`;
const wordsOfConsole = `the console is in the browser, at the address that ${ownName} serve prints; ${ownName} tui is for a terminal`;

/** Words that people know from other programs, and what flwd has instead. */
const otherWords: ReadonlyMap<string, string> = new Map([
  ['status', `${ownName} doctor examines the instance, ${ownName} runs lists the runs`],
  [
    'start',
    `${ownName} serve starts the server, or systemctl start flwd if it is a service; ${ownName} run JOB starts a job`,
  ],
  ['stop', `systemctl stop flwd stops the service, Ctrl-C ends ${ownName} serve; ${ownName} cancel RUN stops a run`],
  ['restart', `systemctl restart flwd restarts the service; ${ownName} rerun RUN starts a run again`],
  ['kill', wordsOfEnding],
  ['abort', wordsOfEnding],
  ['terminate', wordsOfEnding],
  ['reject', `${ownName} deny RUN [STEP] denies an approval`],
  ['exec', wordsOfRunning],
  ['trigger', `${wordsOfRunning}, ${ownName} triggers lists the triggers of jobs`],
  ['dispatch', wordsOfRunning],
  ['new', wordsOfMaking],
  ['create', wordsOfMaking],
  ['add', wordsOfMaking],
  ['download', `${ownName} artifacts get RUN NAME downloads an artifact, ${ownName} export RUN a whole run`],
  ['server', wordsOfServing],
  ['daemon', wordsOfServing],
  ['up', wordsOfServing],
  ['login', wordsOfAccess],
  ['auth', wordsOfAccess],
  ['whoami', wordsOfAccess],
  ['cron', wordsOfTimes],
  ['crontab', wordsOfTimes],
  ['list-timers', wordsOfTimes],
  ['cat', `${ownName} logs RUN prints the log of a run, ${ownName} jobs JOB shows a job`],
  ['grep', `${ownName} search TEXT searches the logs of all runs`],
  ['journal', `${ownName} logs RUN prints the log of a run, ${ownName} audit lists what people did`],
  ['executions', `${ownName} runs lists the runs`],
  ['workflow', `${ownName} jobs lists the jobs; a workflow is a job with steps`],
  [
    'retry',
    `${ownName} rerun RUN starts a run again, ${ownName} rerun RUN --from failed repeats only the steps that did not succeed`,
  ],
  ['edit', 'change the files in the folder of the job; flwd notices the change'],
  ['rm', wordsOfRemoving],
  ['delete', wordsOfRemoving],
  ['remove', wordsOfRemoving],
  ['enable', wordsOfEnabled],
  ['disable', wordsOfEnabled],
  ['reload', 'flwd notices changed jobs by itself; after a change in flwd.yaml, restart the server'],
  ['web', wordsOfConsole],
  ['ui', wordsOfConsole],
  ['console', wordsOfConsole],
  ['upgrade', 'install the new version as you installed this one, and restart the server: see docs/install.md'],
  ['update', 'install the new version as you installed this one, and restart the server: see docs/install.md'],
  ['token', `${ownName} tokens lists tokens, ${ownName} tokens create makes one`],
  ['job', `${ownName} jobs lists the jobs`],
  ['secret', `${ownName} secrets list lists the secrets, ${ownName} secrets set NAME stores one`],
  ['schedule', `${ownName} schedules lists the schedules, ${ownName} schedules add JOB adds one`],
  ['list', `${ownName} jobs lists the jobs, ${ownName} runs lists the runs`],
  ['ls', `${ownName} jobs lists the jobs, ${ownName} runs lists the runs`],
  ['ps', `${ownName} runs --status running lists what runs`],
  ['history', `${ownName} runs lists the runs, ${ownName} runs --job JOB those of a job`],
  [
    'get',
    `${ownName} jobs lists the jobs, ${ownName} jobs JOB shows one; ${ownName} runs and ${ownName} runs RUN do the same for runs`,
  ],
  ['describe', `${ownName} runs RUN shows a run, ${ownName} jobs JOB shows a job`],
  ['view', `${ownName} runs RUN shows a run, ${ownName} jobs JOB shows a job`],
  ['tail', `${ownName} logs RUN --follow prints the log of a run as it grows`],
  ['show', `${ownName} runs RUN shows a run, ${ownName} jobs JOB shows a job`],
  ['diff', `${ownName} compare RUN [RUN] shows how runs differ`],
  ['check', wordsOfChecks],
  ['lint', wordsOfChecks],
  ['validate', wordsOfChecks],
]);

export async function isKnownJob(jobs: KnownJobs, words: readonly string[]): Promise<boolean> {
  try {
    await jobs.get(words.join('/'));
    return true;
  } catch (error) {
    const known = explained(error);
    if (!(known instanceof Refusal)) throw error;
    // Any other error means that the job exists but is invalid.
    return known.exitCode !== exitCodes.notFound;
  }
}

/** Call this if a list for `--job` is empty. @throws Refusal if there is no such job */
export async function assertKnownJob(jobs: KnownJobs, id: string | undefined): Promise<void> {
  if (id !== undefined && !(await isKnownJob(jobs, [id]))) await findJob(jobs, [id], false);
}

/** `backup daily` means `backup/daily`. @throws Refusal that suggests what may have been meant */
export async function findJob(jobs: KnownJobs, words: readonly string[], isImplicit: boolean): Promise<Job> {
  const id = words.join('/');
  try {
    return await jobs.get(id);
  } catch (error) {
    const known = explained(error);
    if (!(known instanceof Refusal) || known.exitCode !== exitCodes.notFound) throw error;
    const { jobs: listed } = await jobs.list({});
    const ids = listed.flatMap((job) => [job.id, ...job.aliases]);
    const server = await jobs.server?.();
    const among = server
      ? ` on the server at ${server} (${jobs.command('sources')} lists where its jobs come from)`
      : '';
    const [first = ''] = words;
    const isOfJobs = ids.some((one) => one === first || one.startsWith(`${first}/`));
    const elsewhere = isOfJobs ? undefined : otherWords.get(first);
    if (isImplicit && elsewhere !== undefined) throw new Refusal(`there is no command \`${first}\`: ${elsewhere}`);
    // A word such as `/srv` or a URL was not meant as a part of the id.
    const typed = words.length > 1 && id.includes('//') ? words.join(' ') : id;
    const what = `there is no ${isImplicit ? 'command or job' : 'job'} \`${typed}\`${among}`;
    const stray = await strayWords(jobs, words, ids);
    if (stray) throw new Refusal(`${what}; ${stray}`, isImplicit ? exitCodes.wrongUse : exitCodes.notFound);
    const advice =
      adviceOn(id, { ids, first: isImplicit ? first : null, jobs }) ??
      (words.length === 1 ? pathAdvice(first, ids) : namespaceAdvice(first, { ids, jobs })) ??
      (elsewhere && `; ${elsewhere}`);
    throw new Refusal(
      what + (advice ?? `; see ${ownName} --help for commands and ${jobs.command('jobs')} for jobs`),
      isImplicit ? exitCodes.wrongUse : exitCodes.notFound,
    );
  }
}

/** @param o.first the first word, if it may be a command */
function adviceOn(
  id: string,
  { ids, first, jobs }: { readonly ids: readonly string[]; readonly first: string | null; readonly jobs: KnownJobs },
): string | undefined {
  const ofNamespace = namespaceAdvice(id.replace(/\/+$/, ''), { ids, jobs });
  if (ofNamespace !== undefined) return ofNamespace;
  const inNamespace = ids.find((one) => one.endsWith(`/${id}`));
  if (inNamespace) return `; did you mean \`${inNamespace}\`?`;
  const near = hint(id, first === null ? ids : [...verbs, ...ids]) ?? (first === null ? undefined : hint(first, verbs));
  const shown = first === null ? /^(?:show|get|view|info|describe)\/(.+)$/.exec(id)?.[1] : undefined;
  return near ?? (shown !== undefined && ids.includes(shown) ? `; did you mean \`${shown}\`?` : undefined);
}

function namespaceAdvice(
  namespace: string,
  { ids, jobs }: { readonly ids: readonly string[]; readonly jobs: KnownJobs },
): string | undefined {
  return namespace !== '' && ids.some((one) => one.startsWith(`${namespace}/`))
    ? `; ${jobs.command('jobs', '--prefix', namespace)} lists the jobs in the namespace ${namespace}`
    : undefined;
}

/** Names the job whose folder the path leads to or into: `./jobs/backup/`, `backup/main.sh`. */
function pathAdvice(path: string, ids: readonly string[]): string | undefined {
  const [id] = ids.filter((one) => `/${path}/`.includes(`/${one}/`)).toSorted((a, b) => b.length - a.length);
  return id && `: a job is named by its id, and not by its path; did you mean \`${id}\`?`;
}

/** Says how to write the arguments of a job if the words begin with its name. */
async function strayWords(
  { get, command }: KnownJobs,
  words: readonly string[],
  ids: readonly string[],
): Promise<string | undefined> {
  const depth = words.findLastIndex((_, at) => ids.includes(words.slice(0, at).join('/')));
  if (depth === -1) return undefined;
  const id = words.slice(0, depth).join('/');
  const fields = argumentFields((await get(id)).args);
  if (fields.length === 0) return `the job \`${id}\` exists but takes no arguments`;
  const start = verbs.includes(id) ? ['run', id] : [id];
  const [, name, text] = /^([A-Za-z_][\w.-]*)=(.+)$/s.exec(words[depth] ?? '') ?? [];
  const found = name === undefined ? undefined : findField(fields, name.toLowerCase());
  const named = found?.field;
  const field = named ?? (name === undefined ? fieldOfWord(fields) : undefined);
  if (!field) return `the job \`${id}\` takes its arguments as options, which ${command(...start, '--help')} lists`;
  const value = (named ? text : words[depth]) ?? '';
  const example = field.kind === 'secret' ? usageOfField(field).split(' ') : wordsFor(field, value, found?.isNegated);
  return `the job \`${id}\` takes its arguments as options: ${command(...start, ...example)}`;
}

function wordsFor(field: ArgumentField, value: string, isNegated = false): readonly string[] {
  if (!isNegated) return [flagOf(field), value];
  return [value === 'false' ? flagOf(field) : negatedFlagOf(field)];
}

/** Finds the argument for which a word without an option is most likely meant. */
function fieldOfWord(fields: readonly ArgumentField[]): ArgumentField | undefined {
  const lists = fields.filter(({ kind }) => kind === 'list');
  const required = fields.filter(({ isRequired }) => isRequired);
  return [fields, required, lists].find((some) => some.length === 1)?.[0];
}

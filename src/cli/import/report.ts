// Reports the result of an import. For each line, timer or job that was found, names the new job and the user that the
// other scheduler ran it as. Also says what the job will lack in the sandbox, and which lines of config.yaml grant
// that.

import type { Options } from '../command.ts';
import { commandText } from '../session/command-text.ts';
import { type Output, printable } from '../terminal/output.ts';
import { type Draft, originLines, securityLines } from './job-draft.ts';
import { withoutSecrets } from './secret-text.ts';
import { type Imported, shownPath } from './write-jobs.ts';

const mostShownCharacters = 100;

export function printReport(
  results: readonly Imported[],
  o: { readonly options: Options; readonly output: Output },
): void {
  const { output, options } = o;
  if (output.isJson) {
    output.json({ found: results.map(toJson) });
    return;
  }
  const drafts = results.flatMap((result) => (result.kind === 'written' ? [result.draft] : []));
  const shared = sharedNotes(drafts);
  for (const result of results) output.text(`${linesOf(result, options, shared).join('\n')}\n`);
  const together = [...shared.map(({ note, jobs }) => row('note', `${note} (${jobs} jobs)`)), ...togetherLines(drafts)];
  if (together.length > 0) output.text(`all jobs together\n${together.join('\n')}\n`);
}

/** flwd.yaml can have `security` only once. */
function togetherLines(drafts: readonly Draft[]): string[] {
  const wanting = drafts.map(({ security }) => security).filter((one) => securityLines([one]).length > 0);
  return wanting.length > 1 ? securityLines(wanting).map((line) => row('flwd.yaml', line)) : [];
}

/** Notes of more than one job are shown once, with the number of jobs. */
function sharedNotes(drafts: readonly Draft[]): { readonly note: string; readonly jobs: number }[] {
  const counts = new Map<string, number>();
  for (const note of drafts.flatMap(({ notes }) => [...new Set(notes)])) counts.set(note, (counts.get(note) ?? 0) + 1);
  return [...counts].flatMap(([note, jobs]) => (jobs > 1 ? [{ note, jobs }] : []));
}

function row(name: string, value: string): string {
  return `  ${`${name}:`.padEnd(17)} ${printable(value)}`;
}

function linesOf(result: Imported, options: Options, shared: ReturnType<typeof sharedNotes>): string[] {
  const { place, line, text } = result.found.origin;
  const [first = '', ...more] = originLines(withoutSecrets(text));
  const said = first.length > mostShownCharacters ? `${first.slice(0, mostShownCharacters)}…` : first;
  const head = `${printable(place)}${line === null ? '' : `, line ${line}`}: ${said}${more.length > 0 ? ' …' : ''}`;
  if (result.kind === 'nothing')
    return [head, ...result.obstacles.map((obstacle) => `  not imported: ${printable(obstacle)}`)];
  if (result.kind === 'known') return [head, `  already imported as ${shownPath(result.dir)}`];
  const { draft, found, dir } = result;
  const { not_carried_over: lost } = draft.record;
  const times = found.schedules.map(({ cron, timezone }) => `${cron} ${timezone}`);
  const rows: (readonly [string, string])[] = [
    ['job', `${shownPath(dir)}${times.length > 0 ? `, held: ${times.join(', ')}` : ''}`],
    ...(lost === null ? [] : [['not carried over', lost] as const]),
    ...(lost === null && found.user !== null ? [['ran as', found.user] as const] : []),
    ...lackOf(result).map((lack) => ['lacks', lack] as const),
    ...draft.configLines.map((one) => ['config.yaml', one] as const),
    ...securityLines([draft.security]).map((one) => ['flwd.yaml', one] as const),
    ...draft.secrets.map(({ stored }) => ['secret', commandText(options, 'secrets', 'set', stored)] as const),
    ...draft.unnamed.map((variable) => ['note', noteOfUnnamed(variable)] as const),
    ...draft.notes.filter((note) => shared.every((one) => one.note !== note)).map((note) => ['note', note] as const),
  ];
  return [head, ...rows.map(([name, value]) => row(name, value))];
}

/** A crontab sets a variable for all lines below it, so perhaps only another line needs this variable. */
function noteOfUnnamed(variable: string): string {
  return `its command does not name ${variable}: if nothing that it starts needs this password, remove it from config.yaml`;
}

/** Says what the job seems to use but may not use yet. */
function lackOf({ draft }: Extract<Imported, { kind: 'written' }>): string[] {
  const { read, write, network } = draft.needs;
  return [
    ...(read.length > 0 ? [`the files ${read.join(', ')}`] : []),
    ...(write.length > 0 ? [`writing to ${write.join(', ')}`] : []),
    ...(network === undefined ? [] : [`the network (${network})`]),
  ];
}

function toJson(result: Imported) {
  const { kind, place, line, text } = result.found.origin;
  const origin = { kind, place, line, text: withoutSecrets(text) };
  if (result.kind === 'nothing') return { ...origin, state: 'not-imported', obstacles: result.obstacles };
  const job = { ...origin, state: result.kind === 'known' ? 'already-imported' : 'imported', folder: result.dir };
  if (result.kind === 'known') return job;
  const { draft, found, earlier = null } = result;
  return {
    ...job,
    may_replace: earlier,
    user: found.user,
    not_carried_over: draft.record.not_carried_over,
    schedules: draft.record.schedules,
    lacks: { read: draft.needs.read, write: draft.needs.write, network: draft.needs.network ?? null },
    config_lines: draft.configLines,
    flwd_lines: securityLines([draft.security]),
    secrets: draft.secrets.map(({ stored }) => stored),
    notes: [...draft.unnamed.map(noteOfUnnamed), ...draft.notes],
  };
}

// Invariants of the clients that followed a run while the server was killed and stopped: how each client ended, and
// that it saw all that the run has.

import { type Evidence, livedThroughACut, type RunRow } from './evidence.ts';
import type { Invariant } from './invariant.ts';
import type { Ledger, Told } from './ledger.ts';

/**
 * The exit codes of a command whose run was not created: no such job (a server that has just started is reading its
 * jobs), no server, or a server that is starting.
 */
const unmade = [3, 5, 6];
/** How long a command waits for the next server before it gives up. */
const waitsMs = 10_000;

export const clientInvariants: readonly Invariant[] = [
  {
    name: 'commands-end-as-their-run',
    sentence:
      '`flwd run` exits with 0 or 1, like its run, however often the server ended. It has another exit code only without a run.',
    breaches: ({ ledger, runs }) =>
      ledger.told.flatMap((told) => {
        if (told.kind !== 'run' || isExcused(told, ledger)) return [];
        const run = runs.find(({ labels }) => JSON.parse(labels).order === told.order);
        const isFine = run ? told.end === (run.status === 'success' ? 0 : 1) : unmade.includes(Number(told.end));
        return isFine
          ? []
          : [`${told.order} ended with ${told.end}, its run ${run?.id} as ${run?.status}: ${told.stderr}`];
      }),
  },
  {
    name: 'followers-end-with-their-run',
    sentence:
      'A client that follows the log or the events of a run continues until the run has ended, and exits with 0.',
    breaches: ({ ledger }) =>
      ledger.told
        .filter((told) => told.kind !== 'run' && told.end !== 0 && !isExcused(told, ledger))
        .map(({ kind, end, runId, stdout, stderr }) => {
          const last = stdout.split('\n').at(-2) ?? 'nothing';
          return `${kind} of ${runId} ended with ${end} after '${last}': ${stderr}`;
        }),
  },
  {
    name: 'clients-see-all',
    sentence: 'Every client has printed each line and each event of its run once, in order, with its time.',
    breaches: (evidence) =>
      evidence.ledger.told.flatMap((told) => {
        const run = evidence.runs.find(({ id }) => id === told.runId);
        if (!run || isExcused(told, evidence.ledger) || livedThroughACut(evidence, run)) return [];
        const printed = printedBy(told);
        const wanted = wantedOf(told, run, evidence);
        const at = Array.from({ length: Math.max(printed.length, wanted.length) }, (_, n) => n).find(
          (n) => printed[n] !== wanted[n],
        );
        return at === undefined
          ? []
          : [`${told.kind} of ${run.id} printed as ${at + 1}. '${printed[at]}' and not '${wanted[at]}'`];
      }),
  },
];

/** The client was killed, or there was no server for as long as the client waits. */
function isExcused({ end, endedAtMs }: Told, { absences }: Ledger): boolean {
  const isLeftAlone = absences.some(
    ({ fromMs, toMs }) => fromMs + waitsMs <= endedAtMs && endedAtMs <= toMs + waitsMs && toMs - fromMs >= waitsMs,
  );
  return end === 'killed' || (unmade.includes(Number(end)) && isLeftAlone);
}

function printedBy({ kind, stdout }: Told): readonly string[] {
  const lines = stdout.split('\n').slice(0, -1);
  if (kind === 'run') return lines.map((line) => line.replace(/^\S+ \| /, ''));
  return lines.map((line) => (kind === 'events' ? eventOf(JSON.parse(line)) : lineOf(JSON.parse(line))));
}

function wantedOf({ kind }: Told, { id }: RunRow, { logs, replayed }: Evidence): readonly string[] {
  const lines = logs.get(id) ?? [];
  if (kind === 'run') return lines.filter(({ stream }) => stream === 'stdout').map(({ message }) => message);
  return kind === 'events' ? replayed.filter(({ runId }) => runId === id).map(eventOf) : lines.map(lineOf);
}

function eventOf({ id, event }: { readonly id: number; readonly event: string }): string {
  return `${id} ${event}`;
}

function lineOf({ timestamp, message }: { readonly timestamp: string; readonly message: string }): string {
  return `${timestamp} ${message}`;
}

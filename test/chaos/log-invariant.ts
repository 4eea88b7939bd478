// Holds the log of each run against what its script prints: `out 1 … out n`, `err 1 … err n`.

import type { LogLineAnswer } from '../support/answers.ts';
import { type Evidence, livedThroughACut, type RunRow } from './evidence.ts';
import type { ScriptArgs } from './scripts.ts';

const streams = { out: 'stdout', err: 'stderr' } as const;

/** Of a run that was under way when the power was cut, lines may be missing; no line may be doubled or out of its order. */
export function logBreaches(evidence: Evidence): string[] {
  const { runs, logs, scripts } = evidence;
  return runs.flatMap((run) => {
    const script = scripts[run.job_id];
    const lines = logs.get(run.id);
    if (!script || !lines) return [`${run.id} has no log to look at`];
    const args: ScriptArgs = JSON.parse(run.args);
    const isCut = livedThroughACut(evidence, run);
    const isWhole =
      !isCut && run.status === script.ends.status && run.reason === script.ends.reason && run.reason !== 'timeout';
    const found = breachesOf(lines, script.prints(args), { isWhole, isCut });
    return found.map((breach) => `${run.id} (${run.job_id}, ${describe(run)}): ${breach}`);
  });
}

function breachesOf(
  lines: readonly LogLineAnswer[],
  printed: { out: number; err: number },
  { isWhole, isCut }: { isWhole: boolean; isCut: boolean },
): string[] {
  const breaches: string[] = [];
  const gap = lines.findIndex(({ seq }, i) => seq !== i + 1);
  if (gap >= 0) breaches.push(`the line at ${gap + 1} has seq ${lines[gap]?.seq}`);
  for (const name of ['out', 'err'] as const) {
    let next = 1;
    for (const { message, stream } of lines) {
      const [, number] = new RegExp(`^${name} (\\d+)$`).exec(message) ?? [];
      if (number === undefined) continue;
      if (stream !== streams[name]) breaches.push(`'${message}' is on ${stream}`);
      if (isCut ? Number(number) < next : Number(number) !== next)
        breaches.push(`'${message}' where '${name} ${next}' is next`);
      next = Number(number) + 1;
    }
    const count = next - 1;
    if (count > printed[name] || (isWhole && count < printed[name]))
      breaches.push(`${count} lines '${name}' of ${printed[name]}`);
  }
  const others = lines.filter(({ message }) => !/^(?:out|err) \d+$/.test(message));
  if (isWhole) breaches.push(...others.map(({ message }) => `a line that nobody printed: ${message}`));
  return breaches.slice(0, 5);
}

function describe({ status, reason }: RunRow): string {
  return reason === null ? status : `${status}, ${reason}`;
}

// Compares the log of each run with the output of its scripts: `out 1 … out n`, `err 1 … err n` for each attempt of
// each step.

import type { LogLineAnswer } from '../support/answers.ts';
import { type Evidence, livedThroughACut, mayBeLost, type RunRow } from './evidence.ts';
import type { Script, ScriptArgs } from './scripts.ts';

const streams = { out: 'stdout', err: 'stderr' } as const;

/** The requirements for the lines of an attempt. */
type Demand = {
  /** The attempt could finish. */
  readonly isWhole: boolean;
  /** The power was cut while it ran. Lines may be missing, but not duplicated or out of order. */
  readonly isCut: boolean;
};

export function logBreaches(evidence: Evidence): string[] {
  return evidence.runs.flatMap((run) => {
    const script = evidence.scripts[run.job_id];
    const lines = evidence.logs.get(run.id);
    if (!script || !lines) return [`${run.id} has no log to look at`];
    const found = [...sequenceBreaches(lines), ...attemptBreaches(evidence, run, script, lines)].slice(0, 5);
    const end = run.reason === null ? run.status : `${run.status}, ${run.reason}`;
    return found.map((breach) => `${run.id} (${run.job_id}, ${end}): ${breach}`);
  });
}

function sequenceBreaches(lines: readonly LogLineAnswer[]): string[] {
  const gap = lines.findIndex(({ seq }, i) => seq !== i + 1);
  return gap < 0 ? [] : [`the line at ${gap + 1} has seq ${lines[gap]?.seq}`];
}

function attemptBreaches(evidence: Evidence, run: RunRow, script: Script, lines: readonly LogLineAnswer[]): string[] {
  const args: ScriptArgs = JSON.parse(run.args);
  const isCut = livedThroughACut(evidence, run);
  const hasEnded = run.status === script.ends.status && run.reason === script.ends.reason && run.reason !== 'timeout';
  // Killing a shim ends one attempt early. If the run continues, it has one more attempt.
  const mayHaveMore = script.isTriedAgain === true && mayBeLost(evidence, run);
  const byAttempt = Map.groupBy(lines, ({ step_id, attempt }) => `${step_id} ${attempt}`);
  const breaches: string[] = [];
  for (const [stepId, attempts] of Object.entries(script.attempts ?? { step_01: 1 })) {
    for (let attempt = 1; attempt <= attempts || byAttempt.has(`${stepId} ${attempt}`); attempt++) {
      const name = `${stepId} ${attempt}`;
      const of = byAttempt.get(name) ?? [];
      byAttempt.delete(name);
      if (attempt > attempts && !mayHaveMore) breaches.push(`the attempt ${name} should not exist`);
      const isWhole = hasEnded && !isCut && !mayHaveMore;
      breaches.push(...lineBreaches(of, script.prints(args), { isWhole, isCut }).map((one) => `${name}: ${one}`));
    }
  }
  for (const name of byAttempt.keys()) if (hasEnded) breaches.push(`lines of ${name}, which prints nothing`);
  return breaches;
}

function lineBreaches(
  lines: readonly LogLineAnswer[],
  printed: { out: number; err: number },
  { isWhole, isCut }: Demand,
): string[] {
  const breaches: string[] = [];
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
  return breaches;
}

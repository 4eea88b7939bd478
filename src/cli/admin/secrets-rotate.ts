// `flwd secrets rotate`: seals everything with a new key, and drops the old one. What stops it does no harm: it goes on when
// it is called again.

import type { AnswerOf } from '../../contract/operations.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { stopSignal } from '../session/stop-signal.ts';
import { createOutput } from '../terminal/output.ts';

type Rotation = AnswerOf<'rotateSecrets'>;

export async function run(options: Options): Promise<ExitCode> {
  const output = createOutput(options);
  const stopping = new AbortController();
  void stopSignal().then(() => stopping.abort());
  const whole = await withSession(options, ({ client }) =>
    untilDone(() => client.call('rotateSecrets'), stopping.signal),
  );
  if (output.isJson) output.json(whole);
  else output.text(toText(whole));
  return whole.done ? exitCodes.done : exitCodes.interrupted;
}

/** Some seconds a call; what the last one answers, with the counts of them all. */
async function untilDone(rotate: () => Promise<Rotation>, signal: AbortSignal): Promise<Rotation> {
  const resealed = { secrets: 0, runs: 0, steps: 0 };
  for (;;) {
    const found = await rotate();
    resealed.secrets += found.resealed.secrets;
    resealed.runs += found.resealed.runs;
    resealed.steps += found.resealed.steps;
    if (found.done || signal.aborted) return { ...found, resealed };
  }
}

function toText({ done, key_id: keyId, resealed, unopened, advice }: Rotation): string {
  const counts = `${resealed.secrets} stored secrets, ${resealed.runs} runs, ${resealed.steps} steps`;
  const lines = [`sealed anew by the key ${keyId}: ${counts}`];
  if (!done) lines.push('there is more: flwd secrets rotate goes on with it; until then the old key is needed, too');
  if (unopened > 0) lines.push(`${unopened} more cannot be opened by their key, and stay as they are`);
  if (advice !== null) lines.push(advice);
  else if (done) lines.push('the old key is gone from here; backups of before need it still');
  return `${lines.join('\n')}\n`;
}

// `flwd secrets rotate`: encrypts everything with a new key, and removes the old one. If it is interrupted, no data is
// lost: the next call continues.

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

/** Each call takes a few seconds. Returns the last answer with the sum of all counts. */
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
  const lines = [`encrypted with the new key ${keyId}: ${counts}`];
  if (!done) lines.push('not finished: run flwd secrets rotate again; until then, keep the old key');
  if (unopened > 0) lines.push(`${unopened} more cannot be decrypted by any key here and were not changed`);
  if (advice !== null) lines.push(advice);
  else if (done) lines.push('the old key was removed here; older backups still need it');
  return `${lines.join('\n')}\n`;
}

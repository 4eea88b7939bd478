// `flwd secrets rotate`: seals everything with a new key, and drops the old one. What stops it does no harm: it goes on when
// it is called again.

import type { AnswerOf } from '../contract/operations.ts';
import type { Options } from './command.ts';
import { loadConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-code.ts';
import { onInstance } from './owner-client.ts';
import { stopSignal } from './stop-signal.ts';

type Rotation = AnswerOf<'rotateSecrets'>;

const aloneMs = 2_000;

export async function run(options: Options): Promise<ExitCode> {
  const { config } = loadConfiguration(options);
  const stopping = new AbortController();
  void stopSignal().then(() => stopping.abort());
  const { manageSecrets } = await import('../operator.ts');
  const last = await onInstance(config, {
    alone: () => manageSecrets(config, ({ rotate }) => untilDone(() => rotate({ forMs: aloneMs }), stopping.signal)),
    byOwner: (client) => untilDone(() => client.call('rotateSecrets'), stopping.signal),
  });
  return last.done ? exitCodes.done : exitCodes.interrupted;
}

/** Some seconds a call. */
async function untilDone(rotate: () => Promise<Rotation>, signal: AbortSignal): Promise<Rotation> {
  const total = { secrets: 0, runs: 0, steps: 0 };
  for (;;) {
    const found = await rotate();
    total.secrets += found.resealed.secrets;
    total.runs += found.resealed.runs;
    total.steps += found.resealed.steps;
    if (!found.done && !signal.aborted) continue;
    say(found, total);
    return found;
  }
}

function say({ done, key_id: keyId, unopened, advice }: Rotation, total: Rotation['resealed']): void {
  const counts = `${total.secrets} stored secrets, ${total.runs} runs, ${total.steps} steps`;
  const lines = [`sealed anew by the key ${keyId}: ${counts}`];
  if (!done) lines.push('there is more: flwd secrets rotate goes on with it; until then the old key is needed, too');
  if (unopened > 0) lines.push(`${unopened} more cannot be opened by their key, and stay as they are`);
  if (advice !== null) lines.push(advice);
  else if (done) lines.push('the old key is gone from here; backups of before need it still');
  process.stdout.write(`${lines.join('\n')}\n`);
}

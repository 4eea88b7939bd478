// `flwd schedules pause --all` and `flwd schedules resume --all`.

import type { Options } from '../command.ts';
import type { Call } from '../command-line.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { noteNoServer } from './schedules.ts';

export async function run(options: Options, _: readonly string[], { command }: Call): Promise<ExitCode> {
  const isPause = command.name === 'schedules pause';
  if (!options.has('all')) {
    const single = isPause ? 'hold' : 'release';
    throw new Refusal(`flwd ${command.name} needs --all; for one schedule, use flwd schedules ${single} SCHEDULE`);
  }
  const tenant = options.get('tenant')?.[0];
  const output = createOutput(options);
  return withSession(options, async (session) => {
    const operation = isPause ? 'pauseSchedules' : 'resumeSchedules';
    const answer = await session.client.call(operation, { body: tenant === undefined ? {} : { tenant } });
    const which = answer.tenant === '*' ? 'all schedules' : `all schedules of ${answer.tenant}`;
    if (output.isJson) output.json(answer);
    else output.text(`${isPause ? 'paused' : 'resumed'} ${which}\n`);
    if (!isPause && answer.paused) {
      const by = answer.by_operator ? 'scheduler.schedules_paused in flwd.yaml' : 'a pause of every tenant';
      output.warn(`the schedules still start nothing: ${by} is in force`);
    }
    if (!isPause) noteNoServer(session, output);
    return exitCodes.done;
  });
}

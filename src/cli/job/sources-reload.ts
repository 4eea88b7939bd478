// `flwd sources reload [SOURCE]`: has the server read its sources again. Without a server there is nothing to reload.

import type { Options } from '../command.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { oneOperand } from '../option-values.ts';
import { isOfThisMachine, openServedSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { ownSources, printSources } from './sources.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const name = operands.length === 0 ? undefined : oneOperand(operands, 'flwd sources reload [SOURCE]');
  const output = createOutput(options);
  const session = await openServedSession(options);
  if (!session) {
    output.say('no server is running, so every command reads the sources itself');
    return exitCodes.done;
  }
  try {
    const { client, command } = session;
    const all = name === undefined ? (await client.call('listSources')).sources.map((source) => source.name) : [name];
    const sources = [];
    for (const one of all) sources.push(await client.call('syncSource', { path: { name: one } }));
    if (output.isJson) output.json({ sources });
    else await printSources(sources, output, command);
    const added = isOfThisMachine(options) && name === undefined ? ownSources(options) : [];
    const unknown = added.map((source) => source.name).filter((one) => !all.includes(one));
    if (unknown.length > 0) output.say(`restart the server to add the new sources of flwd.yaml: ${unknown.join(', ')}`);
    return exitCodes.done;
  } finally {
    await session.close();
  }
}

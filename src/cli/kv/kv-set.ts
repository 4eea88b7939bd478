// `flwd kv set NAMESPACE KEY [VALUE]`: stores a value.

import { buffer } from 'node:stream/consumers';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { withSession } from '../session/session.ts';
import { createOutput } from '../terminal/output.ts';
import { readPlace } from './kv-operands.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const place = readPlace(options, operands, 'flwd kv set NAMESPACE KEY [VALUE]', 3);
  const output = createOutput(options);
  const [ttl] = options.get('ttl') ?? [];
  const ifVersion = readVersion(options);
  const [, , given] = operands;
  if (given === undefined && process.stdin.isTTY)
    throw new Refusal('the value is missing: flwd kv set NAMESPACE KEY VALUE, or flwd kv set NAMESPACE KEY < FILE');
  const value = given === undefined ? await buffer(process.stdin) : Buffer.from(given);
  const body = {
    value: value.toString('base64'),
    ...(ttl !== undefined && { ttl }),
    ...(ifVersion !== undefined && { if_version: ifVersion }),
  };
  const entry = await withSession(options, ({ client }) => client.call('putKvKey', { ...place, body }), {
    mayCreate: true,
  });
  if (output.isJson) output.json(entry);
  else output.say(`stored ${entry.key} in ${entry.namespace}, version ${entry.version}`);
  return exitCodes.done;
}

/** @throws Refusal */
function readVersion(options: Options): number | undefined {
  const [text] = options.get('if-version') ?? [];
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Refusal(`--if-version ${text} is not a version; flwd kv list shows the versions, and 0 means no such key`);
}

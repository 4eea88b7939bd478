// `flwd kv list [NAMESPACE]`: lists the keys of a namespace, or the namespaces.

import { formatSize } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { type ExitCode, exitCodes, Refusal } from '../exit-code.ts';
import { everyPage } from '../session/pages.ts';
import { withSession } from '../session/session.ts';
import { createOutput, type Output } from '../terminal/output.ts';
import { ofTenant } from './kv-operands.ts';

export async function run(options: Options, operands: readonly string[]): Promise<ExitCode> {
  const [namespace, extra] = operands;
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: flwd kv list [NAMESPACE]`);
  const output = createOutput(options);
  await (namespace === undefined ? listNamespaces(options, output) : listKeys(options, namespace, output));
  return exitCodes.done;
}

async function listNamespaces(options: Options, output: Output): Promise<void> {
  if (options.has('prefix')) throw new Refusal('--prefix needs a namespace: flwd kv list NAMESPACE --prefix PREFIX');
  const pages = await withSession(options, ({ client }) =>
    everyPage((from) => client.call('listKvNamespaces', { query: { ...ofTenant(options), ...from } })),
  );
  const namespaces = pages.flatMap((page) => page.namespaces);
  if (output.isJson) output.json({ ...pages[0], namespaces, next_cursor: null });
  else if (namespaces.length === 0) output.say('no keys');
  else
    await output.table(
      [{ name: 'NAMESPACE', isFlexible: true }, { name: 'KEYS' }, { name: 'SIZE' }],
      namespaces.map((one) => [one.namespace, String(one.keys), formatSize(one.size_bytes)]),
    );
}

async function listKeys(options: Options, namespace: string, output: Output): Promise<void> {
  const [prefix] = options.get('prefix') ?? [];
  const query = { ...ofTenant(options), ...(prefix !== undefined && { prefix }) };
  const pages = await withSession(options, ({ client }) =>
    everyPage((from) => client.call('listKvKeys', { path: { namespace }, query: { ...query, ...from } })),
  );
  const keys = pages.flatMap((page) => page.keys);
  if (output.isJson) output.json({ ...pages[0], keys, next_cursor: null });
  else if (keys.length === 0) output.say(`no keys in ${namespace}`);
  else
    await output.table(
      [
        { name: 'KEY', isFlexible: true },
        { name: 'VERSION' },
        { name: 'SIZE' },
        { name: 'UPDATED' },
        { name: 'EXPIRES' },
        { name: 'BY', isFlexible: true },
      ],
      keys.map((key) => [
        key.key,
        String(key.version),
        formatSize(key.size_bytes),
        output.time(key.updated_at),
        output.time(key.expires_at),
        key.updated_by,
      ]),
    );
}

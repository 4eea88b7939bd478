// `flwd kv`: reads and changes the key-value store.

import { defined } from '../../lib/defined.ts';
import { sizeWords } from '../../lib/units.ts';
import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';
import { readGivenBytes } from '../given-file.ts';
import { readValue } from '../option-values.ts';
import { ownName } from '../own-name.ts';
import { everyPage } from '../session/pages.ts';
import { withSession } from '../session/session.ts';
import { createOutput, flexible, type Output } from '../terminal/output.ts';

/** `flwd kv get NAMESPACE KEY`: prints a value, byte for byte. */
export async function get(options: Options, operands: readonly string[]): Promise<void> {
  const place = readPlace(
    options,
    operands,
    `${ownName} kv get NAMESPACE KEY; ${ownName} kv list NAMESPACE shows the keys`,
  );
  const output = createOutput(options);
  const entry = await withSession(options, ({ client }) => client.call('getKvKey', place));
  const bytes = Buffer.from(entry.value, 'base64');
  if (output.isJson) output.json(entry);
  // A terminal gets text, with its control characters made visible; a pipe or a file gets the bytes.
  else if (output.isForPeople) output.text(`${bytes.toString().replace(/\n$/, '')}\n`);
  else process.stdout.write(bytes);
}

/** `flwd kv set NAMESPACE KEY [VALUE]` */
export async function set(options: Options, operands: readonly string[]): Promise<void> {
  const place = readPlace(options, operands, `${ownName} kv set NAMESPACE KEY [VALUE]`, 3);
  const output = createOutput(options);
  const terms = defined({ ttl: readValue(options, 'ttl'), if_version: readVersion(options) });
  const [, , given] = operands;
  if (given === undefined && process.stdin.isTTY)
    throw new Refusal(
      `the value is missing: ${ownName} kv set NAMESPACE KEY VALUE, or ${ownName} kv set NAMESPACE KEY < FILE`,
    );
  const value = given === undefined ? await readGivenBytes('-', 'the value') : Buffer.from(given);
  const body = { value: value.toString('base64'), ...terms };
  // With this header the request is repeated if the server ends in the middle. With a version, the second request could
  // be refused because of the first.
  const headers = terms.if_version === undefined ? { 'idempotency-key': 'kv' } : {};
  const entry = await withSession(options, ({ client }) => client.call('putKvKey', { ...place, body, headers }), {
    mayCreate: true,
  });
  if (output.isJson) output.json(entry);
  else output.say(`stored ${entry.key} in ${entry.namespace}, version ${entry.version}`);
}

/** `flwd kv delete NAMESPACE KEY` */
export async function remove(options: Options, operands: readonly string[]): Promise<void> {
  const place = readPlace(
    options,
    operands,
    `${ownName} kv delete NAMESPACE KEY; ${ownName} kv list NAMESPACE shows the keys`,
  );
  const output = createOutput(options);
  await withSession(options, ({ client }) => client.request('deleteKvKey', place));
  output.say(`deleted ${place.path.key} of ${place.path.namespace}`);
}

/** `flwd kv list [NAMESPACE]`: lists the keys of a namespace, or the namespaces. */
export async function list(options: Options, operands: readonly string[]): Promise<void> {
  const [namespace, extra] = operands;
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${ownName} kv list [NAMESPACE]`);
  const output = createOutput(options);
  await (namespace === undefined ? listNamespaces(options, output) : listKeys(options, namespace, output));
}

async function listNamespaces(options: Options, output: Output): Promise<void> {
  if (options.has('prefix'))
    throw new Refusal(`--prefix needs a namespace: ${ownName} kv list NAMESPACE --prefix PREFIX`);
  const pages = await withSession(options, ({ client }) =>
    everyPage((from) => client.call('listKvNamespaces', { query: { ...ofTenant(options), ...from } })),
  );
  const namespaces = pages.flatMap((page) => page.namespaces);
  if (output.isJson) output.json({ ...pages[0], namespaces, next_cursor: null });
  else if (namespaces.length === 0) output.say('no keys');
  else
    await output.table(
      [flexible('NAMESPACE'), 'KEYS', 'SIZE'],
      namespaces.map((one) => [one.namespace, String(one.keys), sizeWords(one.size_bytes)]),
    );
}

async function listKeys(options: Options, namespace: string, output: Output): Promise<void> {
  const query = { ...ofTenant(options), ...defined({ prefix: readValue(options, 'prefix') }) };
  const pages = await withSession(options, ({ client }) =>
    everyPage((from) => client.call('listKvKeys', { path: { namespace }, query: { ...query, ...from } })),
  );
  const keys = pages.flatMap((page) => page.keys);
  if (output.isJson) output.json({ ...pages[0], keys, next_cursor: null });
  else if (keys.length === 0) output.say(`no keys in ${namespace}`);
  else
    await output.table(
      [flexible('KEY'), 'VERSION', 'SIZE', 'UPDATED', 'EXPIRES', flexible('BY')],
      keys.map((key) => [
        key.key,
        String(key.version),
        sizeWords(key.size_bytes),
        output.time(key.updated_at),
        output.time(key.expires_at),
        key.updated_by,
      ]),
    );
}

/** Returns the parts of a request that name a key. @throws Refusal */
function readPlace(options: Options, operands: readonly string[], usage: string, most = 2) {
  const [namespace, key] = operands;
  if (namespace === undefined || key === undefined) throw new Refusal(`missing operand: ${usage}`);
  const extra = operands[most];
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${usage}`);
  return { path: { namespace, key }, query: ofTenant(options) };
}

function ofTenant(options: Options) {
  return defined({ tenant: readValue(options, 'tenant') });
}

/** @throws Refusal */
function readVersion(options: Options): number | undefined {
  const text = readValue(options, 'if-version');
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Refusal(
    `--if-version ${text} is not a version; ${ownName} kv list shows the versions, and 0 means no such key`,
  );
}

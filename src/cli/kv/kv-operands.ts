// Reads what names a key on the command line.

import type { Options } from '../command.ts';
import { Refusal } from '../exit-code.ts';

/** The parts of a request that name a key. @throws Refusal */
export function readPlace(options: Options, operands: readonly string[], usage: string, most = 2) {
  const [namespace, key] = operands;
  if (namespace === undefined || key === undefined) throw new Refusal(`missing operand: ${usage}`);
  const extra = operands[most];
  if (extra !== undefined) throw new Refusal(`unexpected word \`${extra}\`: ${usage}`);
  return { path: { namespace, key }, query: ofTenant(options) };
}

export function ofTenant(options: Options): { readonly tenant?: string } {
  const [tenant] = options.get('tenant') ?? [];
  return tenant === undefined ? {} : { tenant };
}

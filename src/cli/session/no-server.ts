// Says that no server has the data dir, and since when.

import type { Options } from '../command.ts';
import type { Output } from '../terminal/output.ts';
import { loadConfiguration } from './configuration.ts';
import type { Session } from './session.ts';

/** Warns that no server runs. `lacks` says what does not happen until a server runs. */
export async function warnNoServer(
  { command }: Session,
  lacks: string,
  { options, output }: { readonly options: Options; readonly output: Output },
): Promise<void> {
  const { whyNothingIsChecked } = await import('../../operator.ts');
  const why = whyNothingIsChecked(loadConfiguration(options).config);
  output.warn(`${why}: ${lacks} until you run \`${command('serve')}\``);
}

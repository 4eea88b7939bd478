// The releases under test, as `npm run binary` and `npm run deb` wrote them.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../build');

export const binary = only(/^flwd-.*-linux-/, 'npm run binary');
export const deb = only(/^flwd_.*\.deb$/, 'npm run deb');

/** A root folder with Debian, in which packages may be installed. */
export const testRoot = process.env.FLWD_TEST_ROOT ?? '';

function only(name: RegExp, command: string): string {
  const [found, ...more] = readdirSync(folder).filter((file) => name.test(file));
  if (!found || more.length > 0) throw new Error(`${folder} must contain one file: run \`rm -rf build && ${command}\``);
  return join(folder, found);
}

// Every command of the pages that a new user follows works as it is written.

import { testWith } from '../support/host.ts';
import { follow } from './a-reader.ts';

const testAsReader = testWith('bwrap', 'python3', 'curl');

testAsReader('README.md works for a reader with a folder of files and a folder for backups', () =>
  follow('README.md', { folders: ['www', 'backups'] }),
);

testAsReader('docs/getting-started.md works for a reader', () => follow('docs/getting-started.md'));

testAsReader('docs/guides/existing-scripts.md works for a reader who has installed flwd', () =>
  follow('docs/guides/existing-scripts.md', { isInstalled: true }),
);

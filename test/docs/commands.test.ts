// Every command of the pages that a new user follows works as it is written.

import { testWith } from '../support/host.ts';
import { follow } from './a-reader.ts';

const testAsReader = testWith('bwrap', 'python3', 'curl');

testAsReader('README.md, by somebody with a folder of files and one for backups', () =>
  follow('README.md', { folders: ['www', 'backups'] }),
);

testAsReader('docs/getting-started.md', () => follow('docs/getting-started.md'));

testAsReader('docs/guides/existing-scripts.md', () => follow('docs/guides/existing-scripts.md', { isInstalled: true }));

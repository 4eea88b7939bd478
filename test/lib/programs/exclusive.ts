// Prints whether this process gets the lock of a file.

import { exclusively } from '../../../src/lib/files/exclusively.ts';

const [file = ''] = process.argv.slice(2);
console.log((await exclusively(file, { waitMs: 0 }, async () => 'locked')) ?? 'refused');

// A minimal server: launches the attempt in $SPEC, reports that, and stays until the attempt has ended.

import { dirname, join } from 'node:path';
import { openForkServer } from '../../../src/exec/proc/fork-server.ts';
import { launch } from '../../../src/exec/proc/launch.ts';
import { deserialized } from '../serialized.ts';

const staying = setInterval(() => undefined, 1_000);
const spec = deserialized(process.env.SPEC ?? '');
const attempt = launch(spec, openForkServer(join(dirname(spec.attemptDir), '..', '..', 'pipes')));
console.log('launched');
console.log(JSON.stringify(await attempt.ended));
clearInterval(staying);

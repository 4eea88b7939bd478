// A server in small: launches the attempt in $SPEC, says so, and stays until the attempt has ended.

import { launch } from '../../../src/exec/launch.ts';
import { deserialized } from '../serialized.ts';

const staying = setInterval(() => undefined, 1_000);
const attempt = launch(deserialized(process.env.SPEC ?? ''));
console.log('launched');
console.log(JSON.stringify(await attempt.ended));
clearInterval(staying);

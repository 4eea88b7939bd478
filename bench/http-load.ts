// Requests one URL as often as it can over 8 kept-alive connections for some seconds, and sends the rate to the parent.

import { connect } from 'node:net';

const [, , target = '', seconds = '2'] = process.argv;
const { hostname, port, host, pathname, search } = new URL(target);
const request = Buffer.from(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
const startedAt = performance.now();
const endsAt = startedAt + Number(seconds) * 1000;
let answers = 0;
let open = 8;

for (let i = 0; i < 8; i++) {
  const socket = connect(Number(port), hostname, () => socket.write(request));
  let missing = -1;
  socket.on('data', (chunk) => {
    if (missing < 0) {
      const head = chunk.indexOf('\r\n\r\n');
      const text = chunk.toString('latin1', 0, head);
      if (!text.startsWith('HTTP/1.1 200')) throw new Error(`${target} answered ${text.slice(0, 200)}`);
      missing = Number(/content-length: (\d+)/i.exec(text)?.[1]) - (chunk.length - head - 4);
    } else missing -= chunk.length;
    if (missing > 0) return;
    missing = -1;
    answers += 1;
    if (performance.now() < endsAt) socket.write(request);
    else socket.end();
  });
  socket.once('close', () => {
    open -= 1;
    if (open === 0)
      process.send?.({ rate: answers / ((performance.now() - startedAt) / 1000) }, () => process.disconnect());
  });
}

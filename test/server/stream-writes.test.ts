import { ServerResponse } from 'node:http';
import { fastify } from 'fastify';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { localPrincipal } from '../../src/domain/principal.ts';
import { createStreams } from '../../src/server/streams/streams.ts';

const large = Buffer.alloc(64 * 1024, 'x');
const readers = 10;

test('streams that send large chunks at the same moment do not write all of them in one turn of the event loop', async () => {
  const streams = createStreams({
    stallMs: 10_000,
    isStillValid: async () => true,
    log: pino({ level: 'silent' }),
  });
  const app = fastify();
  app.decorateRequest('principal', { getter: () => localPrincipal });
  const waiting = new Set<() => void>();
  app.get('/', (request, reply) =>
    streams.send(request, reply, 'text/plain', async ({ write }) => {
      await new Promise<void>((resolve) => waiting.add(resolve));
      await write(large);
    }),
  );
  const url = await app.listen();
  onTestFinished(() => app.close());
  const answers = Array.from({ length: readers }, async () => (await fetch(url)).arrayBuffer());
  await expect.poll(() => waiting.size).toBe(readers);

  let turn = 0;
  let counting: NodeJS.Immediate | undefined;
  function count(): void {
    turn += 1;
    counting = setImmediate(count);
  }
  count();
  onTestFinished(() => clearImmediate(counting));
  const writesOfTurn = new Map<number, number>();
  const write = vi.spyOn(ServerResponse.prototype, 'write');
  onTestFinished(() => write.mockRestore());
  /** Takes as long as the kernel takes to accept some MB. */
  function slowly(this: ServerResponse, ...asked: Parameters<ServerResponse['write']>): boolean {
    writesOfTurn.set(turn, (writesOfTurn.get(turn) ?? 0) + 1);
    for (const until = performance.now() + 5; performance.now() < until; );
    const isTaken = this.write(...asked);
    write.mockImplementationOnce(slowly);
    return isTaken;
  }
  write.mockImplementationOnce(slowly);
  for (const goOn of waiting) goOn();

  const sizes = (await Promise.all(answers)).map(({ byteLength }) => byteLength);
  expect(sizes).toEqual(Array.from({ length: readers }, () => large.length));
  // At most two writes begin within the 8 ms of a turn of the event loop.
  expect(Math.max(...writesOfTurn.values())).toBeLessThanOrEqual(2);
});

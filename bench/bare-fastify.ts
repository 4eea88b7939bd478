// The floor of bench/http.ts: a Fastify with one route and nothing else, in a process of its own.

import Fastify from 'fastify';

process.once('message', ({ body }: { body: unknown }) => {
  const app = Fastify();
  app.get('/', () => body);
  void app.listen({ host: '127.0.0.1', port: 0 }).then((url) => process.send?.({ url }));
});
